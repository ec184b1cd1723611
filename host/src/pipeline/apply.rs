//! Constraints as code: what a tenant's constraints, tables and waivers are to be, what has to change for that, and the change.
//!
//! A plan is made first, and everything is checked for it as if each constraint was set by itself. It is carried out in
//! one step of the store, if the tenant is still as it was when the plan was made: what a person has seen is what is done.

mod signing;
mod waivers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;
use tracing::info;

use crate::constraints::Overloaded;
use crate::decision::{ConstraintName, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::activation::{ActivationError, CONSTRAINTS_MAX, ConstraintRequest, Which, Wrong};
use crate::store::{
    ActivationState, ChangeSet, ChangeSetError, StoreError, StoredWaiver, TableChangeError, TableState, TenantModel,
};

use waivers::Given;
pub use waivers::{WaiverStep, WantedWaiver, at as waiver_at};

/// How often the present state is read anew because it changed while it was read. Administrators are few.
const TRIES_MAX: u32 = 5;

/// What a tenant's constraints, tables and waivers are to be.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Every constraint; `None`: they stay as they are.
    pub constraints: Option<BTreeMap<String, ConstraintRequest>>,
    /// Every table, with the digest of its contents, which were sent ahead; `None`: they stay as they are.
    pub tables: Option<BTreeMap<String, String>>,
    /// Every waiver; `None`: they stay as they are.
    pub waivers: Option<Vec<WantedWaiver>>,
    /// Whether what is not named stays, too. Else it is removed.
    pub keep_others: bool,
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It is not there yet.
    Create,
    /// It is there and becomes another.
    Update,
    /// It is there, and is not wanted.
    Remove,
    /// It is as it should be.
    Unchanged,
    /// It is not named, and stays.
    Kept,
}

/// What becomes of a constraint or a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<S> {
    /// Its name.
    pub name: String,
    /// What is done.
    pub kind: StepKind,
    /// What it is.
    pub before: Option<S>,
    /// What it is to be.
    pub after: Option<S>,
}

/// What has to change for a tenant to be as it should.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The generation that it was made for.
    pub generation: i64,
    /// A step for each constraint, by name.
    pub constraints: Vec<Step<ActivationState>>,
    /// A step for each table, by name.
    pub tables: Vec<Step<TableState>>,
    /// A step for each waiver.
    pub waivers: Vec<WaiverStep>,
}

/// Something wrong with what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedProblem {
    /// JSON pointer (RFC 6901): `/constraints/write-once/settings/attributes`.
    pub pointer: String,
    /// What.
    pub message: String,
}

/// There is no plan, or it was not carried out. Nothing has changed.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// What is wanted cannot be.
    #[error("what is wanted cannot be put in force")]
    Invalid(Vec<WantedProblem>),
    /// The tenant is not as it was when the plan was made.
    #[error("the tenant has changed since the plan was made: nothing was done; make another plan")]
    Moved,
    /// A table cannot be as it should.
    #[error(transparent)]
    Table(TableChangeError),
    /// The tenant has too many components asked at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ChangeSetError> for ApplyError {
    fn from(error: ChangeSetError) -> Self {
        match error {
            // That one has been taken back meanwhile has raised the generation, too.
            ChangeSetError::GenerationMoved | ChangeSetError::UnknownWaiver(_) => Self::Moved,
            ChangeSetError::Table(TableChangeError::Store(error)) | ChangeSetError::Store(error) => Self::Store(error),
            ChangeSetError::Table(error) => Self::Table(error),
            ChangeSetError::Unsigned { name, unsigned } => Self::Invalid(vec![signing::problem(&name.0, &unsigned)]),
        }
    }
}

impl<S> Step<S> {
    /// Whether anything is to be done.
    pub fn changes(&self) -> bool {
        !matches!(self.kind, StepKind::Unchanged | StepKind::Kept)
    }
}

impl Plan {
    /// How many steps change something.
    pub fn changes(&self) -> usize {
        let constraints = self.constraints.iter().map(Step::changes);
        let tables = self.tables.iter().map(Step::changes);
        let waivers = self.waivers.iter().map(WaiverStep::changes);
        constraints.chain(tables).chain(waivers).filter(|changes| *changes).count()
    }
}

/// What there is, all of one generation.
struct Present {
    model: Arc<TenantModel>,
    constraints: BTreeMap<String, ActivationState>,
    tables: BTreeMap<String, TableState>,
    waivers: Vec<StoredWaiver>,
}

impl Pipeline {
    /// What has to change for a tenant to be as it should, if it can be; else everything that is in the way.
    pub async fn plan(&self, tenant: TenantId, wanted: Wanted) -> Result<Plan, ApplyError> {
        let now = self.clock.now();
        let Present { model, constraints, tables, waivers } = self.present(tenant, now).await?;
        let keep = wanted.keep_others;
        let mut problems = Vec::new();
        problems.extend(too_many("constraints", &constraints, wanted.constraints.as_ref(), keep, CONSTRAINTS_MAX));
        problems.extend(too_many("tables", &tables, wanted.tables.as_ref(), keep, self.tables.tables_max));
        if !problems.is_empty() {
            return Err(ApplyError::Invalid(problems));
        }
        let keep_constraints = keep || wanted.constraints.is_none();
        let kept = constraints.keys().filter(|_| keep_constraints);
        let afterwards = kept.chain(wanted.constraints.iter().flat_map(BTreeMap::keys)).cloned().collect();
        let (wanted_constraints, wrong) = self.checked(tenant, &model, wanted.constraints.unwrap_or_default()).await?;
        problems.extend(wrong);
        let keep_tables = keep || wanted.tables.is_none();
        let (wanted_tables, wrong) = self.sent(tenant, wanted.tables.unwrap_or_default()).await?;
        problems.extend(wrong);
        let given = Given {
            tenant,
            schemas: &model.schemas,
            constraints: &afterwards,
            keep_others: keep || wanted.waivers.is_none(),
            now,
        };
        let (waivers, wrong) = self.waiver_steps(&given, waivers, wanted.waivers.unwrap_or_default()).await?;
        problems.extend(wrong);
        let constraints = steps(constraints, wanted_constraints, keep_constraints, ActivationState::eq);
        problems.extend(signing::problems(&constraints, &self.signing_state(tenant).await?));
        if !problems.is_empty() {
            return Err(ApplyError::Invalid(problems));
        }
        let same_table = |before: &TableState, after: &TableState| before.digest == after.digest;
        Ok(Plan {
            generation: model.generation,
            constraints,
            tables: steps(tables, wanted_tables, keep_tables, same_table),
            waivers,
        })
    }

    /// The states that constraints are to have, and what is wrong with those that cannot have theirs.
    async fn checked(
        &self,
        tenant: TenantId,
        model: &TenantModel,
        wanted: BTreeMap<String, ConstraintRequest>,
    ) -> Result<(BTreeMap<String, ActivationState>, Vec<WantedProblem>), ApplyError> {
        let (mut states, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, request) in wanted {
            let version_by = match request.version {
                Which::Newest | Which::Numbered(_) => "version",
                Which::Tagged(_) => "tag",
                Which::Digest(_) => "digest",
            };
            match self.state_of(tenant, &model.schemas, request).await {
                Ok(state) => drop(states.insert(name, state)),
                Err(Wrong { first: ActivationError::Overloaded(overloaded), .. }) => return Err(overloaded.into()),
                Err(Wrong { first: ActivationError::Store(error), .. }) => return Err(error.into()),
                Err(Wrong { first, second }) => {
                    let wrong = [Some(first), second].into_iter().flatten();
                    problems.extend(wrong.flat_map(|error| located(&name, version_by, error)));
                }
            }
        }
        Ok((states, problems))
    }

    /// The contents that tables are to have, and those that nobody has sent.
    async fn sent(
        &self,
        tenant: TenantId,
        wanted: BTreeMap<String, String>,
    ) -> Result<(BTreeMap<String, TableState>, Vec<WantedProblem>), ApplyError> {
        let (mut states, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, digest) in wanted {
            match self.store.tenant(tenant).table_contents(&name, &digest).await? {
                Some(state) => drop(states.insert(name, state)),
                None => problems.push(WantedProblem {
                    pointer: pointer(&["tables", &name, "digest"]),
                    message: TableChangeError::UnknownContents { name, digest }.to_string(),
                }),
            }
        }
        Ok((states, problems))
    }

    /// Does what a plan says, all of it or nothing, and returns the generation that begins with it. A plan without changes
    /// begins none.
    pub async fn apply(&self, tenant: TenantId, plan: &Plan, by: &str) -> Result<i64, ApplyError> {
        let constraints = plan.constraints.iter().filter(|step| step.changes());
        let tables = plan.tables.iter().filter(|step| step.changes());
        let digest = |state: &TableState| state.digest.clone();
        let at = self.clock.now();
        let waivers = |kind| plan.waivers.iter().filter(move |step| step.kind == kind);
        let changes = ChangeSet {
            generation: plan.generation,
            constraints: constraints.map(|step| (ConstraintName(step.name.clone()), step.after.clone())).collect(),
            tables: tables.map(|step| (step.name.clone(), step.after.as_ref().map(digest))).collect(),
            waivers: waivers(StepKind::Create).map(|step| self.new_waiver(step.words.clone(), by, at)).collect(),
            revoked: waivers(StepKind::Remove).flat_map(|step| step.ids.iter().copied()).collect(),
            by: by.to_owned(),
            at,
        };
        let generation = self.store.tenant(tenant).apply(changes, (&*self.tables).into()).await?;
        if generation != plan.generation {
            info!(
                tenant.id = tenant.0,
                generation,
                changes = plan.changes(),
                by,
                "a tenant's constraints were applied"
            );
        }
        Ok(generation)
    }

    async fn present(&self, tenant: TenantId, now: Timestamp) -> Result<Present, ApplyError> {
        let store = self.store.tenant(tenant);
        for _ in 0..TRIES_MAX {
            let (model, activations, waivers) = store.in_force(now).await?;
            let tables = store.tables().await?;
            // Every change of these raises the generation: if it is the same before and after, all are of one moment.
            if store.model().await?.generation == model.generation {
                let constraints = activations.into_iter().filter_map(|one| Some((one.name.0, one.state?))).collect();
                let tables = tables.into_iter().filter_map(|one| Some((one.name, one.state?))).collect();
                return Ok(Present { model, constraints, tables, waivers });
            }
        }
        Err(ApplyError::Moved)
    }
}

/// A step for everything that there is or is to be, by name.
fn steps<S: Clone>(
    mut present: BTreeMap<String, S>,
    wanted: BTreeMap<String, S>,
    keep_others: bool,
    same: impl Fn(&S, &S) -> bool,
) -> Vec<Step<S>> {
    let mut steps: Vec<Step<S>> = Vec::with_capacity(present.len().saturating_add(wanted.len()));
    for (name, after) in wanted {
        let before = present.remove(&name);
        let kind = match &before {
            None => StepKind::Create,
            Some(before) if same(before, &after) => StepKind::Unchanged,
            Some(_) => StepKind::Update,
        };
        steps.push(Step { name, kind, before, after: Some(after) });
    }
    steps.extend(present.into_iter().map(|(name, before)| match keep_others {
        true => Step { name, kind: StepKind::Kept, after: Some(before.clone()), before: Some(before) },
        false => Step { name, kind: StepKind::Remove, before: Some(before), after: None },
    }));
    steps.sort_by(|one, other| one.name.cmp(&other.name));
    steps
}

/// Before anything else is looked at, since each costs a look at its component.
fn too_many<P, W>(
    what: &str,
    present: &BTreeMap<String, P>,
    wanted: Option<&BTreeMap<String, W>>,
    keep_others: bool,
    max: usize,
) -> Option<WantedProblem> {
    let wanted: BTreeSet<&String> = wanted?.keys().collect();
    let kept = present.keys().filter(|name| keep_others && !wanted.contains(name)).count();
    let total = wanted.len().saturating_add(kept);
    let message = format!("there would be {total} {what}, more than the limit of {max}");
    (total > max).then(|| WantedProblem { pointer: pointer(&[what]), message })
}

/// What is wrong with a constraint, and where in what was sent.
fn located(name: &str, version_by: &'static str, error: ActivationError) -> Vec<WantedProblem> {
    let member = match &error {
        ActivationError::Settings(_) => Some("settings"),
        ActivationError::Grants(_) => Some("grants"),
        ActivationError::UnknownVersion { .. }
        | ActivationError::UnknownTag { .. }
        | ActivationError::UnknownDigest { .. } => Some(version_by),
        _ => None,
    };
    let place = pointer(&["constraints", name]) + &member.map(|member| pointer(&[member])).unwrap_or_default();
    match error {
        ActivationError::Settings(problems) => problems
            .into_iter()
            .map(|problem| WantedProblem { pointer: format!("{place}{}", problem.pointer), message: problem.message })
            .collect(),
        error => vec![WantedProblem { pointer: place, message: error.to_string() }],
    }
}

/// A JSON pointer (RFC 6901) of these members.
pub fn pointer(members: &[&str]) -> String {
    members.iter().map(|member| format!("/{}", member.replace('~', "~0").replace('/', "~1"))).collect()
}
