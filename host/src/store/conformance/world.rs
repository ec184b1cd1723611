//! A tenant to try things on, and short ways to the values that a commit needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Action, MembersChange, PlannedChange, Removed};
use crate::decision::decide::DecisionContext;
use crate::decision::{
    Actor, AdmittedChange, ConstraintName, DecisionId, DecisionRecord, Evaluation, FailurePolicy, LookUp, LookUpAnswer,
    Mode, Read, ReadSet, Reason, Refusal, Verdict, decide,
};
use crate::scim::filter::Filter;
use crate::scim::meta::Meta;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::store::{CommitError, Snapshot, Store, TenantStore};

/// A millisecond later each time.
pub(crate) fn tick() -> Timestamp {
    static TICKS: AtomicI64 = AtomicI64::new(1_767_225_600_000);
    Timestamp::from_millisecond(TICKS.fetch_add(1, Ordering::Relaxed)).unwrap()
}

/// An id that carries the time, as the ids of decisions do.
pub(crate) fn id_at(at: Timestamp) -> Uuid {
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap();
    let seconds = u64::try_from(at.as_second()).unwrap();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

pub(crate) fn user_type() -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type("User").unwrap().clone()
}

pub(crate) fn group_type() -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type("Group").unwrap().clone()
}

pub(crate) fn resource(resource_type: Arc<ResourceType>, attributes: Value) -> Resource {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    let now = tick();
    Resource { resource_type, id: ResourceId(id_at(now)), attributes, meta: Meta::first(now) }
}

pub(crate) fn user(user_name: &str) -> Resource {
    resource(user_type(), json!({ "userName": user_name, "active": true }))
}

pub(crate) fn group(display_name: &str) -> Resource {
    resource(group_type(), json!({ "displayName": display_name }))
}

pub(crate) fn changed(before: &Resource, attributes: Value) -> Resource {
    let mut after = before.clone();
    after.attributes.extend(attributes.as_object().unwrap().clone());
    after.meta = before.meta.next(tick());
    after
}

pub(crate) fn member(resource: &Resource) -> Member {
    Member { id: resource.id, resource_type: resource.resource_type.name.clone() }
}

pub(crate) fn planned(before: Option<&Resource>, after: Option<&Resource>, members: MembersChange) -> PlannedChange {
    let action = match (before, after) {
        (None, _) => Action::Create,
        (Some(_), Some(_)) => Action::Update,
        (Some(_), None) => Action::Delete,
    };
    let any = after.or(before).unwrap();
    PlannedChange {
        action,
        resource_type: any.resource_type.clone(),
        id: any.id,
        before: before.cloned(),
        after: after.cloned(),
        members,
        secrets: Vec::new(),
        differences: Vec::new().into(),
    }
}

pub(crate) fn evaluation(constraint: &str, mode: Mode, verdict: Verdict, reads: Vec<Read>) -> Evaluation {
    Evaluation {
        constraint: ConstraintName(constraint.to_owned()),
        plugin: "plugin".to_owned(),
        version: 1,
        digest: "00".repeat(32),
        mode,
        on_fault: FailurePolicy::Deny,
        answer: Ok(verdict),
        reads: ReadSet { reads },
        waived: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        fuel_used: 1,
        memory_bytes: 65_536,
        duration_us: 9,
    }
}

pub(crate) fn resting_on(look_up: LookUp, answer: LookUpAnswer) -> Evaluation {
    evaluation("guard", Mode::Enforce, Verdict::Allow, vec![Read::LookUp { look_up, answer }])
}

pub(crate) fn context(generation: i64) -> DecisionContext {
    let at = tick();
    DecisionContext {
        id: DecisionId(id_at(at)),
        at,
        request_id: "request".to_owned(),
        txn: None,
        generation,
        actor: Actor { subject: "token".to_owned(), label: "Entra".to_owned(), scopes: vec!["scim".to_owned()] },
    }
}

pub(crate) fn refusal_of(resource: &Resource, evaluations: Vec<Evaluation>) -> DecisionRecord {
    let Err(refusal) = decide(context(0), planned(None, Some(resource), MembersChange::default()), evaluations, &[])
    else {
        panic!("the change was admitted")
    };
    let Refusal { record, .. } = *refusal;
    Arc::unwrap_or_clone(record)
}

pub(crate) fn denial(constraint: &str) -> Evaluation {
    let reason = Reason { code: "no".to_owned(), message: "No.".to_owned(), paths: Vec::new(), scim_type: None };
    evaluation(constraint, Mode::Enforce, Verdict::Deny(vec![reason]), Vec::new())
}

/// One tenant.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tenant: Arc<dyn TenantStore>,
}

impl World {
    pub(crate) async fn new(store: &dyn Store, name: &str) -> Self {
        let tenant = store.create_tenant(name, tick()).await.unwrap().unwrap();
        Self { tenant: store.tenant(tenant.id) }
    }

    pub(crate) async fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.tenant.snapshot().await.unwrap()
    }

    pub(crate) async fn generation(&self) -> i64 {
        self.snapshot().await.model().await.unwrap().generation
    }

    /// Commits in the current generation what is judged by `evaluations`.
    pub(crate) async fn commit(
        &self,
        before: Option<&Resource>,
        after: Option<&Resource>,
        members: MembersChange,
        evaluations: Vec<Evaluation>,
    ) -> Result<(), CommitError> {
        let generation = self.generation().await;
        self.tenant.commit(admitted(generation, before, after, members, evaluations)).await
    }

    pub(crate) async fn create(&self, resource: &Resource) -> Result<(), CommitError> {
        self.commit(None, Some(resource), MembersChange::default(), Vec::new()).await
    }

    pub(crate) async fn update(&self, before: &Resource, after: &Resource) -> Result<(), CommitError> {
        self.commit(Some(before), Some(after), MembersChange::default(), Vec::new()).await
    }

    pub(crate) async fn delete(&self, before: &Resource) -> Result<(), CommitError> {
        self.commit(Some(before), None, MembersChange::default(), Vec::new()).await
    }

    /// A user that is there.
    pub(crate) async fn user(&self, user_name: &str) -> Resource {
        let user = user(user_name);
        self.create(&user).await.unwrap();
        user
    }

    /// A group that is there, with members.
    pub(crate) async fn group(&self, display_name: &str, members: &[&Resource]) -> Resource {
        let group = group(display_name);
        let change =
            MembersChange { added: members.iter().map(|one| member(one)).collect(), removed: Removed::default() };
        self.commit(None, Some(&group), change, Vec::new()).await.unwrap();
        group
    }

    /// Adds members to a group that is there; the group in its new version.
    pub(crate) async fn add(&self, group: &Resource, members: &[&Resource]) -> Result<Resource, CommitError> {
        let after = changed(group, json!({}));
        let change =
            MembersChange { added: members.iter().map(|one| member(one)).collect(), removed: Removed::default() };
        self.commit(Some(group), Some(&after), change, Vec::new()).await?;
        Ok(after)
    }

    pub(crate) async fn get(&self, resource: &Resource) -> Option<Resource> {
        self.snapshot().await.resource(&resource.resource_type, resource.id).await.unwrap()
    }

    pub(crate) async fn count(&self, resource_type: &Arc<ResourceType>, filter: &str) -> u64 {
        let filter = Filter::parse(filter, resource_type).unwrap();
        self.snapshot().await.count(resource_type, Some(&filter)).await.unwrap()
    }

    pub(crate) async fn is_member(&self, group: &Resource, member: &Resource, transitive: bool) -> bool {
        let (group_id, member_id) = (group.id.to_string(), member.id.to_string());
        self.answer(&LookUp::IsMember { group_id, member_id, transitive }).await == LookUpAnswer::Member(true)
    }

    pub(crate) async fn answer(&self, look_up: &LookUp) -> LookUpAnswer {
        self.snapshot().await.look_up(look_up).await.unwrap().answer()
    }
}

pub(crate) fn admitted(
    generation: i64,
    before: Option<&Resource>,
    after: Option<&Resource>,
    members: MembersChange,
    evaluations: Vec<Evaluation>,
) -> Arc<AdmittedChange> {
    Arc::new(decide(context(generation), planned(before, after, members), evaluations, &[]).expect("admitted"))
}
