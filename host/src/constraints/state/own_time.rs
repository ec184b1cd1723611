//! [`OwnTime`]: how long a call of a guest has been at work, in it or in the host for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How many deadlines may pass on the wall's clock before a call ends that has used next to no processor. 50: with the
/// default deadline 5 s, longer than the kernel leaves a thread without a processor on a machine that still answers.
const BLOCKED_DEADLINES: u32 = 50;

/// How long a call may be there before its thread's clock is first read. 1 ms, a tick: to read that clock is a call of the
/// kernel, a twentieth of what an honest rule takes, and nearly all are done by then. What was worked before is not
/// counted: this much, and the call of the host that was under way.
const UNWATCHED: Duration = Duration::from_millis(1);

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
#[derive(Debug)]
struct Slices {
    waited_us: AtomicU64,
    /// What the slices before this one have used of a processor.
    worked_us: AtomicU64,
    /// The clock of this slice's thread when it was first read; [`UNREAD`] before.
    since_us: AtomicU64,
}

/// No thread has worked for so long.
const UNREAD: u64 = u64::MAX;

impl OwnTime {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        let slices =
            Slices { waited_us: AtomicU64::new(0), worked_us: AtomicU64::new(0), since_us: AtomicU64::new(UNREAD) };
        Self { started: Instant::now(), slices: Arc::new(slices) }
    }

    /// Whether more than `deadline` was worked. The wall's clock is asked first, which costs a twentieth of the other: no
    /// call has worked for longer than it has been there.
    pub(in crate::constraints) fn is_over(&self, deadline: Duration) -> bool {
        let present = self.started.elapsed().saturating_sub(micros(&self.slices.waited_us));
        if present > UNWATCHED {
            self.slices.watch();
        }
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
    /// From now on what this slice works is counted.
    fn watch(&self) {
        if self.since_us.load(Ordering::Relaxed) == UNREAD {
            self.since_us.store(thread_us(), Ordering::Relaxed);
        }
    }

    fn slice_us(&self) -> u64 {
        match self.since_us.load(Ordering::Relaxed) {
            UNREAD => 0,
            since_us => thread_us().saturating_sub(since_us),
        }
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
    fn a_call_that_is_done_within_a_tick_does_not_ask_the_kernel() {
        let asks_nothing = || {
            let own_time = OwnTime::start();
            assert!(!own_time.is_over(SHORT));
            own_time.slices.since_us.load(Ordering::Relaxed) == UNREAD
        };
        // Now and then the processor is taken away between the two, for longer than a tick.
        assert!((0..1_000).any(|_| asks_nothing()));
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
        let worked = thread::spawn(move || {
            futures_ready(waiting);
            own_time.slices.worked()
        });
        let worked = worked.join().unwrap();
        assert!(worked > SHORT, "{worked:?}");
    }

    fn futures_ready(future: impl Future<Output = ()>) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(future).poll(&mut context).is_ready());
    }
}
