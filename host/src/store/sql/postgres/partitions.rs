//! The decision log in partitions by time: what the catalog says of them, and how they are made and dropped.
//!
//! There are as many as it takes to have a place for every decision: the first has all that is older, the last all that is newer,
//! and there is no gap between. So no INSERT fails for want of a partition, whatever a node's clock says.
//!
//! A table that is not partitioned becomes the only partition of one that is, without a look at its rows: its bounds hold for every
//! id. Where the last partition is to end, so that others can come after it, PostgreSQL wants to know that nothing in it is beyond that
//! end, and would look at each row while nobody can write. So that is promised before, by a constraint: it is validated while others
//! write, and then believed. Until the partitions are changed, nothing beyond the constraint could be written; so it is
//! for a time that is days ahead, and is dropped when that comes near ([`PartitionCare::tidy`]), whoever has left it.

mod care;
mod catalog;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use uuid::Uuid;

pub(in crate::store::sql) use self::care::Care;
pub(in crate::store::sql) use self::catalog::partitions;
use crate::store::DecisionPartition;
#[cfg(doc)]
use crate::store::PartitionCare;
use crate::store::sql::decisions::first_id_of;

/// Whole partitions that lie ahead: so many widths of time in which no node need be there.
const AHEAD: i64 = 3;

/// How far ahead the end of a large last partition is: until then it is to be validated and believed.
const END_AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far ahead the end of a small one is: until it is looked at, and not only by this node's clock.
const SMALL_END_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// How long before the end that a constraint promises it is dropped, if it was not of use until then.
const PROMISE_ENDS_BEFORE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Bytes of a table that is looked at while nobody can write, which takes some 10 ms.
const SMALL_BYTES: i64 = 16 << 20;

/// The time in an id.
fn time_of(id: Uuid) -> Timestamp {
    let milliseconds = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

/// The first midnight (UTC) that is not before a time.
fn midnight(time: Timestamp) -> Timestamp {
    let day = time.to_zoned(TimeZone::UTC);
    let midnight = day.start_of_day().unwrap_or_else(|_| day.clone());
    let midnight = if midnight < day { midnight.saturating_add(1.day()) } else { midnight };
    midnight.timestamp()
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

fn days_after(time: Timestamp, days: i64) -> Timestamp {
    after(time, SignedDuration::from_hours(days.saturating_mul(24)))
}

/// Until when the partitions lie, if there are to be enough ahead.
fn horizon(now: Timestamp, days: u32) -> Timestamp {
    days_after(now, i64::from(days).saturating_mul(AHEAD))
}

/// The bounds of the partitions that are to come after an end: the last of them has none.
fn bounds_after(end: Timestamp, now: Timestamp, days: u32) -> Vec<(Timestamp, Option<Timestamp>)> {
    let mut bounds = Vec::new();
    let mut from = end;
    while from < horizon(now, days) {
        let to = days_after(from, i64::from(days));
        bounds.push((from, Some(to)));
        from = to;
    }
    bounds.push((from, None));
    bounds
}

/// Where a last partition ends, so that others can come after it: not before `least`, and not before what is in it.
fn end_of(last: &DecisionPartition, least: Timestamp, newest: Option<Timestamp>, days: u32) -> Timestamp {
    let beyond = newest.map_or(least, |newest| least.max(after(newest, SignedDuration::from_hours(1))));
    let in_step = last.from.map(|from| days_after(from, i64::from(days))).filter(|end| *end >= beyond);
    in_step.unwrap_or_else(|| midnight(beyond))
}

/// The name of a partition, by where it begins.
fn name(from: Option<Timestamp>) -> String {
    from.map_or_else(
        || "decision_first".to_owned(),
        |from| format!("decision_from_{}", from.to_zoned(TimeZone::UTC).strftime("%Y%m%d")),
    )
}

/// Bounds as PostgreSQL writes them.
fn range(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let bound =
        |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| format!("'{}'", first_id_of(at)));
    format!("FOR VALUES FROM ({}) TO ({})", bound(from, "MINVALUE"), bound(to, "MAXVALUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn last(from: Option<&str>) -> DecisionPartition {
        DecisionPartition { name: "last".to_owned(), from: from.map(at), to: None, is_blank: false }
    }

    #[test]
    fn an_id_is_in_the_partition_of_its_time() {
        let midnight = at("2026-12-04T00:00:00Z");
        let id = |time: Timestamp| crate::store::conformance::id_at(time);
        assert!(id(at("2026-12-03T23:59:59.999Z")) < first_id_of(midnight));
        assert!(id(midnight) >= first_id_of(midnight));
        assert_eq!(time_of(first_id_of(midnight)), midnight);
        assert_eq!(name(Some(midnight)), "decision_from_20261204");
        assert_eq!(
            range(None, Some(midnight)),
            "FOR VALUES FROM (MINVALUE) TO ('01a23e59-c400-0000-0000-000000000000')"
        );
    }

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!(midnight(at("2026-12-04T00:00:00Z")), at("2026-12-04T00:00:00Z"));
        assert_eq!(midnight(at("2026-12-04T00:00:00.001Z")), at("2026-12-05T00:00:00Z"));
        assert_eq!(midnight(at("2026-12-31T12:00:00Z")), at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn a_last_partition_ends_in_step_unless_that_is_too_early_or_before_what_is_in_it() {
        let check = |from: Option<&str>, newest: Option<&str>, expected: &str| {
            let end = end_of(&last(from), at("2026-12-04T12:00:00Z"), newest.map(at), 7);
            assert_eq!(end, at(expected), "{from:?} {newest:?}");
        };
        check(None, None, "2026-12-05T00:00:00Z");
        check(Some("2026-12-02T00:00:00Z"), None, "2026-12-09T00:00:00Z");
        check(Some("2026-11-20T00:00:00Z"), None, "2026-12-05T00:00:00Z");
        check(Some("2026-12-02T00:00:00Z"), Some("2026-12-20T23:30:00Z"), "2026-12-22T00:00:00Z");
    }

    #[test]
    fn partitions_follow_each_other_beyond_three_that_are_ahead() {
        let bounds = bounds_after(at("2026-12-05T00:00:00Z"), at("2026-12-04T12:00:00Z"), 2);
        let ends = ["2026-12-07", "2026-12-09", "2026-12-11"].map(|day| Some(at(&format!("{day}T00:00:00Z"))));
        assert_eq!(bounds.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [&ends[..], &[None]].concat());
        assert!(bounds.windows(2).all(|pair| pair[0].1 == Some(pair[1].0)));
    }
}
