//! What guests are asked about: a user who is changed, the same user deleted, and a directory of two resources.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use jiff::Timestamp;
use scruple::change::{MembersChange, plan};
use scruple::constraints::descriptor::DescribedAction;
use scruple::constraints::directory::DirectoryError;
use scruple::constraints::registry::EnabledParts;
use scruple::constraints::{
    Asked, Descriptor, DirectoryView, EnabledConstraint, Grants, Limits, Operation, TableRow, TableView,
};
use scruple::decision::{Actor, ConstraintName, DecisionId, Evaluation, FailurePolicy, Mode, Verdict};
use scruple::scim::filter::{Filter, eval};
use scruple::scim::meta::Meta;
use scruple::scim::reading::Reading;
use scruple::scim::resource::{Member, Resource, ResourceId};
use scruple::scim::schema::{ResourceType, SchemaRegistry};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The tenant's schemas.
pub static SCHEMAS: LazyLock<Arc<SchemaRegistry>> = LazyLock::new(|| Arc::new(SchemaRegistry::core()));

/// A text that a guest finds in its memory, where [`smith`](crate::smith) has its `cabi_realloc` put it: a filter, and its
/// first word a path. (As JSON it would begin with a quote. Whoever runs a constraint has checked its settings before.)
const SETTINGS: &str = r#"userName eq "ada""#;

/// One constraint, with everything granted.
pub type Constraint = EnabledConstraint;

fn resource(kind: &str, number: u128, attributes: Value) -> Resource {
    let Value::Object(attributes) = attributes else { unreachable!("attributes are an object") };
    Resource {
        resource_type: Arc::clone(SCHEMAS.resource_type(kind).expect("a core resource type")),
        id: ResourceId(Uuid::from_u128(number)),
        attributes,
        meta: Meta::first(Timestamp::UNIX_EPOCH),
    }
}

fn ada() -> Resource {
    resource(
        "User",
        1,
        json!({
            "userName": "ada",
            "active": true,
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "emails": [{ "type": "work", "value": "ada@example.com", "primary": true }, { "value": "ada@home.org" }],
        }),
    )
}

/// An update and a deletion.
pub static OPERATIONS: LazyLock<[Arc<Operation>; 2]> = LazyLock::new(|| {
    let reading = Reading::strict(SCHEMAS.resource_type("User").expect("a core resource type"));
    let body: Value = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada.lovelace", "active": false, "emails": [{ "type": "work", "value": "ada@example.com" }],
    });
    let body: &Map<String, Value> = body.as_object().expect("an object");
    let update = plan::plan_replace(reading, ada(), body, Timestamp::UNIX_EPOCH).expect("a valid user");
    [update, plan::plan_delete(ada())].map(|draft| {
        Arc::new(Operation {
            decision: DecisionId(Uuid::from_u128(9)),
            actor: Actor { subject: "token-1".into(), label: "Entra".into(), scopes: vec!["scim".into()] },
            at: Timestamp::UNIX_EPOCH,
            planned: Arc::new(draft.settle(MembersChange::default()).expect("it changes something")),
        })
    })
});

/// Of a component that asks for everything there is.
pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "made-up".into(),
        version: "1.0.0".into(),
        summary: String::new(),
        settings_schema: json!({}),
        resource_types: Vec::new(),
        actions: vec![DescribedAction::Create, DescribedAction::Update, DescribedAction::Delete],
        reads: Vec::new(),
        writes: vec!["*".into()],
        capabilities: vec!["directory:User".into(), "directory:Group".into(), "tables:departments".into()],
        labels: Vec::new(),
    }
}

/// A constraint that is granted what its descriptor asks for.
pub fn constraint(descriptor: Descriptor, limits: &Limits) -> Constraint {
    let parts = EnabledParts {
        name: ConstraintName("rule".into()),
        plugin: descriptor.name.clone(),
        version: 1,
        digest: String::new(),
        mode: Mode::Enforce,
        on_fault: FailurePolicy::Deny,
        settings: SETTINGS.into(),
        grants: Ok(Grants::asked_for(&descriptor, &SCHEMAS)),
        descriptor: Ok(descriptor),
        schemas: Arc::clone(&SCHEMAS),
    };
    EnabledConstraint::new(parts, limits)
}

/// The answer with what it rests on, without whom it is of.
pub fn asked(evaluation: Evaluation) -> Asked<Verdict> {
    let Evaluation { answer, reads, warnings, notes, fuel_used, memory_bytes, duration_us, .. } = evaluation;
    Asked { answer, reads, warnings, notes, fuel_used, memory_bytes, duration_us }
}

/// The user and a group that has it as a member.
pub fn directory() -> Arc<dyn DirectoryView> {
    static RESIDENTS: LazyLock<Arc<Residents>> = LazyLock::new(|| {
        Arc::new(Residents([ada(), resource("Group", 2, json!({ "displayName": "Staff" }))].map(Arc::new)))
    });
    Arc::clone(&*RESIDENTS) as Arc<dyn DirectoryView>
}

struct Residents([Arc<Resource>; 2]);

impl Residents {
    fn is_group(&self, id: ResourceId) -> bool {
        self.0[1].id == id
    }

    fn user(&self) -> Member {
        Member { id: self.0[0].id, resource_type: "User".into() }
    }
}

#[async_trait]
impl DirectoryView for Residents {
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError> {
        Ok(self.0.iter().find(|found| found.resource_type == *resource_type && found.id == id).cloned())
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        let found = self.0.iter().filter(|found| found.resource_type == *resource_type && eval::matches(filter, found));
        Ok(found.take(limit).cloned().collect())
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError> {
        Ok(self.find(resource_type, filter, usize::MAX).await?.len() as u64)
    }

    async fn is_member(&self, group: ResourceId, member: ResourceId, _: bool) -> Result<bool, DirectoryError> {
        Ok(self.is_group(group) && self.user().id == member)
    }

    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, DirectoryError> {
        let members = self.is_group(group).then(|| self.user()).into_iter();
        Ok(members.filter(|member| after.is_none_or(|after| member.id > after)).take(limit).collect())
    }

    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError> {
        let all = self.members(group, None, usize::MAX).await?;
        Ok(all.into_iter().filter(|member| ids.contains(&member.id)).collect())
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError> {
        Ok((self.user().id == id).then(|| self.0[1].id).into_iter().collect())
    }
}

#[async_trait]
impl TableView for Residents {
    async fn row(&self, table: &str, key: &str) -> Result<Option<TableRow>, DirectoryError> {
        let row = (key == "userName").then(|| r#"{"name":"Engines"}"#.to_owned());
        Ok((table == "departments").then_some(TableRow { revision: 1, row }))
    }
}
