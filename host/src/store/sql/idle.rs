//! [`Idle`]: what is open, not in use, and kept for the next.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections that nobody uses, the one that was used last on top: so that of many that were needed once, the others grow
/// old.
pub(super) struct Idle<T>(Mutex<Vec<(Instant, T)>>);

impl<T> Default for Idle<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Idle<T> {
    /// The one that was used last.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().map(|(_, one)| one)
    }

    /// Keeps it for the next.
    pub(super) fn put(&self, one: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), one));
    }

    /// Closes what nobody has used for so long.
    pub(super) fn close_unused(&self, unused: Duration) {
        let old: Vec<_> = {
            let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let young = idle.iter().position(|(since, _)| since.elapsed() < unused).unwrap_or(idle.len());
            idle.drain(..young).collect()
        };
        // After the lock: to close something may take its time.
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_used_last_is_taken_first_and_those_that_nobody_uses_are_closed() {
        let idle = Idle::default();
        for one in 1..=3 {
            idle.put(one);
        }
        idle.close_unused(Duration::from_secs(60));
        assert_eq!(idle.take(), Some(3));
        std::thread::sleep(Duration::from_millis(30));
        idle.put(3);
        idle.close_unused(Duration::from_millis(20));
        assert_eq!((idle.take(), idle.take()), (Some(3), None));
    }
}
