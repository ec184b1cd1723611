//! What the benchmarks share: a user of 2 KB, the constraint that reads five of its attributes, and both put together
//! as the server would.

use std::sync::Arc;

use jiff::Timestamp;
use scruple::change::{PlannedChange, plan};
use scruple::constraints::compile::ConstraintPre;
use scruple::constraints::registry::EnabledParts;
use scruple::constraints::sandbox::Operation;
use scruple::constraints::{ConstraintSet, DirectoryView, EnabledConstraint, Grants, Limits, Sandbox, SandboxConfig};
use scruple::decision::{Actor, ConstraintName, DecisionId, Evaluation, FailurePolicy, Mode, TenantId, Verdict};
use scruple::pipeline::directory::SnapshotDirectory;
use scruple::scim::reading::Reading;
use scruple::scim::resource::ResourceId;
use scruple::scim::schema::SchemaRegistry;
use scruple::store::{SqliteOptions, SqliteStore, Store};
use serde_json::{Value, json};

use crate::components::FIVE_READS;

/// A user with about 2 KB of JSON, as an identity provider with a full profile sends it.
pub fn full_user(user_name: &str) -> Value {
    let address = |kind: &str, street: &str| {
        json!({
            "type": kind, "streetAddress": street, "locality": "London", "region": "Greater London",
            "postalCode": "SW1Y 4JU", "country": "GB", "formatted": format!("{street}\nLondon SW1Y 4JU\nUnited Kingdom"),
        })
    };
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "userName": user_name,
        "externalId": format!("00u1a2b3c4d5e6f7g8h9-{user_name}"),
        "name": {
            "formatted": "Ms. Augusta Ada King-Noel, Countess of Lovelace", "familyName": "Lovelace", "givenName": "Ada",
            "middleName": "Augusta", "honorificPrefix": "Ms.", "honorificSuffix": "Countess",
        },
        "displayName": "Ada Lovelace", "nickName": "Ada", "title": "Principal Engineer, Analytical Engines",
        "profileUrl": "https://people.example.com/ada", "userType": "Employee", "preferredLanguage": "en-GB",
        "locale": "en-GB", "timezone": "Europe/London", "active": true,
        "emails": [
            { "value": format!("{user_name}@home.example"), "type": "home" },
            { "value": format!("{user_name}@example.com"), "type": "work", "primary": true },
        ],
        "phoneNumbers": [
            { "value": "tel:+44-20-7946-0011", "type": "work", "primary": true },
            { "value": "tel:+44-20-7946-0022", "type": "mobile" },
        ],
        "addresses": [address("work", "12 St James's Square"), address("home", "6 Cumberland Place"), address("other", "1 Savoy Hill")],
        "photos": [{ "value": "https://people.example.com/ada/photo", "type": "photo", "primary": true }],
        "ims": [{ "value": "ada@chat.example.com", "type": "xmpp", "display": "Ada (work)" }],
        "roles": [{ "value": "engineer", "display": "Engineer", "type": "job" }, { "value": "reviewer", "type": "job" }],
        "entitlements": [{ "value": "vpn" }, { "value": "source-code" }, { "value": "build-farm" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "701984", "costCenter": "4130", "organization": "Example Engines",
            "division": "Research", "department": "Analytical Engines",
        },
    })
}

/// The creation of [`full_user`] and the constraint that judges it, ready to run.
pub struct Subject {
    sandbox: Sandbox,
    constraints: ConstraintSet,
    pre: Arc<ConstraintPre>,
    operation: Arc<Operation>,
    directory: Arc<dyn DirectoryView>,
    // What the directory reads; gone with the subject.
    _data: tempfile::TempDir,
}

impl Subject {
    /// The guest that reads five attributes, with everything granted.
    pub async fn five_reads() -> anyhow::Result<Self> {
        let schemas = Arc::new(SchemaRegistry::core());
        let config = SandboxConfig::for_own_components(Limits::default());
        let sandbox = Sandbox::new(config)?;
        let checked = sandbox.upload(TenantId(1), std::fs::read(FIVE_READS)?, &schemas).await?;
        let grants = Grants::parse(None, &checked.descriptor, &schemas).map_err(|error| error.to_string());
        let pre = checked.pre;
        let parts = EnabledParts {
            name: ConstraintName("five-reads".to_owned()),
            plugin: "five-reads".to_owned(),
            version: 1,
            digest: checked.digest,
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            settings: "{}".to_owned(),
            descriptor: Ok(checked.descriptor),
            grants,
            schemas: Arc::clone(&schemas),
        };
        let enabled = Arc::new(EnabledConstraint::new(parts, sandbox.limits()));

        let data = tempfile::tempdir()?;
        let store = SqliteStore::open(data.path(), SqliteOptions::default())?;
        let tenant = store.create_tenant("bench", Timestamp::UNIX_EPOCH).await?;
        let tenant = tenant.ok_or_else(|| anyhow::anyhow!("the tenant of a fresh store is taken"))?;
        let snapshot = store.tenant(tenant.id).snapshot().await?;
        let operation = Operation {
            decision: DecisionId(uuid::Uuid::nil()),
            actor: Actor { subject: "bench".to_owned(), label: "bench".to_owned(), scopes: vec!["scim".to_owned()] },
            at: Timestamp::UNIX_EPOCH,
            planned: Arc::new(planned(&schemas)?),
        };
        Ok(Self {
            sandbox,
            constraints: ConstraintSet { generation: 0, constraints: vec![enabled] },
            pre,
            operation: Arc::new(operation),
            directory: Arc::new(SnapshotDirectory::new(snapshot)),
            _data: data,
        })
    }

    /// The evaluation by itself, on the caller's thread: what the guest and the host functions cost.
    pub async fn evaluate_alone(&self) -> Option<Evaluation> {
        let constraint = self.constraints.constraints.first()?;
        let (runner, pre) = (self.sandbox.runner(), Ok(Arc::clone(&self.pre)));
        Some(runner.evaluate(TenantId(1), constraint, pre, &self.operation, &self.directory).await)
    }

    /// The evaluation as part of a write: admitted, on the guests' runtime.
    pub async fn evaluate_as_the_server_does(&self) -> Option<Evaluation> {
        let operation = Arc::clone(&self.operation);
        let directory = Arc::clone(&self.directory);
        let place = self.sandbox.admit_write(TenantId(1)).ok()?;
        let asked = self.sandbox.evaluate(&place, &self.constraints, operation, directory).await;
        asked.ok()?.pop()
    }

    /// Fails unless the constraint allows the change after five recorded reads: a benchmark of a fault is of no use.
    pub async fn check(&self) -> anyhow::Result<()> {
        let evaluation = self.evaluate_alone().await.ok_or_else(|| anyhow::anyhow!("nothing was evaluated"))?;
        anyhow::ensure!(evaluation.answer == Ok(Verdict::Allow), "the answer is {:?}", evaluation.answer);
        anyhow::ensure!(evaluation.reads.reads.len() == 5, "{} reads were recorded", evaluation.reads.reads.len());
        Ok(())
    }
}

fn planned(schemas: &SchemaRegistry) -> anyhow::Result<PlannedChange> {
    let user = schemas.resource_type("User").ok_or_else(|| anyhow::anyhow!("no resource type `User`"))?;
    let body = full_user("ada");
    let body = body.as_object().ok_or_else(|| anyhow::anyhow!("a user is an object"))?;
    let draft = plan::plan_create(Reading::strict(user), ResourceId(uuid::Uuid::nil()), body, Timestamp::UNIX_EPOCH)?;
    draft.settle(scruple::change::MembersChange::default()).ok_or_else(|| anyhow::anyhow!("a create changes something"))
}
