//! [`OwnTime`]: how long a call of a guest has been at work, in it or in the host for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How many deadlines may pass on the wall's clock before a call ends that has used next to no processor. 50: with the
/// default deadline 5 s, longer than the kernel leaves a thread without a processor on a machine that still answers.
const BLOCKED_DEADLINES: u32 = 50;

/// A clock that stands still while the guest waits, for its turn or for a look-up, and while the kernel lets somebody
/// else run: a thread without a processor does nothing, however long that takes.
#[derive(Debug)]
pub(in crate::constraints) struct OwnTime {
    started: Instant,
    /// Shared with the futures that are waited for, since nobody else is there when they end.
    slices: Arc<Slices>,
}

/// The work between two waits is a slice. It is done by one thread; the next slice may be done by another, and the
/// clocks of two threads have nothing to do with each other.
#[derive(Debug, Default)]
struct Slices {
    waited_us: AtomicU64,
    /// What the slices before this one have used of a processor.
    worked_us: AtomicU64,
    /// The clock of this slice's thread at its start.
    since_us: AtomicU64,
}

impl OwnTime {
    /// A clock that starts now, in this thread.
    pub(super) fn start() -> Self {
        let slices = Arc::new(Slices { since_us: AtomicU64::new(thread_us()), ..Slices::default() });
        Self { started: Instant::now(), slices }
    }

    /// Whether more than `deadline` was worked. The wall's clock is asked first, which costs a tenth of the other: no call
    /// has worked for longer than it has been there.
    pub(in crate::constraints) fn is_over(&self, deadline: Duration) -> bool {
        let present = self.started.elapsed().saturating_sub(micros(&self.slices.waited_us));
        present > deadline && (self.slices.worked() > deadline || present > deadline.saturating_mul(BLOCKED_DEADLINES))
    }

    /// The same future, with the time until it ends not counted.
    pub(in crate::constraints) fn waiting<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let (since, slices) = (Instant::now(), Arc::clone(&self.slices));
        slices.end();
        async move {
            let output = future.await;
            let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            slices.waited_us.fetch_add(waited, Ordering::Relaxed);
            slices.since_us.store(thread_us(), Ordering::Relaxed);
            output
        }
    }
}

impl Slices {
    fn slice_us(&self) -> u64 {
        thread_us().saturating_sub(self.since_us.load(Ordering::Relaxed))
    }

    fn end(&self) {
        self.worked_us.fetch_add(self.slice_us(), Ordering::Relaxed);
    }

    fn worked(&self) -> Duration {
        micros(&self.worked_us).saturating_add(Duration::from_micros(self.slice_us()))
    }
}

fn micros(of: &AtomicU64) -> Duration {
    Duration::from_micros(of.load(Ordering::Relaxed))
}

/// What this thread has used of a processor.
fn thread_us() -> u64 {
    let used = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    u64::try_from(used.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn work_until_over(own_time: &OwnTime) {
        while !own_time.is_over(SHORT) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_thread_that_got_no_processor_has_not_worked() {
        let own_time = OwnTime::start();
        // As good as being taken from the processor: this thread does nothing for longer than the deadline.
        thread::sleep(SHORT * 4);
        assert!(own_time.started.elapsed() > SHORT);
        assert!(!own_time.is_over(SHORT));
    }

    #[test]
    fn a_thread_that_never_gets_a_processor_again_is_over_all_the_same() {
        let own_time = OwnTime::start();
        let deadline = Duration::from_millis(2);
        thread::sleep(deadline * (BLOCKED_DEADLINES + 1));
        assert!(own_time.slices.worked() < deadline);
        assert!(own_time.is_over(deadline));
    }

    #[test]
    fn work_is_counted_across_threads_and_waiting_is_not() {
        let own_time = OwnTime::start();
        work_until_over(&own_time);
        let waiting = own_time.waiting(std::future::ready(()));
        // The next slice is another thread's, whose clock has just begun: what was worked before still counts.
        let own_time = thread::spawn(move || {
            futures_ready(waiting);
            own_time
        })
        .join()
        .unwrap();
        let worked = own_time.slices.worked();
        assert!(worked > SHORT, "{worked:?}");
    }

    fn futures_ready(future: impl Future<Output = ()>) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(future).poll(&mut context).is_ready());
    }
}
