//! [`OwnTime`]: how long a call of a guest has been at work, in it or in the host for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that stands still while the guest waits, for its turn or for a look-up.
#[derive(Debug)]
pub(in crate::constraints) struct OwnTime {
    started: Instant,
    /// Shared with the futures that are waited for, since nobody else is there when they end.
    waited_us: Arc<AtomicU64>,
}

impl OwnTime {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), waited_us: Arc::default() }
    }

    /// The time since, without what was waited.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_micros(self.waited_us.load(Ordering::Relaxed)))
    }

    /// The same future, with the time until it ends not counted.
    pub(in crate::constraints) fn waiting<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let (since, waited_us) = (Instant::now(), Arc::clone(&self.waited_us));
        async move {
            let output = future.await;
            let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            waited_us.fetch_add(waited, Ordering::Relaxed);
            output
        }
    }
}
