//! A constraint tried without a server: a tenant of its own in a temporary folder, with the schemas, the resources and the tables that
//! it is given, and one constraint. What a request would come to is worked out by the pipeline that serves, in the same sandbox
//! with the same limits; only that nothing is committed, and that time and ids are the same in every run.
//!
//! Start at [`Trial`]; what it is given is read by [`declared`], [`population`], [`operation`] and
//! [`fixture`]. What was decided
//! on a server and captured there is judged again by what was read ([`recorded`]): for that, no tenant is needed.

pub mod declared;
pub mod fixture;
pub mod operation;
pub mod population;
mod recorded;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::constraints::sandbox::{Checked, UploadError};
use crate::constraints::settings::SettingsProblem;
use crate::constraints::{Limits, Registry, Sandbox, SandboxConfig};
use crate::decision::{
    Actor, ConstraintFault, ConstraintName, DecisionId, DecisionRecord, FailurePolicy, Mode, TenantId,
};
use crate::pipeline::Pipeline;
use crate::pipeline::activation::{ActivationError, ConstraintRequest, Which};
use crate::pipeline::components::Components;
use crate::pipeline::convoy::Convoys;
use crate::pipeline::write::{Caller, Change, NewIds, Precondition, WriteError, WriteRequest};
use crate::scim::cursor::Cursors;
use crate::scim::limits::ScimLimits;
use crate::scim::projection::AttributeNames;
use crate::scim::resource::ResourceId;
use crate::store::{NewVersion, SqlStore, Store, StoreOptions, StoredComponent};
use crate::tables::TableLimits;

use self::declared::Declared;
use self::operation::{Asked, TrialOperation};
use self::population::Population;

/// The time of every request, unless it is told otherwise: the first moment of 2026.
pub const AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The id that a new resource gets. Fixed, as the decision's: what a constraint reads is the same in every run.
const NEW_RESOURCE: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);
const DECISION: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002);

/// A constraint could not be tried.
#[derive(Debug, Error)]
pub enum TrialError {
    /// What it was given is wrong.
    #[error("{0}")]
    Input(String),
    /// The component or its settings are at fault.
    #[error("{0}")]
    Component(String),
    /// The request is none that a server would carry out.
    #[error("the server would answer {status} to this request: {detail}")]
    Request {
        /// The HTTP status.
        status: u16,
        /// What it would say.
        detail: String,
    },
    /// This computer failed.
    #[error("{0}")]
    Local(String),
}

fn local(error: impl std::error::Error + 'static) -> TrialError {
    TrialError::Local(with_causes(&error))
}

/// A component that can be tried, in the sandbox that all of its trials share: it is compiled once.
#[derive(Clone)]
pub struct Tried {
    sandbox: Arc<Sandbox>,
    /// What it is.
    pub checked: Checked,
    component: Vec<u8>,
    declared: Declared,
}

impl Tried {
    /// Checks and compiles a component, as an upload to a tenant would that has declared this.
    pub async fn new(component: Vec<u8>, declared: &Declared) -> Result<Self, TrialError> {
        let sandbox = Sandbox::new(SandboxConfig::for_own_components(Limits::default())).map_err(local)?;
        Self::check(Arc::new(sandbox), component, declared).await
    }

    /// The same component in a tenant that has declared this. It is checked anew, and not compiled.
    pub async fn among(&self, declared: &Declared) -> Result<Cow<'_, Self>, TrialError> {
        if self.declared == *declared {
            return Ok(Cow::Borrowed(self));
        }
        Self::check(Arc::clone(&self.sandbox), self.component.clone(), declared).await.map(Cow::Owned)
    }

    async fn check(sandbox: Arc<Sandbox>, component: Vec<u8>, declared: &Declared) -> Result<Self, TrialError> {
        let checked = sandbox.upload(TenantId(0), component.clone(), &declared.schemas).await;
        let checked = checked.map_err(|error| {
            let text = with_causes(&error);
            TrialError::Component(match error {
                UploadError::Descriptor(error) if error.is_of_schemas() && declared.is_nothing() => format!(
                    "{text}. If a tenant has declared it, give what the tenant has in `fixtures/schemas.json` or with `--schemas`"
                ),
                _ => text,
            })
        })?;
        Ok(Self { sandbox, checked, component, declared: declared.clone() })
    }

    /// Bytes of the component.
    pub fn size(&self) -> usize {
        self.component.len()
    }

    /// The limits that it runs under.
    pub fn limits(&self) -> &Limits {
        self.sandbox.limits()
    }
}

/// A tenant with one constraint.
pub struct Trial {
    pipeline: Pipeline,
    tenant: TenantId,
    declared: Declared,
    // What the store reads; gone with the trial.
    _data: tempfile::TempDir,
}

impl Trial {
    /// A tenant with what the component is tried among, these resources and tables, and nothing else.
    pub async fn new(tried: &Tried, population: &Population) -> Result<Self, TrialError> {
        let data = tempfile::tempdir().map_err(local)?;
        let store: Arc<dyn Store> = Arc::new(SqlStore::sqlite(data.path(), StoreOptions::default()).map_err(local)?);
        let tenant = store.create_tenant("trial", AT).await.map_err(local)?;
        let tenant = tenant.ok_or_else(|| TrialError::Local("a fresh store has a tenant".to_owned()))?;
        let pipeline = Pipeline {
            components: Components::new(Arc::clone(&store), None),
            store,
            sandbox: Arc::clone(&tried.sandbox),
            registry: Arc::new(Registry::default()),
            clock: Clock::from_fn(|| AT),
            passwords: Default::default(),
            turnstile: Default::default(),
            convoys: Some(Convoys::default()),
            cursors: Cursors::new(&[0; 32], 3_600),
            limits: Arc::new(ScimLimits::DEFAULT),
            tables: Arc::new(TableLimits::default()),
            metrics: Arc::default(),
        };
        let declared = tried.declared.clone();
        declared.declare(&*pipeline.store, tenant.id).await?;
        let trial = Self { pipeline, tenant: tenant.id, declared, _data: data };
        population.move_in(&trial).await?;
        Ok(trial)
    }

    /// Puts the component to work with these settings and grants, as a server would: both are checked. All that it asks for is
    /// granted where no grants are given.
    pub async fn put_to_work(&self, tried: &Tried, settings: Value, grants: Option<Value>) -> Result<(), TrialError> {
        let name = &tried.checked.descriptor.name;
        let version = NewVersion {
            plugin: name.clone(),
            digest: tried.checked.digest.clone(),
            component: StoredComponent::Here(tried.component.clone()),
            world: tried.checked.world.clone(),
            descriptor: tried.checked.descriptor.to_json(),
            tag: None,
            created_at: AT,
            signatures: Vec::new(),
        };
        self.pipeline.store.tenant(self.tenant).add_version(version).await.map_err(local)?;
        let request = ConstraintRequest {
            plugin: name.clone(),
            version: Which::Newest,
            settings,
            grants,
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            order: 0,
        };
        let name = ConstraintName(name.clone());
        match self.pipeline.set_constraint(self.tenant, &name, request, "trial").await {
            Ok(_) => Ok(()),
            Err(ActivationError::Settings(problems)) => Err(bad_settings(&problems)),
            Err(ActivationError::Grants(detail)) => Err(bad_grants(&detail)),
            Err(ActivationError::Component(fault)) => Err(unchecked(&fault)),
            Err(error) => Err(local(error)),
        }
    }

    /// What would be recorded of an operation; `None` if it would change nothing, so that nobody is asked.
    pub async fn ask(&self, operation: &TrialOperation) -> Result<Option<Arc<DecisionRecord>>, TrialError> {
        let caller = self.caller(operation.actor());
        let at = operation.at.unwrap_or(AT);
        let id = operation.target();
        let change = match &operation.asked {
            Asked::Create(body) => Change::Create { body: body.clone() },
            Asked::Replace(body) => Change::Replace { id, body: body.clone(), precondition: Precondition::None },
            Asked::Patch(body) => Change::Patch { id, body: body.clone(), precondition: Precondition::None },
            Asked::Delete => Change::Delete { id, precondition: Precondition::None },
        };
        let request = self.request(&operation.resource_type, change)?;
        let ids = NewIds { decision: DecisionId(DECISION), resource: ResourceId(NEW_RESOURCE) };
        self.pipeline.rehearse(&caller, &request, at, ids).await.map_err(refused)
    }

    /// Carries something out that nobody judges, since nothing is in force yet.
    async fn carry_out(&self, resource_type: &str, id: ResourceId, change: Change) -> Result<(), TrialError> {
        let request = self.request(resource_type, change)?;
        let ids = NewIds { decision: DecisionId(self.pipeline.clock.new_id(AT)), resource: id };
        let written = self.pipeline.write_as(&self.caller(population::actor()), &request, AT, ids).await;
        written.map(drop).map_err(refused)
    }

    fn request(&self, resource_type: &str, change: Change) -> Result<WriteRequest, TrialError> {
        let schemas = &self.declared.schemas;
        let known = schemas.resource_type(resource_type).ok_or_else(|| {
            let names: Vec<&str> = schemas.resource_types().iter().map(|known| known.name.as_str()).collect();
            TrialError::Input(format!("there is no resource type `{resource_type}`; there are {}", names.join(", ")))
        })?;
        let endpoint = known.endpoint.trim_start_matches('/').to_owned();
        Ok(WriteRequest { endpoint, change, names: AttributeNames::default() })
    }

    fn caller(&self, actor: Actor) -> Caller {
        Caller { tenant: self.tenant, actor, request_id: "trial".to_owned(), txn: None }
    }
}

fn bad_settings(problems: &[SettingsProblem]) -> TrialError {
    let problems: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", located(&problem.pointer), problem.message)).collect();
    TrialError::Input(format!("the settings are not valid:\n  {}", problems.join("\n  ")))
}

fn bad_grants(detail: &str) -> TrialError {
    TrialError::Input(format!("the grants are not valid: {detail}"))
}

fn unchecked(fault: &ConstraintFault) -> TrialError {
    TrialError::Component(format!("the settings could not be checked: {fault}"))
}

/// A pointer as people read it.
fn located(pointer: &str) -> &str {
    if pointer.is_empty() { "the whole" } else { pointer }
}

fn refused(error: WriteError) -> TrialError {
    match error {
        WriteError::Scim(error) | WriteError::Invalid { error, .. } => {
            TrialError::Request { status: error.status, detail: error.detail }
        }
        error => local(error),
    }
}
