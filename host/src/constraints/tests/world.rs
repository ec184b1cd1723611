//! What guests are asked about: a user, a group, a directory of a few resources, and a sandbox to ask in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::guest::Guest;
use crate::change::{Action, MembersChange, PlannedChange};
use crate::constraints::directory::{DirectoryError, DirectoryView};
use crate::constraints::registry::{ConstraintSet, EnabledConstraint, EnabledParts};
use crate::constraints::sandbox::{Checked, Operation, Sandbox, SandboxConfig};
use crate::constraints::{ComponentSource, Grants, Limits, TableRow, TableView};
use crate::decision::{
    Actor, ConstraintFault, ConstraintName, DecisionId, Evaluation, FailurePolicy, Mode, TenantId, Verdict,
};
use crate::scim::filter::{Filter, eval};
use crate::scim::meta::Meta;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};

pub(super) const TENANT: TenantId = TenantId(1);

pub(super) fn schemas() -> Arc<SchemaRegistry> {
    Arc::new(SchemaRegistry::core())
}

pub(super) fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(SandboxConfig::for_own_components(limits)).unwrap()
}

/// A store with one component, whatever it is asked for; counts how often.
pub(super) struct Stored {
    bytes: Vec<u8>,
    pub(super) fetched: Arc<AtomicUsize>,
}

impl Stored {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), fetched: Arc::default() }
    }
}

#[async_trait]
impl ComponentSource for Stored {
    async fn component(&self, _digest: &str) -> Result<Vec<u8>, String> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        Ok(self.bytes.clone())
    }
}

pub(super) fn id(number: u128) -> ResourceId {
    ResourceId(Uuid::from_u128(number))
}

pub(super) fn resource(kind: &str, number: u128, attributes: Value) -> Resource {
    let Value::Object(attributes) = attributes else { panic!("an object") };
    Resource {
        resource_type: Arc::clone(schemas().resource_type(kind).unwrap()),
        id: id(number),
        attributes,
        meta: Meta { created: Timestamp::UNIX_EPOCH, last_modified: Timestamp::UNIX_EPOCH, version: 3 },
    }
}

pub(super) fn ada() -> Resource {
    resource(
        "User",
        1,
        json!({
            "userName": "ada",
            "password": "secret",
            "active": true,
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "emails": [
                { "type": "work", "value": "ada@example.com", "primary": true },
                { "type": "home", "value": "ada@home.org" },
            ],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Engines" },
        }),
    )
}

pub(super) fn creating(after: Resource) -> PlannedChange {
    PlannedChange {
        action: Action::Create,
        resource_type: Arc::clone(&after.resource_type),
        id: after.id,
        before: None,
        after: Some(after),
        members: MembersChange::default(),
        secrets: Vec::new(),
        differences: Vec::new().into(),
    }
}

pub(super) fn updating(before: Resource, after: Resource) -> PlannedChange {
    PlannedChange { action: Action::Update, before: Some(before), ..creating(after) }
}

pub(super) fn operation(planned: PlannedChange) -> Arc<Operation> {
    Arc::new(Operation {
        decision: DecisionId(Uuid::from_u128(9)),
        actor: Actor { subject: "token-1".into(), label: "Entra".into(), scopes: vec!["scim".into()] },
        at: Timestamp::from_second(1_700_000_000).unwrap(),
        planned: Arc::new(planned),
    })
}

/// The tenant's other resources: as many as a test needs, in the order of their ids.
#[derive(Default)]
pub(super) struct Residents {
    pub(super) resources: Vec<Arc<Resource>>,
    pub(super) memberships: Vec<(ResourceId, Member)>,
    /// The revision of the tenant's tables, which are `departments` with the key `D-7`; 0: there are none.
    pub(super) tables: u32,
    /// How long `count` takes.
    pub(super) delay: Duration,
}

#[async_trait]
impl DirectoryView for Residents {
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError> {
        Ok(self.resources.iter().find(|found| found.resource_type == *resource_type && found.id == id).cloned())
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        let of_type = self.resources.iter().filter(|found| found.resource_type == *resource_type);
        Ok(of_type.filter(|found| eval::matches(filter, found)).take(limit).cloned().collect())
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError> {
        tokio::time::sleep(self.delay).await;
        Ok(self.find(resource_type, filter, usize::MAX).await?.len() as u64)
    }

    async fn is_member(&self, group: ResourceId, member: ResourceId, _: bool) -> Result<bool, DirectoryError> {
        Ok(self.memberships.iter().any(|(of, found)| *of == group && found.id == member))
    }

    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, DirectoryError> {
        let members = self.memberships.iter().filter(|(of, _)| *of == group).map(|(_, member)| member.clone());
        Ok(members.filter(|member| after.is_none_or(|after| member.id > after)).take(limit).collect())
    }

    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError> {
        let all = self.members(group, None, usize::MAX).await?;
        Ok(all.into_iter().filter(|member| ids.contains(&member.id)).collect())
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError> {
        Ok(self.memberships.iter().filter(|(_, member)| member.id == id).map(|(group, _)| *group).collect())
    }
}

#[async_trait]
impl TableView for Residents {
    async fn row(&self, table: &str, key: &str) -> Result<Option<TableRow>, DirectoryError> {
        let row = (key == "D-7").then(|| r#"{"name":"Engines"}"#.to_owned());
        Ok((self.tables > 0 && table == "departments").then_some(TableRow { revision: self.tables, row }))
    }
}

/// A constraint made of an uploaded component; `grants` as a tenant would give them.
pub(super) fn enabled(checked: &Checked, grants: Option<Value>, settings: &str, limits: &Limits) -> EnabledConstraint {
    let grants = Grants::parse(grants.as_ref(), &checked.descriptor, &schemas()).map_err(|error| error.to_string());
    EnabledConstraint::new(
        EnabledParts {
            name: ConstraintName("rule".into()),
            plugin: checked.descriptor.name.clone(),
            version: 1,
            digest: checked.digest.clone(),
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            settings: settings.to_owned(),
            descriptor: Ok(checked.descriptor.clone()),
            grants,
            schemas: schemas(),
        },
        limits,
    )
}

/// Uploads the guest and asks it once.
pub(super) async fn ask(guest: Guest, planned: PlannedChange) -> Evaluation {
    ask_with(guest, planned, None, Limits::default(), Residents::default()).await
}

pub(super) async fn ask_with(
    guest: Guest,
    planned: PlannedChange,
    grants: Option<Value>,
    limits: Limits,
    residents: Residents,
) -> Evaluation {
    let sandbox = sandbox(limits);
    let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
    let constraint = Arc::new(enabled(&checked, grants, "{}", sandbox.limits()));
    let set = ConstraintSet { generation: 1, constraints: vec![constraint], ..ConstraintSet::default() };
    let mut answers = sandbox
        .evaluate(&sandbox.admit_write(TENANT).unwrap(), &set, operation(planned), Arc::new(residents))
        .await
        .unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

pub(super) async fn fault_of(guest: Guest, limits: Limits) -> ConstraintFault {
    let evaluation = ask_with(guest, creating(ada()), None, limits, Residents::default()).await;
    evaluation.answer.expect_err("the guest should have broken")
}

pub(super) fn assert_allowed(evaluation: &Evaluation) {
    assert_eq!(evaluation.answer, Ok(Verdict::Allow), "{:?}", evaluation.reads);
}
