//! A tenant with ids and times that never change, and constraints asked about its changes without a server: what is judged
//! here is the same in every run, so that answers can be compared, and recorded.
//!
//! It is all the product's own: a store in SQLite, requests planned as the pipeline plans them, look-ups answered by a
//! snapshot. Only where ids and times come from is different.

use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use scruple::change::members::Resolving;
use scruple::change::rewrite::{Editing, rewritten};
use scruple::change::{Draft, MembersChange, PlannedChange, plan};
use scruple::constraints::compile::ConstraintPre;
use scruple::constraints::recording::recorded_operation;
use scruple::constraints::registry::EnabledParts;
use scruple::constraints::sandbox::{Checked, Operation};
use scruple::constraints::{Asked, ConstraintSet, DirectoryView, EnabledConstraint, Grants, Recording, Sandbox};
use scruple::decision::decide::DecisionContext;
use scruple::decision::{
    Actor, ConstraintFault, ConstraintName, DecisionId, Evaluation, FailurePolicy, Mode, RecordedDecision, Rewrite,
    TenantId, Verdict, decide,
};
use scruple::pipeline::directory::MomentDirectory;
use scruple::scim::limits::ScimLimits;
use scruple::scim::patch::PatchOperation;
use scruple::scim::reading::Reading;
use scruple::scim::resource::{Resource, ResourceId};
use scruple::scim::schema::{ResourceType, SchemaRegistry};
use scruple::store::{Snapshot, SqlStore, Store, StoreOptions, TenantStore};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Members of a group that a request may name here.
const MEMBERS_MAX: usize = 100;

/// What is asked for, of a resource whose id is known beforehand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedRequest {
    /// POST, PUT or DELETE.
    pub method: String,
    /// `User` or `Group`.
    pub resource_type: String,
    /// Of a POST, the id that the resource gets.
    pub id: Uuid,
    /// The resource as a client sends it; empty for DELETE.
    #[serde(default)]
    pub body: Map<String, Value>,
}

impl FixedRequest {
    /// A request on the resource of that number.
    pub fn new(method: &str, resource_type: &str, number: u128, body: &Value) -> Self {
        let body = body.as_object().cloned().unwrap_or_default();
        let id = Uuid::from_u128(number);
        Self { method: method.to_owned(), resource_type: resource_type.to_owned(), id, body }
    }
}

/// The tenant.
pub struct FixedTenant {
    tenant: Arc<dyn TenantStore>,
    schemas: Arc<SchemaRegistry>,
    // What the store reads; gone with the tenant.
    _data: tempfile::TempDir,
}

impl FixedTenant {
    /// The tenant after these requests, none of which is judged by anybody.
    pub async fn after(requests: &[FixedRequest]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = SqlStore::sqlite(data.path(), StoreOptions::default())?;
        let tenant =
            store.create_tenant("fixed", Timestamp::UNIX_EPOCH).await?.context("a fresh store has a tenant")?;
        let fixed = Self { tenant: store.tenant(tenant.id), schemas: Arc::new(SchemaRegistry::core()), _data: data };
        for request in requests {
            fixed.carry_out(request).await.with_context(|| format!("{request:?}"))?;
        }
        Ok(fixed)
    }

    /// The resource types that there are.
    pub fn schemas(&self) -> &Arc<SchemaRegistry> {
        &self.schemas
    }

    /// What other resources a constraint may look up.
    pub async fn directory(&self) -> anyhow::Result<Arc<dyn DirectoryView>> {
        Ok(Arc::new(MomentDirectory::from(self.tenant.snapshot().await?)))
    }

    /// The request as something to be judged.
    pub async fn operation(&self, request: &FixedRequest) -> anyhow::Result<Arc<Operation>> {
        let planned = Arc::new(self.plan(request).await?);
        Ok(Arc::new(Operation { decision: DecisionId(Uuid::from_u128(9)), actor: actor(), at: time(), planned }))
    }

    async fn plan(&self, request: &FixedRequest) -> anyhow::Result<PlannedChange> {
        let snapshot = self.tenant.snapshot().await?;
        let resource_type = self.schemas.resource_type(&request.resource_type).context("no such resource type")?;
        let reading = Reading::strict(resource_type);
        let id = ResourceId(request.id);
        let draft = match request.method.as_str() {
            "POST" => plan::plan_create(reading, id, &request.body, time())?,
            "PUT" => plan::plan_replace(reading, before(&*snapshot, resource_type, id).await?, &request.body, time())?,
            "DELETE" => plan::plan_delete(before(&*snapshot, resource_type, id).await?),
            other => bail!("`{other}` is none of POST, PUT, DELETE"),
        };
        let members = settle_members(&*snapshot, &draft, id).await?;
        draft.settle(members).context("nothing would change")
    }

    async fn carry_out(&self, request: &FixedRequest) -> anyhow::Result<()> {
        let planned = Arc::new(self.plan(request).await?);
        let context = DecisionContext {
            id: DecisionId(Uuid::from_u128(request.id.as_u128() << 32)),
            at: time(),
            request_id: String::new(),
            txn: None,
            generation: self.tenant.model().await?.generation,
            actor: actor(),
        };
        let admitted = decide(context, planned, Vec::new(), &[]).map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        Ok(self.tenant.commit(Arc::new(admitted)).await?)
    }
}

fn time() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn actor() -> Actor {
    Actor { subject: "fixed".to_owned(), label: "fixed".to_owned(), scopes: vec!["scim".to_owned()] }
}

async fn before(
    snapshot: &dyn Snapshot,
    resource_type: &Arc<ResourceType>,
    id: ResourceId,
) -> anyhow::Result<Resource> {
    snapshot.resource(resource_type, id).await?.with_context(|| format!("there is no {} {id}", resource_type.name))
}

async fn settle_members(snapshot: &dyn Snapshot, draft: &Draft, group: ResourceId) -> anyhow::Result<MembersChange> {
    if draft.after.is_none() || draft.member_edits.is_empty() {
        return Ok(MembersChange::default());
    }
    let mut resolving = Resolving::new(group, &draft.member_edits, MEMBERS_MAX);
    if draft.before.is_some() {
        resolving.look_at(&snapshot.members(group, None, MEMBERS_MAX).await?)?;
    }
    let strangers = snapshot.identify(&resolving.strangers()).await?;
    Ok(resolving.finish(strangers.into_iter().map(|member| (member.id, member.resource_type)).collect())?)
}

/// One constraint in force, in a sandbox of its own.
pub struct InForce {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The constraint alone.
    pub constraints: ConstraintSet,
    pre: Arc<ConstraintPre>,
}

impl InForce {
    /// Puts a component to work that a sandbox has taken, with all that it asks for granted.
    pub fn new(sandbox: Sandbox, checked: Checked, settings: &Value, schemas: &Arc<SchemaRegistry>) -> Self {
        let pre = Arc::clone(&checked.pre);
        let constraints = constraints(&sandbox, checked, settings, None, schemas);
        Self { sandbox, constraints, pre }
    }

    /// The same component with other grants.
    #[must_use]
    pub fn granted(self, checked: Checked, settings: &Value, grants: &Value, schemas: &Arc<SchemaRegistry>) -> Self {
        let constraints = constraints(&self.sandbox, checked, settings, Some(grants), schemas);
        Self { constraints, ..self }
    }

    /// Whether it judges; else it only rewrites.
    pub fn checks(&self) -> bool {
        self.pre.checks()
    }

    /// By itself, in this thread; how long it took is left out. One that only rewrites is asked for that.
    pub async fn judge_alone(&self, operation: &Arc<Operation>, directory: &Arc<dyn DirectoryView>) -> Evaluation {
        let (constraint, runner) = (&self.constraints.constraints[0], self.sandbox.runner());
        let pre = Ok(Arc::clone(&self.pre));
        let evaluation = if self.pre.checks() {
            runner.evaluate(TenantId(1), constraint, pre, operation, directory).await
        } else {
            rewriting(constraint, operation, runner.rewrite(TenantId(1), constraint, pre, operation, directory).await)
        };
        Evaluation { duration_us: 0, ..evaluation }
    }

    /// Once more, by nothing but what it read; `None` if that lacks something. Of one that only rewrites there is no such thing.
    pub async fn judge_again(&self, operation: &Operation, read: &Evaluation) -> Option<Evaluation> {
        let decision = RecordedDecision {
            id: operation.decision,
            at: operation.at,
            generation: 1,
            actor: operation.actor.clone(),
            action: operation.planned.action,
            resource_type: operation.planned.resource_type.name.clone(),
            resource_id: operation.planned.id,
            evaluations: Vec::new(),
        };
        let stand_in = Arc::new(recorded_operation(&decision, &operation.planned.resource_type));
        let (constraint, recording) = (&self.constraints.constraints[0], Arc::new(Recording::of(&read.reads)));
        let pre = Arc::clone(&self.pre);
        let said = self.sandbox.runner().replay(TenantId(1), constraint, pre, &stand_in, &recording).await;
        recording.missing().is_none().then_some(Evaluation { duration_us: 0, ..said })
    }

    /// As a write has it judged: admitted, and on the guests' threads from the first tick on. How long it took is left out.
    pub async fn judge_as_a_write(
        &self,
        tenant: TenantId,
        operation: &Arc<Operation>,
        directory: &Arc<dyn DirectoryView>,
    ) -> Evaluation {
        let constraint = &self.constraints.constraints[0];
        let place = self.sandbox.admit_write(tenant).expect("it is admitted");
        let hearing = self.sandbox.hearing(&place, &self.constraints, &operation.planned).await;
        let evaluation = if self.pre.checks() {
            let asked = hearing.evaluate(&self.constraints, Arc::clone(operation), Arc::clone(directory)).await;
            asked.expect("it is judged").pop().expect("it judges such changes")
        } else {
            let asked = hearing.rewrite(constraint, Arc::clone(operation), Arc::clone(directory)).await;
            rewriting(constraint, operation, asked.expect("it is rewritten"))
        };
        Evaluation { duration_us: 0, ..evaluation }
    }
}

/// What comes of a rewriter's edits.
fn rewriting(constraint: &EnabledConstraint, operation: &Operation, asked: Asked<Vec<PatchOperation>>) -> Evaluation {
    constraint.evaluation(asked.and_then(|edits| {
        let made = Editing::new(&ScimLimits::DEFAULT).rewrite(&operation.planned, &edits);
        let made = made.map_err(|error| ConstraintFault::BadEdit { detail: error.to_string() })?;
        let changed = made.map_or_else(Vec::new, |made| rewritten(&operation.planned, &made));
        Ok(Verdict::Rewrite(Rewrite::of(changed, usize::MAX)))
    }))
}

fn constraints(
    sandbox: &Sandbox,
    checked: Checked,
    settings: &Value,
    grants: Option<&Value>,
    schemas: &Arc<SchemaRegistry>,
) -> ConstraintSet {
    let grants = Grants::parse(grants, &checked.descriptor, schemas).map_err(|error| error.to_string());
    let parts = EnabledParts {
        name: ConstraintName("constraint".to_owned()),
        plugin: checked.descriptor.name.clone(),
        version: 1,
        digest: checked.digest,
        mode: Mode::Enforce,
        on_fault: FailurePolicy::Deny,
        settings: settings.to_string(),
        descriptor: Ok(checked.descriptor),
        grants,
        schemas: Arc::clone(schemas),
    };
    let constraints = vec![Arc::new(EnabledConstraint::new(parts, sandbox.limits()))];
    ConstraintSet { generation: 0, constraints, ..ConstraintSet::default() }
}
