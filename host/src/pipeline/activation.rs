//! From plugin versions to constraints in force: put to work, roll back; and which constraints a tenant has.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use tracing::{error, info};

use crate::constraints::registry::EnabledParts;
use crate::constraints::sandbox::AboutError;
use crate::constraints::settings::SettingsProblem;
use crate::constraints::{ConstraintSet, Descriptor, EnabledConstraint, Grants, Overloaded};
use crate::decision::{ConstraintFault, ConstraintName, FailurePolicy, Mode, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::waivers::ready;
use crate::scim::schema::SchemaRegistry;
use crate::store::{ActivateError, Activation, ActivationState, PluginVersion, StoreError, Unsigned};

/// Constraints of a tenant at the most. Each may use all its fuel in every write (4 ms), so this bounds what one write may
/// cost to 0.2 s; the richest set of rules we can think of has a dozen.
pub(super) const CONSTRAINTS_MAX: usize = 50;

/// Which version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Newest,
    /// The one of that number.
    Numbered(u32),
    /// The newest that was pushed with that tag.
    Tagged(String),
    /// The one whose component has that SHA-256 digest, in hexadecimal.
    Digest(String),
}

/// How a plugin version is to be put to work.
#[derive(Clone, Debug)]
pub struct ConstraintRequest {
    /// The plugin.
    pub plugin: String,
    /// Which version of it.
    pub version: Which,
    /// Settings.
    pub settings: Value,
    /// Grants; what the descriptor asks for, if `None`.
    pub grants: Option<Value>,
    /// Whether its answer counts.
    pub mode: Mode,
    /// What its fault does.
    pub on_fault: FailurePolicy,
    /// Place among the tenant's constraints.
    pub order: i32,
}

/// A constraint was not put to work.
#[derive(Debug, Error)]
pub enum ActivationError {
    /// There is no such plugin, or no such version of it.
    #[error("plugin `{plugin}` has no version {version}")]
    UnknownVersion {
        /// The plugin.
        plugin: String,
        /// The version, or `1` where there is none at all.
        version: u32,
    },
    /// No version of the plugin was pushed with that tag.
    #[error("plugin `{plugin}` has no version with the tag `{tag}`")]
    UnknownTag {
        /// The plugin.
        plugin: String,
        /// The tag.
        tag: String,
    },
    /// Nobody has uploaded such a component as a version of the plugin.
    #[error("plugin `{plugin}` has no version with the digest {digest}: nobody has uploaded such a component")]
    UnknownDigest {
        /// The plugin.
        plugin: String,
        /// The digest.
        digest: String,
    },
    /// There is no such constraint.
    #[error("constraint `{0}` was not found")]
    UnknownConstraint(ConstraintName),
    /// There is no such earlier state.
    #[error("constraint `{name}` has no revision {revision} to go back to")]
    UnknownRevision {
        /// The constraint.
        name: ConstraintName,
        /// The revision.
        revision: u32,
    },
    /// There are as many constraints as there may be.
    #[error("the tenant has {CONSTRAINTS_MAX} constraints already, as many as it may have")]
    TooMany,
    /// The settings are not what the plugin expects.
    #[error("the settings are not valid")]
    Settings(Vec<SettingsProblem>),
    /// The grants are not ones the plugin asks for.
    #[error("the grants are not valid: {0}")]
    Grants(String),
    /// The tenant wants its component signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// The component could not be asked about its settings.
    #[error("the settings could not be checked: {0}")]
    Component(ConstraintFault),
    /// The tenant has too many components asked at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All that is wrong with what a constraint is to be.
pub(super) struct Wrong {
    pub(super) first: ActivationError,
    /// Settings and grants can be wrong, both, and neither because of the other.
    pub(super) second: Option<ActivationError>,
}

impl From<ActivationError> for Wrong {
    fn from(first: ActivationError) -> Self {
        Self { first, second: None }
    }
}

impl From<ActivateError> for ActivationError {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Unsigned(unsigned) => Self::Unsigned(unsigned),
            ActivateError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AboutError> for ActivationError {
    fn from(error: AboutError) -> Self {
        match error {
            AboutError::Fault(fault) => Self::Component(fault),
            AboutError::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

impl Pipeline {
    /// The tenant's constraints in their present generation.
    ///
    /// `generation` is the snapshot's. A set of that generation is at hand for nearly every request; one that is not is
    /// read anew, and may then be of a later generation still: whoever plans with both compares.
    pub async fn constraints(&self, tenant: TenantId, generation: i64) -> Result<Arc<ConstraintSet>, StoreError> {
        if let Some(set) = self.registry.get(tenant).filter(|set| set.generation >= generation) {
            return Ok(set);
        }
        let (model, activations, waivers) = self.store.tenant(tenant).in_force(self.clock.now()).await?;
        let generation = model.generation;
        let mut constraints = Vec::with_capacity(activations.len());
        for activation in activations {
            if let Some(state) = activation.state {
                constraints.push(Arc::new(self.enabled(activation.name, state, &model.schemas)));
            }
        }
        let set = Arc::new(ConstraintSet { generation, constraints, waivers: ready(tenant, waivers, &model.schemas) });
        self.registry.put(tenant, Arc::clone(&set));
        info!(tenant.id = tenant.0, generation, constraints = set.constraints.len(), "loaded a tenant's constraints");
        Ok(set)
    }

    /// A stored state, ready to be asked. What cannot be read stays in the set and faults when it is asked: a guard
    /// must not be skipped because it is broken.
    pub(super) fn enabled(
        &self,
        name: ConstraintName,
        state: ActivationState,
        schemas: &Arc<SchemaRegistry>,
    ) -> EnabledConstraint {
        let descriptor = Descriptor::from_json(&state.descriptor).map_err(|error| error.to_string());
        let grants = descriptor.as_ref().map_err(Clone::clone).and_then(|descriptor| {
            Grants::parse(Some(&state.grants), descriptor, schemas).map_err(|error| error.to_string())
        });
        let parts = EnabledParts {
            name,
            plugin: state.plugin,
            version: state.version,
            digest: state.digest,
            mode: state.mode,
            on_fault: state.on_fault,
            settings: state.settings.to_string(),
            descriptor,
            grants,
            schemas: Arc::clone(schemas),
        };
        let enabled = EnabledConstraint::new(parts, self.sandbox.limits());
        if let Some(detail) = &enabled.broken {
            error!(constraint.name = %enabled.name, detail, "a stored constraint cannot be read");
        }
        enabled
    }

    /// Puts a plugin version to work under a name, or changes how.
    pub async fn set_constraint(
        &self,
        tenant: TenantId,
        name: &ConstraintName,
        request: ConstraintRequest,
        by: &str,
    ) -> Result<Activation, ActivationError> {
        let (model, present) = self.store.tenant(tenant).activations().await?;
        if present.len() >= CONSTRAINTS_MAX && !present.iter().any(|activation| activation.name == *name) {
            return Err(ActivationError::TooMany);
        }
        // Before its code is asked about settings. The store asks again.
        let version = self.version(tenant, request.plugin.clone(), request.version.clone()).await?;
        if let Some(unsigned) = self.signing_state(tenant).await?.lacking(&version.digest) {
            return Err(unsigned.into());
        }
        let state = self.state_of(tenant, &model.schemas, request).await.map_err(|Wrong { first, .. }| first)?;
        self.activate(tenant, name, Some(state), by).await
    }

    /// The state that a request asks for, if all of it is in order; else all that is not.
    pub(super) async fn state_of(
        &self,
        tenant: TenantId,
        schemas: &SchemaRegistry,
        request: ConstraintRequest,
    ) -> Result<ActivationState, Wrong> {
        let version = self.version(tenant, request.plugin, request.version).await?;
        let unavailable = |detail| ActivationError::Component(ConstraintFault::Unavailable { detail });
        let descriptor = Descriptor::from_json(&version.descriptor).map_err(|error| unavailable(error.to_string()))?;
        let loaded = self.sandbox.load(tenant, &version.digest).await;
        let pre = loaded.map_err(|error| unavailable(error.to_string()))?;
        let checked = self.sandbox.check_settings(tenant, &pre, &descriptor, &request.settings).await;
        let problems = checked.map_err(ActivationError::from)?;
        let grants = Grants::parse(request.grants.as_ref(), &descriptor, schemas)
            .map_err(|error| ActivationError::Grants(error.to_string()));
        if !problems.is_empty() {
            return Err(Wrong { first: ActivationError::Settings(problems), second: grants.err() });
        }
        let grants = grants?;
        Ok(ActivationState {
            plugin: version.plugin,
            version: version.version,
            digest: version.digest,
            descriptor: version.descriptor,
            settings: request.settings,
            grants: grants.to_json(),
            mode: request.mode,
            on_fault: request.on_fault,
            order: request.order,
        })
    }

    /// Takes a constraint away. Its history stays.
    pub async fn remove_constraint(
        &self,
        tenant: TenantId,
        name: &ConstraintName,
        by: &str,
    ) -> Result<(), ActivationError> {
        let (_, present) = self.store.tenant(tenant).activations().await?;
        if !present.iter().any(|activation| activation.name == *name) {
            return Err(ActivationError::UnknownConstraint(name.clone()));
        }
        self.activate(tenant, name, None, by).await.map(drop)
    }

    /// Makes an earlier state the present one, as a new revision: that of `revision`, or the newest that differs from
    /// the present one.
    pub async fn roll_back(
        &self,
        tenant: TenantId,
        name: &ConstraintName,
        revision: Option<u32>,
        by: &str,
    ) -> Result<Activation, ActivationError> {
        let history = self.store.tenant(tenant).activation_history(name).await?;
        let Some(present) = history.first() else {
            return Err(ActivationError::UnknownConstraint(name.clone()));
        };
        let wanted = match revision {
            Some(revision) => history.iter().find(|earlier| earlier.revision == revision),
            None => history.iter().find(|earlier| earlier.state.is_some() && earlier.state != present.state),
        };
        // A removal is a revision too, but one goes back to a state and not to the lack of one.
        match wanted.and_then(|earlier| earlier.state.clone()) {
            Some(state) => self.activate(tenant, name, Some(state), by).await,
            None => {
                let revision = revision.unwrap_or(present.revision.saturating_sub(1));
                Err(ActivationError::UnknownRevision { name: name.clone(), revision })
            }
        }
    }

    async fn activate(
        &self,
        tenant: TenantId,
        name: &ConstraintName,
        state: Option<ActivationState>,
        by: &str,
    ) -> Result<Activation, ActivationError> {
        let store = self.store.tenant(tenant);
        let generation = store.activate(name, state, by, self.clock.now()).await?;
        info!(tenant.id = tenant.0, constraint.name = %name, generation, "the constraints have changed");
        let history = store.activation_history(name).await?;
        let made = history.into_iter().find(|activation| activation.generation == generation);
        Ok(made.ok_or_else(|| StoreError::Damaged(format!("generation {generation} has left no state behind")))?)
    }

    async fn version(&self, tenant: TenantId, plugin: String, which: Which) -> Result<PluginVersion, ActivationError> {
        let mut versions = self.store.tenant(tenant).versions(Some(&plugin)).await?.into_iter();
        let found = match &which {
            Which::Newest => versions.max_by_key(|found| found.version),
            Which::Numbered(number) => versions.find(|found| found.version == *number),
            // Who pushes with a tag again means the later one by it.
            Which::Tagged(tag) => {
                versions.filter(|found| found.tag.as_ref() == Some(tag)).max_by_key(|found| found.version)
            }
            Which::Digest(digest) => versions.find(|found| found.digest == *digest),
        };
        found.ok_or(match which {
            Which::Newest => ActivationError::UnknownVersion { plugin, version: 1 },
            Which::Numbered(version) => ActivationError::UnknownVersion { plugin, version },
            Which::Tagged(tag) => ActivationError::UnknownTag { plugin, tag },
            Which::Digest(digest) => ActivationError::UnknownDigest { plugin, digest },
        })
    }
}
