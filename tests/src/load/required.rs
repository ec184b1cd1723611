//! The figures that are required, beside those that were seen. Pure.

use crate::load::abuse::Abused;
use crate::load::life::Lived;
use crate::load::measure::Row;
use crate::load::neighbours::Neighboured;
use crate::load::scenario::{Group, Place, Step};

/// The server's milliseconds of processor for a request, at [`CPU_USERS`] users.
const CPU_MS_MAX: [(Step, f64); 3] = [(Step::Create, 0.30), (Step::Get, 0.06), (Step::Eq, 0.08)];
const CPU_USERS: usize = 10_000;

/// How many times slower a request may be with [`MANY_USERS`] than with [`FEW_USERS`].
const SIZE_RATIO_MAX: f64 = 1.5;
const FEW_USERS: usize = 1_000;
const MANY_USERS: usize = 1_000_000;

/// How many times slower one member more may be in the large group than in the small one, and a page by cursor deep
/// in the list than at its start.
const GROUP_RATIO_MAX: f64 = 2.0;
const DEPTH_RATIO_MAX: f64 = 2.0;

/// Memory that counts as flat: a group of a million members takes 16 MB as bare ids, so whoever loads them shows.
const FLAT_MIB: f64 = 8.0;

/// Steps in a group's life that take as long in a group of any size, and memory that none may need more of, however
/// large the group is: a request of 5 MB is some 60 MiB while it is read and planned.
const ANY_SIZE: [&str; 5] =
    ["add one", "remove one", "remove 100 by value", "members[value eq ..]", "read without members"];
const LIFE_MIB_MAX: f64 = 200.0;

/// Of abuse: resident memory, and how many times later the others may be answered.
const ABUSE_MIB_MAX: f64 = 512.0;
const ABUSE_RATIO_MAX: f64 = 3.0;

/// Of a tenant that attacks: how many times later the others may be answered, and how long a guest of its may run.
const NEIGHBOURS_RATIO_MAX: f64 = 3.0;
const STOPPED_MS_MAX: f64 = 50.0;

/// How many times more creates there may be a second without constraints than with so many.
const CONSTRAINED_RATIO_MAX: [(usize, f64); 3] = [(1, 1.0 / 0.95), (5, 1.0 / 0.85), (20, 1.0 / 0.6)];

/// What the figures are about: the name in the report and what the server holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) constraints: usize,
    pub(super) users: usize,
    pub(super) members: usize,
}

/// One figure that is required.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Check {
    pub(super) what: String,
    /// At the most.
    pub(super) required: f64,
    pub(super) seen: f64,
    pub(super) unit: &'static str,
}

impl Check {
    pub(super) fn holds(&self) -> bool {
        self.seen <= self.required
    }
}

/// What is required of a row itself: milliseconds of the server's processor.
pub(super) fn cpu_ms(row: &Row, subjects: &[Subject]) -> Option<f64> {
    if subjects[row.target].users != CPU_USERS {
        return None;
    }
    CPU_MS_MAX.iter().find(|(step, _)| *step == row.scenario.step).map(|(_, most)| *most)
}

/// Every required figure that this run has seen.
pub(super) fn checks(rows: &[Row], lived: &[Lived], abused: &[Abused], subjects: &[Subject]) -> Vec<Check> {
    let mut checks = Vec::new();
    for row in rows {
        if let Some((required, seen)) = cpu_ms(row, subjects).zip(row.cpu_ms()) {
            let what = format!("{}: {}, server CPU a request", subjects[row.target].name, row.scenario.name);
            checks.push(Check { what, required, seen, unit: "ms" });
        }
    }
    checks.extend(sizes(rows, subjects));
    for (target, subject) in subjects.iter().enumerate() {
        checks.extend(within(rows, target, subject));
    }
    checks.extend(constrained(rows, subjects));
    checks.extend(lives(lived, subjects));
    for abuse in abused {
        let about = |figure: &str| format!("{}: {}, {figure}", describe(&subjects[abuse.target]), abuse.name);
        let figures = [
            ("resident memory", ABUSE_MIB_MAX, abuse.peak_mib, "MiB"),
            ("p99 of the others to quiet", ABUSE_RATIO_MAX, abuse.probe.ratio(), "×"),
        ];
        for (figure, required, seen, unit) in figures {
            checks.extend(seen.map(|seen| Check { what: about(figure), required, seen, unit }));
        }
    }
    checks
}

/// Of the tenants beside one that attacks.
pub(super) fn neighbours(neighboured: &[Neighboured], subjects: &[Subject]) -> Vec<Check> {
    let mut checks = Vec::new();
    for row in neighboured {
        let about = |figure: &str| format!("{}: one tenant attacks, {figure}", describe(&subjects[row.target]));
        if let Some(seen) = row.others.ratio() {
            let what = about("p99 of the others to quiet");
            checks.push(Check { what, required: NEIGHBOURS_RATIO_MAX, seen, unit: "×" });
        }
        let what = about("p99 until a guest is stopped");
        checks.push(Check { what, required: STOPPED_MS_MAX, seen: row.stopped().p99_ms, unit: "ms" });
    }
    checks
}

/// The same request of the same server at its smallest and its largest size.
fn sizes(rows: &[Row], subjects: &[Subject]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (few, subject) in subjects.iter().enumerate().filter(|(_, subject)| subject.users == FEW_USERS) {
        let same = |other: &&(usize, &Subject)| other.1.name == subject.name && other.1.users == MANY_USERS;
        let Some((many, _)) = subjects.iter().enumerate().collect::<Vec<_>>().iter().find(same).copied() else {
            continue;
        };
        for row in rows.iter().filter(|row| row.target == few) {
            if !CPU_MS_MAX.iter().any(|(step, _)| *step == row.scenario.step) {
                continue;
            }
            let larger = rows.iter().find(|other| other.target == many && other.scenario == row.scenario);
            if let Some(seen) = larger.and_then(|larger| ratio(larger, row)) {
                let what = format!("{}: {}, {MANY_USERS} users to {FEW_USERS}", subject.name, row.scenario.name);
                checks.push(Check { what, required: SIZE_RATIO_MAX, seen, unit: "×" });
            }
        }
    }
    checks
}

/// Creates beside those of the server that has as many users and no constraint.
fn constrained(rows: &[Row], subjects: &[Subject]) -> Vec<Check> {
    let mut checks = Vec::new();
    for row in rows.iter().filter(|row| row.scenario.step == Step::Create) {
        let subject = &subjects[row.target];
        let required = CONSTRAINED_RATIO_MAX.iter().find(|(count, _)| *count == subject.constraints);
        let free = rows.iter().find(|other| {
            let beside = &subjects[other.target];
            other.scenario == row.scenario && beside.constraints == 0 && beside.users == subject.users
        });
        let rate = |row: &Row| row.median(|round| round.per_second);
        let seen = free.and_then(|free| Some(rate(free)? / rate(row)?));
        if let Some((&(count, required), seen)) = required.zip(seen) {
            let what = format!("{}: rate without constraints to that with {count}", row.scenario.name);
            checks.push(Check { what, required, seen, unit: "×" });
        }
    }
    checks
}

/// The life of a large group.
fn lives(lived: &[Lived], subjects: &[Subject]) -> Vec<Check> {
    let mut checks = Vec::new();
    for large in lived {
        let small = lived
            .iter()
            .find(|small| small.target == large.target && small.step == large.step && small.members < large.members);
        let Some(small) = small else { continue };
        let who = describe(&subjects[large.target]);
        let about = |figure: &str| format!("{who}: {}, group of {}, {figure}", large.step, large.members);
        if ANY_SIZE.contains(&large.step) {
            let seen = large.ms / small.ms;
            let what = about(&format!("to a group of {}", small.members));
            checks.push(Check { what, required: GROUP_RATIO_MAX, seen, unit: "×" });
        }
        if let Some(seen) = large.growth_mib {
            checks.push(Check { what: about("memory above idle"), required: LIFE_MIB_MAX, seen, unit: "MiB" });
        }
    }
    checks
}

/// Two requests of the same target.
fn within(rows: &[Row], target: usize, subject: &Subject) -> Vec<Check> {
    let row = |step: Step| rows.iter().find(|row| row.target == target && row.scenario.step == step);
    let pair = |step: fn(Group) -> Step| Some((row(step(Group::Large))?, row(step(Group::Small))?));
    let who = describe(subject);
    let mut checks = Vec::new();
    for (verb, step) in [("add", Step::AddMember as fn(Group) -> Step), ("remove", Step::RemoveMember)] {
        let Some((large, small)) = pair(step) else { continue };
        let about = |figure: &str| format!("{who}: {verb} one member, group of {}, {figure}", subject.members);
        if let Some(seen) = ratio(large, small) {
            checks.push(Check { what: about("to a group of 10"), required: GROUP_RATIO_MAX, seen, unit: "×" });
        }
        if let Some(seen) = large.most(|used| used.peak_growth_mib) {
            checks.push(Check { what: about("memory growth"), required: FLAT_MIB, seen, unit: "MiB" });
        }
    }
    let deep = row(Step::PageByCursor(Place::Deep)).zip(row(Step::PageByCursor(Place::Start)));
    if let Some(seen) = deep.and_then(|(deep, start)| ratio(deep, start)) {
        let what = format!("{who}: page by cursor, at nine tenths to the first");
        checks.push(Check { what, required: DEPTH_RATIO_MAX, seen, unit: "×" });
    }
    checks
}

/// A target in words.
pub(super) fn describe(subject: &Subject) -> String {
    format!("{} of {} users", subject.name, subject.users)
}

/// The median latency of one row to that of another.
pub(super) fn ratio(row: &Row, to: &Row) -> Option<f64> {
    let p50 = |row: &Row| row.median(|round| round.p50_ms);
    Some(p50(row)? / p50(to)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::{Round, Used};
    use crate::load::scenario::Scenario;

    fn subject(users: usize) -> Subject {
        Subject { name: "a".to_owned(), users, members: users, constraints: 0 }
    }

    fn row(target: usize, step: Step, p50_ms: f64, cpu_ms: f64) -> Row {
        let scenario = Scenario { name: "x", step, clients: 1, requests: 10 };
        let server = Some(Used { cpu_ms, peak_growth_mib: cpu_ms, ..Used::default() });
        let round = Round { requests: 10, p50_ms, server, ..Round::default() };
        Row { scenario, target, rounds: vec![round], refusal: None }
    }

    fn holding(checks: &[Check]) -> Vec<bool> {
        checks.iter().map(Check::holds).collect()
    }

    #[test]
    fn processor_time_is_held_against_its_figure_at_ten_thousand_users_only() {
        let rows = [row(0, Step::Create, 1.0, 3.0), row(0, Step::Get, 1.0, 0.7), row(0, Step::Patch, 1.0, 9.0)];
        assert_eq!(holding(&checks(&rows, &[], &[], &[subject(10_000)])), [true, false]);
        assert_eq!(checks(&rows, &[], &[], &[subject(1_000)]), []);
    }

    #[test]
    fn a_million_users_are_held_against_a_thousand_of_the_same_server() {
        let rows = [row(0, Step::Eq, 2.0, 0.0), row(1, Step::Eq, 2.9, 0.0)];
        let seen = checks(&rows, &[], &[], &[subject(1_000), subject(1_000_000)]);
        assert_eq!(seen.iter().map(|check| check.seen).collect::<Vec<_>>(), [1.45]);
        let other = Subject { name: "b".to_owned(), ..subject(1_000_000) };
        assert_eq!(checks(&rows, &[], &[], &[subject(1_000), other]), []);
    }

    #[test]
    fn creates_with_constraints_are_held_against_those_without() {
        let rate = |target, per_second| {
            let mut row = row(target, Step::Create, 1.0, 0.0);
            row.rounds[0].per_second = per_second;
            row
        };
        let with = |constraints| Subject { constraints, ..subject(5) };
        let subjects = [with(0), with(1), with(5), with(20)];
        let rows = [rate(0, 100.0), rate(1, 96.0), rate(2, 84.0), rate(3, 61.0)];
        assert_eq!(holding(&checks(&rows, &[], &[], &subjects)), [true, false, true]);
        assert_eq!(checks(&rows[1..2], &[], &[], &subjects), []);
    }

    #[test]
    fn a_large_group_is_held_against_the_small_one_in_time_and_memory() {
        let (small, large) = (Step::AddMember(Group::Small), Step::AddMember(Group::Large));
        let rows = [row(0, small, 1.0, 0.0), row(0, large, 2.5, 4.0)];
        assert_eq!(holding(&checks(&rows, &[], &[], &[subject(5)])), [false, true]);
    }

    #[test]
    fn a_small_change_takes_as_long_in_a_group_of_any_size_and_a_large_one_as_long_as_it_takes() {
        let lived = |step, members, ms, growth_mib| Lived {
            step,
            target: 0,
            members,
            ms,
            longest_ms: ms,
            creates_p50_ms: None,
            creates_p99_ms: None,
            creates_max_ms: None,
            peak_mib: None,
            growth_mib: Some(growth_mib),
        };
        let lives = [
            lived("add one", 10, 1.0, 1.0),
            lived("delete", 10, 1.0, 1.0),
            lived("add one", 1_000, 2.1, 3.0),
            lived("delete", 1_000, 90.0, 201.0),
        ];
        assert_eq!(holding(&checks(&[], &lives, &[], &[subject(5)])), [false, true, false]);
    }

    #[test]
    fn what_was_not_supported_is_neither_right_nor_wrong() {
        let refused = Row { rounds: Vec::new(), ..row(0, Step::PageByCursor(Place::Deep), 1.0, 0.0) };
        let rows = [row(0, Step::PageByCursor(Place::Start), 1.0, 0.0), refused];
        assert_eq!(checks(&rows, &[], &[], &[subject(5)]), []);
    }
}
