//! Time and ids: the two things that make a run unlike the last one. Passed in, so that tests can fix them and
//! decisions can be replayed; this is the only place that reads the system's clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

/// Where the time comes from, and ids that sort by it.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Counts within a millisecond, so that ids made in a row also sort in a row.
    sequence: Arc<Mutex<ContextV7>>,
}

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        Self::from_fn(Timestamp::now)
    }

    /// Any other.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), sequence: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// The time, in whole microseconds: what the store keeps is what was said.
    pub fn now(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// A new id (UUID version 7, RFC 9562 §5.7) of that time.
    pub fn new_id(&self, at: Timestamp) -> Uuid {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
        let sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*sequence, seconds, nanoseconds))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_in_the_same_microsecond_sort_in_the_order_they_were_made() {
        let clock = Clock::from_fn(|| Timestamp::UNIX_EPOCH);
        let ids: Vec<Uuid> = (0..1_000).map(|_| clock.new_id(clock.now())).collect();
        assert!(ids.is_sorted());
    }
}
