//! Waivers of a plan. They have no names: one is another when it says something else, so that there is nothing to update.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ApplyError, StepKind, WantedProblem, pointer};
use crate::decision::{TenantId, WaiverId};
use crate::pipeline::Pipeline;
use crate::pipeline::waivers::{WAIVERS_MAX, WaiverProblem, WaiverRequest, unknown_constraint, whole, words_of};
use crate::scim::schema::SchemaRegistry;
use crate::store::{StoredWaiver, WaiverWords};

/// Waivers in one file at the most, those that have ended by now included. Ten times as many as there may be in force: a file
/// that nobody has tidied up for years.
const NAMED_MAX: usize = 1_000;

/// A waiver that is wanted.
#[derive(Clone, Debug)]
pub struct WantedWaiver {
    /// Its place in what was sent, from 0.
    pub place: usize,
    /// What it is to say.
    pub request: WaiverRequest,
}

/// What becomes of a waiver.
#[derive(Clone, Debug, PartialEq)]
pub struct WaiverStep {
    /// What is done: [`StepKind::Update`] is not.
    pub kind: StepKind,
    /// What it says.
    pub words: WaiverWords,
    /// Those that say so: one, unless somebody has made the same twice; none of what is to be made.
    pub ids: Vec<WaiverId>,
    /// Whether its time has passed. Then it is there as long as it is in the file, and does nothing.
    pub ended: bool,
}

impl WaiverStep {
    /// Whether anything is to be done.
    pub fn changes(&self) -> bool {
        !matches!(self.kind, StepKind::Unchanged | StepKind::Kept)
    }
}

/// What waivers are planned by.
pub(super) struct Given<'a> {
    pub(super) tenant: TenantId,
    pub(super) schemas: &'a SchemaRegistry,
    /// The constraints that are there afterwards.
    pub(super) constraints: &'a BTreeSet<String>,
    /// Whether waivers that are not named stay.
    pub(super) keep_others: bool,
    pub(super) now: Timestamp,
}

impl Pipeline {
    /// A step for each waiver that is wanted or in force, and what is wrong with those that cannot be. What is wanted comes
    /// first, in the order in which it was sent.
    pub(super) async fn waiver_steps(
        &self,
        given: &Given<'_>,
        present: Vec<StoredWaiver>,
        wanted: Vec<WantedWaiver>,
    ) -> Result<(Vec<WaiverStep>, Vec<WantedProblem>), ApplyError> {
        let mut problems: Vec<WantedProblem> = too_many_named(&wanted, given.now).into_iter().collect();
        if !problems.is_empty() {
            return Ok((Vec::new(), problems));
        }
        let others = if given.keep_others { StepKind::Kept } else { StepKind::Remove };
        let mut present = grouped(present, others);
        let mut ended = self.ended(given, &wanted).await?;
        let mut steps: Vec<WaiverStep> = Vec::with_capacity(wanted.len().saturating_add(present.len()));
        for WantedWaiver { place, request } in wanted {
            let mut wrong: Vec<WaiverProblem> =
                unknown_constraint(&request.constraint, |name| given.constraints.contains(&name.0))
                    .into_iter()
                    .collect();
            match words_of(request, given.schemas) {
                Err(more) => wrong.extend(more),
                Ok(words) if steps.iter().any(|step| step.words == words) => {
                    problems.push(WantedProblem { pointer: at(place, None), message: "is there twice".to_owned() });
                }
                Ok(words) => match taken(&mut present, &words).or_else(|| taken(&mut ended, &words)) {
                    Some(step) => steps.push(WaiverStep { kind: StepKind::Unchanged, ..step }),
                    None => {
                        wrong.extend(self.wrong_with_new(given.tenant, &words, given.now).await?);
                        steps.push(WaiverStep { kind: StepKind::Create, words, ids: Vec::new(), ended: false });
                    }
                },
            }
            let located =
                |WaiverProblem { member, message }| WantedProblem { pointer: at(place, Some(member)), message };
            problems.extend(wrong.into_iter().map(located));
        }
        steps.extend(present);
        problems.extend(too_many_in_force(&steps));
        Ok((steps, problems))
    }

    /// Waivers of the past that a file may still name. A file that was right does not become wrong because time passes, nor
    /// because one that has ended was taken back before it had.
    async fn ended(&self, given: &Given<'_>, wanted: &[WantedWaiver]) -> Result<Vec<WaiverStep>, ApplyError> {
        let ends = wanted.iter().map(|one| whole(one.request.until)).filter(|until| *until <= given.now);
        let ends: Vec<Timestamp> = ends.collect();
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.tenant(given.tenant).waivers_ending_at(&ends).await?;
        let mut ended = grouped(found, StepKind::Unchanged);
        ended.iter_mut().for_each(|step| step.ended = true);
        Ok(ended)
    }
}

/// Stored waivers, those that say the same together.
fn grouped(stored: Vec<StoredWaiver>, kind: StepKind) -> Vec<WaiverStep> {
    let mut steps: Vec<WaiverStep> = Vec::with_capacity(stored.len());
    for StoredWaiver { made, .. } in stored {
        match steps.iter_mut().find(|step| step.words == made.words) {
            Some(step) => step.ids.push(made.id),
            None => steps.push(WaiverStep { kind, words: made.words, ids: vec![made.id], ended: false }),
        }
    }
    steps
}

fn taken(from: &mut Vec<WaiverStep>, words: &WaiverWords) -> Option<WaiverStep> {
    let place = from.iter().position(|step| step.words == *words)?;
    Some(from.remove(place))
}

/// Before anything else is looked at, since each that is new costs a look at its resource.
fn too_many_named(wanted: &[WantedWaiver], now: Timestamp) -> Option<WantedProblem> {
    let lasting = wanted.iter().filter(|one| one.request.until > now).count();
    let message = match wanted.len() > NAMED_MAX {
        true => format!("there are {} waivers, more than the limit of {NAMED_MAX}", wanted.len()),
        false if lasting > WAIVERS_MAX => more_in_force(lasting),
        false => return None,
    };
    Some(WantedProblem { pointer: pointer(&["waivers"]), message })
}

fn too_many_in_force(steps: &[WaiverStep]) -> Option<WantedProblem> {
    let staying = steps.iter().filter(|step| step.kind != StepKind::Remove && !step.ended);
    let total = staying.map(|step| step.ids.len().max(1)).sum::<usize>();
    let grows = steps.iter().any(|step| step.kind == StepKind::Create);
    (grows && total > WAIVERS_MAX)
        .then(|| WantedProblem { pointer: pointer(&["waivers"]), message: more_in_force(total) })
}

fn more_in_force(total: usize) -> String {
    format!("there would be {total} waivers in force, more than the limit of {WAIVERS_MAX}")
}

/// A JSON pointer to a waiver in what was sent, or to a member of it.
pub fn at(place: usize, member: Option<&str>) -> String {
    let place = place.to_string();
    let members: Vec<&str> = ["waivers", &place].into_iter().chain(member).collect();
    pointer(&members)
}
