//! How many requests a second a token may send (RFC 6585 §4).
//!
//! One that runs wild must not take the server from the others. It counts requests and not work: what one request may
//! cost has limits of its own.
//!
//! Of each token one number is kept: until when its share is used up. A request moves that by its own part of a second,
//! and is one too many if that would be more than a second ahead. (The telephone exchanges' "generic cell rate".)

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moka::sync::Cache;
use uuid::Uuid;

/// A second's worth of requests may come at once; in microseconds, which are what the clock tells.
const WINDOW: i64 = 1_000_000;

/// Tokens that are remembered, by about 150 bytes each, so about 15 MB. With more of them at work within seconds the
/// least used are forgotten, which gives them a new share.
const TOKENS_MAX: u64 = 100_000;

/// After how long a token that sends nothing is forgotten. A second is all that there is to remember.
const IDLE: Duration = Duration::from_secs(10);

/// What each token has used of its share.
pub struct Rates {
    /// What a request moves the time by, in microseconds; 0 if there is no limit.
    interval: i64,
    used_until: Cache<Uuid, Arc<AtomicI64>>,
}

impl Rates {
    /// So many requests a second, and as many at once; 0 sets no limit, and so does what a microsecond has no room for.
    pub fn per_second(requests: u32) -> Self {
        let interval = WINDOW.checked_div(i64::from(requests)).unwrap_or(0);
        Self { interval, used_until: Cache::builder().max_capacity(TOKENS_MAX).time_to_idle(IDLE).build() }
    }

    /// Counts a request. If it is one too many: after how many seconds there is room again.
    pub fn check(&self, token: Uuid, now: Timestamp) -> Result<(), u32> {
        if self.interval == 0 {
            return Ok(());
        }
        let now = now.as_microsecond();
        let last = now.saturating_add(WINDOW);
        let used_until = self.used_until.get_with(token, || Arc::new(AtomicI64::new(now)));
        // More than a second ahead it is only when the clock was set back: nobody waits for that.
        let known = |used_until: i64| if used_until > last { now } else { used_until.max(now) };
        let next = |used_until: i64| known(used_until).saturating_add(self.interval);
        let counted = used_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used_until| {
            Some(next(used_until)).filter(|at| *at <= last)
        });
        counted.map(drop).map_err(|used_until| {
            let wait = u64::try_from(next(used_until).saturating_sub(last)).unwrap_or(0);
            // RFC 9110 §10.2.3 has whole seconds.
            u32::try_from(wait.div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WILD: Uuid = Uuid::from_u128(1);
    const QUIET: Uuid = Uuid::from_u128(2);

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn a_token_that_sends_too_much_waits_and_others_do_not() {
        let rates = Rates::per_second(2);
        let send = |token, milliseconds| rates.check(token, at(milliseconds));
        assert_eq!([send(WILD, 0), send(WILD, 0), send(WILD, 0)], [Ok(()), Ok(()), Err(1)]);
        assert_eq!(send(QUIET, 0), Ok(()));
        assert_eq!([send(WILD, 499), send(WILD, 500), send(WILD, 500)], [Err(1), Ok(()), Err(1)]);
        assert_eq!([send(WILD, 60_000), send(WILD, 60_000), send(WILD, 60_000)], [Ok(()), Ok(()), Err(1)]);
    }

    #[test]
    fn so_many_a_second_are_let_through_and_no_more() {
        let rates = Rates::per_second(1_000);
        let passed = (0..100_000).filter(|n| rates.check(WILD, at(n / 10)).is_ok()).count();
        // Ten thousand milliseconds, and the thousand that an idle token has in store.
        assert_eq!(passed, 10_999);
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let rates = Rates::per_second(0);
        assert!((0..10_000).all(|_| rates.check(WILD, at(0)).is_ok()));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting_for_it() {
        let rates = Rates::per_second(1);
        let send = |milliseconds| rates.check(WILD, at(milliseconds));
        assert_eq!([send(3_600_000), send(3_600_000)], [Ok(()), Err(1)]);
        assert_eq!([send(0), send(0), send(1_000)], [Ok(()), Err(1), Ok(())]);
    }
}
