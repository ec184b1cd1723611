//! The runner: every scenario on every target, in turns, round after round.

use std::time::Duration;

use anyhow::ensure;

use crate::load::burst::{Spent, burst};
use crate::load::scenario::{self, NotSupported, Scenario, Step};
use crate::load::statistics::{maximum, median, percentile};
use crate::load::target::Target;
use crate::load::usage::{self, Usage};

/// Clients that delete what a round has left.
const CLEANERS: usize = 16;

/// What one scenario came to in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Round {
    pub(super) requests: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) per_second: f64,
    /// Of all answers' bodies.
    pub(super) bytes: usize,
    /// What the server used, if its process is known.
    pub(super) server: Option<Used>,
}

/// What a server used in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Used {
    pub(super) cpu_ms: f64,
    /// Resident memory at the end, and how much that is above the beginning.
    pub(super) resident_mib: f64,
    pub(super) growth_mib: f64,
    /// The most in between, above the beginning.
    pub(super) peak_growth_mib: f64,
}

impl Used {
    fn between(before: Usage, after: Usage) -> Self {
        Self {
            cpu_ms: after.cpu_ms - before.cpu_ms,
            resident_mib: after.resident_mib,
            growth_mib: after.resident_mib - before.resident_mib,
            peak_growth_mib: after.peak_mib - before.resident_mib,
        }
    }
}

/// What one scenario came to on one target.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) scenario: Scenario,
    /// Place of the target.
    pub(super) target: usize,
    pub(super) rounds: Vec<Round>,
    /// Why there are no figures.
    pub(super) refusal: Option<String>,
}

impl Row {
    fn new(scenario: Scenario, target: usize) -> Self {
        Self { scenario, target, rounds: Vec::new(), refusal: None }
    }

    /// The median over the rounds.
    pub(super) fn median(&self, of: impl Fn(&Round) -> f64) -> Option<f64> {
        median(&self.rounds.iter().map(of).collect::<Vec<_>>())
    }

    /// The server's processor time for one request, over all rounds: a single one may be too short for the clock.
    pub(super) fn cpu_ms(&self) -> Option<f64> {
        let used: Option<f64> = self.rounds.iter().map(|round| round.server.map(|used| used.cpu_ms)).sum();
        let requests: usize = self.rounds.iter().map(|round| round.requests).sum();
        used.filter(|_| requests > 0).map(|used| used / requests as f64)
    }

    /// The most over the rounds.
    pub(super) fn most(&self, of: impl Fn(&Used) -> f64) -> Option<f64> {
        let used: Vec<f64> = self.rounds.iter().filter_map(|round| round.server.as_ref().map(&of)).collect();
        maximum(&used)
    }
}

/// Measures the scenarios. The first round warms up, and finds what a target does not support.
pub(super) async fn run(
    scenarios: &[Scenario],
    targets: &[Target],
    rounds: usize,
    time_max: Duration,
    run: &str,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<Row>> {
    let of_every_target = |scenario: &Scenario| (0..targets.len()).map(|target| Row::new(*scenario, target)).collect();
    let mut rows: Vec<Row> = scenarios.iter().flat_map::<Vec<Row>, _>(of_every_target).collect();
    for round in 0..=rounds {
        progress(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
        for place in in_turns(rows.len(), targets.len(), round) {
            let row = &mut rows[place];
            if row.refusal.is_some() {
                continue;
            }
            match once(&row.scenario, &targets[row.target], time_max, run).await? {
                Err(NotSupported(why)) => row.refusal = Some(why),
                Ok(measured) if round > 0 => row.rounds.push(measured),
                Ok(_warm_up) => {}
            }
        }
        for target in targets {
            clean(target).await?;
        }
    }
    Ok(rows)
}

/// The places of rows, scenario by scenario, each round with another target first: what one leaves to be done, such as pages to be
/// written, is at the expense of the next.
fn in_turns(rows: usize, targets: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..rows).map(move |place| {
        let (scenario, turn) = (place / targets, place % targets);
        scenario * targets + (turn + round) % targets
    })
}

async fn once(
    scenario: &Scenario,
    target: &Target,
    time_max: Duration,
    run: &str,
) -> anyhow::Result<Result<Round, NotSupported>> {
    let requests = match scenario.requests(target, run).await? {
        Ok(requests) => requests,
        Err(unknown) => return Ok(Err(unknown)),
    };
    if let Some(pid) = target.pid {
        usage::forget_peak(pid);
    }
    let before = target.usage()?;
    let spent = burst(&target.endpoint, requests, scenario.clients, Some(time_max)).await?;
    let after = target.usage()?;
    if scenario.step == Step::Create {
        keep_spares(target, &spent)?;
    }
    if let Some(refused) = spent.refusal() {
        let lacks = NotSupported::by(refused)?;
        // A server either has something or has it not; what it does now and then refuse is broken.
        let refusals = spent.answers.iter().filter(|(_, answer)| !answer.is_success()).count();
        ensure!(refusals == spent.answers.len(), "{}: {refusals} requests were refused: {}", scenario.name, lacks.0);
        return Ok(Err(lacks));
    }
    let milliseconds = spent.milliseconds();
    let of = |percent| percentile(&milliseconds, percent).unwrap_or(f64::NAN);
    Ok(Ok(Round {
        requests: spent.answers.len(),
        p50_ms: of(50.0),
        p99_ms: of(99.0),
        per_second: spent.answers.len() as f64 / spent.elapsed.as_secs_f64(),
        bytes: spent.answers.iter().map(|(_, answer)| answer.bytes).sum(),
        server: before.zip(after).map(|(before, after)| Used::between(before, after)),
    }))
}

fn keep_spares(target: &Target, spent: &Spent) -> anyhow::Result<()> {
    let made = spent.answers.iter().filter(|(_, answer)| answer.is_success());
    let ids = made.map(|(_, answer)| answer.id()).collect::<anyhow::Result<Vec<_>>>()?;
    target.give_spares(ids);
    Ok(())
}

/// Deletes the users that a round has made and not deleted, so that each round finds as many as the one before.
pub(super) async fn clean(target: &Target) -> anyhow::Result<()> {
    let left = target.take_spares(usize::MAX);
    let requests = left.iter().map(|id| (target.next(), scenario::delete(id))).collect();
    let spent = burst(&target.endpoint, requests, CLEANERS, None).await?;
    match spent.refusal() {
        // A server without DELETE keeps them.
        Some(refused) => NotSupported::by(refused).map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::args::Args;

    fn row(rounds: Vec<Round>) -> Row {
        let args: Args = clap::Parser::try_parse_from(["load"]).unwrap();
        let scenario = scenario::wanted(&args)[0];
        Row { rounds, ..Row::new(scenario, 0) }
    }

    fn round(requests: usize, p50_ms: f64, cpu_ms: f64, growth_mib: f64) -> Round {
        let server = Some(Used { cpu_ms, growth_mib, ..Used::default() });
        Round { requests, p50_ms, server, ..Round::default() }
    }

    #[test]
    fn processor_time_is_shared_by_all_requests_and_not_by_rounds() {
        let row = row(vec![round(100, 1.0, 10.0, 0.0), round(300, 9.0, 50.0, 4.0), round(100, 2.0, 40.0, 1.0)]);
        assert_eq!(row.cpu_ms(), Some(0.2));
        assert_eq!(row.median(|round| round.p50_ms), Some(2.0));
        assert_eq!(row.most(|used| used.growth_mib), Some(4.0));
    }

    #[test]
    fn every_target_comes_first_once_and_each_row_is_measured_in_each_round() {
        let rounds = [0, 1, 2].map(|round| in_turns(6, 3, round).collect::<Vec<_>>());
        assert_eq!(rounds, [[0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 3], [2, 0, 1, 5, 3, 4]]);
    }

    #[test]
    fn a_server_that_is_not_watched_has_no_processor_time() {
        let blind = Round { requests: 10, ..Round::default() };
        assert_eq!(row(vec![blind]).cpu_ms(), None);
        assert_eq!(row(vec![]).cpu_ms(), None);
    }
}
