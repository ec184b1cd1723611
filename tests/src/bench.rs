//! What the benchmarks share: users, the changes of them ([`change`]), and a component put to a change as the server
//! would.

pub mod change;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use scruple::change::PlannedChange;
use scruple::constraints::compile::ConstraintPre;
use scruple::constraints::registry::EnabledParts;
use scruple::constraints::sandbox::Operation;
use scruple::constraints::{
    Compiling, ConstraintSet, DirectoryView, EnabledConstraint, Grants, Limits, Sandbox, SandboxConfig,
};
use scruple::decision::{
    Actor, ConstraintFault, ConstraintName, DecisionId, Evaluation, FailurePolicy, Mode, TenantId, Verdict,
};
use scruple::pipeline::directory::MomentDirectory;
use scruple::scim::schema::SchemaRegistry;
use scruple::store::{SqlStore, Store, StoreOptions};
use serde_json::{Value, json};

const TENANT: TenantId = TenantId(1);

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

/// As the server's, but for where components are compiled; with or without a folder for compiled ones.
pub fn sandbox_config(cache_dir: Option<PathBuf>, compiling: Compiling) -> SandboxConfig {
    SandboxConfig { cache_dir, compiling, ..SandboxConfig::for_own_components(Limits::default()) }
}

/// A sandbox set up as the server's, and a tenant without anybody else in it.
pub struct Bench {
    sandbox: Arc<Sandbox>,
    schemas: Arc<SchemaRegistry>,
    directory: Arc<dyn DirectoryView>,
    // What the directory reads; gone with it.
    _data: tempfile::TempDir,
}

impl Bench {
    /// Starts the sandbox.
    pub async fn start() -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = SqlStore::sqlite(data.path(), StoreOptions::default())?;
        let tenant = store.create_tenant("bench", Timestamp::UNIX_EPOCH).await?;
        let tenant = tenant.ok_or_else(|| anyhow::anyhow!("the tenant of a fresh store is taken"))?;
        let snapshot = store.tenant(tenant.id).snapshot().await?;
        Ok(Self {
            sandbox: Arc::new(Sandbox::new(sandbox_config(None, Compiling::InProcess))?),
            schemas: Arc::new(SchemaRegistry::core()),
            directory: Arc::new(MomentDirectory::from(snapshot)),
            _data: data,
        })
    }

    /// A component, with everything granted, put to a change.
    pub async fn subject(&self, component: Vec<u8>, planned: PlannedChange) -> anyhow::Result<Subject> {
        let checked = self.sandbox.upload(TENANT, component, &self.schemas).await?;
        let name = checked.descriptor.name.clone();
        let grants = Grants::parse(None, &checked.descriptor, &self.schemas).map_err(|error| error.to_string());
        let pre = checked.pre;
        let parts = EnabledParts {
            name: ConstraintName(name.clone()),
            plugin: name,
            version: 1,
            digest: checked.digest,
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            settings: "{}".to_owned(),
            descriptor: Ok(checked.descriptor),
            grants,
            schemas: Arc::clone(&self.schemas),
        };
        let enabled = Arc::new(EnabledConstraint::new(parts, self.sandbox.limits()));
        Ok(Subject::new(&self.sandbox, &enabled, &pre, &self.directory, planned))
    }
}

/// A component and a change, ready to run.
pub struct Subject {
    sandbox: Arc<Sandbox>,
    constraint: Arc<EnabledConstraint>,
    pre: Arc<ConstraintPre>,
    constraints: ConstraintSet,
    operation: Arc<Operation>,
    directory: Arc<dyn DirectoryView>,
}

impl Subject {
    fn new(
        sandbox: &Arc<Sandbox>,
        constraint: &Arc<EnabledConstraint>,
        pre: &Arc<ConstraintPre>,
        directory: &Arc<dyn DirectoryView>,
        planned: PlannedChange,
    ) -> Self {
        Self {
            sandbox: Arc::clone(sandbox),
            constraint: Arc::clone(constraint),
            pre: Arc::clone(pre),
            constraints: ConstraintSet {
                generation: 0,
                constraints: vec![Arc::clone(constraint)],
                ..ConstraintSet::default()
            },
            operation: operation(planned),
            directory: Arc::clone(directory),
        }
    }

    /// The same component, put to another change.
    pub fn put_to(&self, planned: PlannedChange) -> Self {
        Self::new(&self.sandbox, &self.constraint, &self.pre, &self.directory, planned)
    }

    /// The evaluation by itself, on the caller's thread: what the guest and the host functions cost.
    pub async fn evaluate_alone(&self) -> Evaluation {
        self.evaluate(&self.operation).await
    }

    /// The same of another change.
    pub async fn evaluate_change(&self, planned: PlannedChange) -> Evaluation {
        self.evaluate(&operation(planned)).await
    }

    async fn evaluate(&self, operation: &Arc<Operation>) -> Evaluation {
        let pre = Ok(Arc::clone(&self.pre));
        self.sandbox.runner().evaluate(TENANT, &self.constraint, pre, operation, &self.directory).await
    }

    /// The evaluation as part of a write: admitted, on the guests' runtime.
    pub async fn evaluate_as_the_server_does(&self) -> Option<Evaluation> {
        let operation = Arc::clone(&self.operation);
        let directory = Arc::clone(&self.directory);
        let place = self.sandbox.admit_write(TENANT).ok()?;
        let asked = self.sandbox.evaluate(&place, &self.constraints, operation, directory).await;
        asked.ok()?.pop()
    }

    /// The first step of an evaluation by itself: the store.
    pub fn make_store(&self) -> Result<(), ConstraintFault> {
        self.sandbox.runner().make_store(TENANT, &self.constraint)
    }

    /// The first two steps: the store, and the instance in it.
    pub async fn make_instance(&self) -> Result<(), ConstraintFault> {
        self.sandbox.runner().make_instance(TENANT, &self.constraint, &self.pre).await
    }

    /// Fails unless the constraint answers so after so many recorded reads: a benchmark of a fault is of no use.
    pub async fn check(&self, answer: Verdict, reads: usize) -> anyhow::Result<()> {
        let evaluation = self.evaluate_alone().await;
        anyhow::ensure!(evaluation.answer == Ok(answer), "the answer is {:?}", evaluation.answer);
        anyhow::ensure!(evaluation.reads.reads.len() == reads, "{} reads were recorded", evaluation.reads.reads.len());
        Ok(())
    }
}

fn operation(planned: PlannedChange) -> Arc<Operation> {
    Arc::new(Operation {
        decision: DecisionId(uuid::Uuid::nil()),
        actor: Actor { subject: "bench".to_owned(), label: "bench".to_owned(), scopes: vec!["scim".to_owned()] },
        at: Timestamp::UNIX_EPOCH,
        planned: Arc::new(planned),
    })
}
