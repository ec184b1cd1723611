//! [`Registry`]: the constraints in force, by tenant; one generation at a time, swapped whole.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::compile::ConstraintPre;
use super::descriptor::Descriptor;
use super::grants::Grants;
use super::limits::Limits;
use super::paths::PathCache;
use crate::change::{Action, PlannedChange};
use crate::decision::{ConstraintName, FailurePolicy, Mode, TenantId};
use crate::scim::schema::SchemaRegistry;

/// A plugin version put to work.
#[derive(Debug)]
pub struct EnabledConstraint {
    /// Its name in the tenant.
    pub name: ConstraintName,
    /// The plugin it runs.
    pub plugin: String,
    /// The plugin version it runs.
    pub version: u32,
    /// SHA-256 of that version's component, in hexadecimal.
    pub digest: String,
    /// Whether its answer counts.
    pub mode: Mode,
    /// What its fault does.
    pub on_fault: FailurePolicy,
    /// Its settings, as the JSON text that it is given.
    pub settings: String,
    /// What it judges; `None` if the stored descriptor cannot be read, and then it is asked about everything.
    pub descriptor: Option<Descriptor>,
    /// What may be read, with the paths that were.
    pub paths: Arc<PathCache>,
    /// The resource types that its grants and its look-ups speak of.
    pub schemas: Arc<SchemaRegistry>,
    /// The component; or why it cannot be loaded, which is a fault of each evaluation: a guard must not be skipped
    /// because it is broken.
    pub pre: Result<Arc<ConstraintPre>, String>,
}

/// What to make an [`EnabledConstraint`] of.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of `EnabledConstraint`")]
pub struct EnabledParts {
    pub name: ConstraintName,
    pub plugin: String,
    pub version: u32,
    pub digest: String,
    pub mode: Mode,
    pub on_fault: FailurePolicy,
    pub settings: String,
    pub descriptor: Result<Descriptor, String>,
    pub grants: Result<Grants, String>,
    pub schemas: Arc<SchemaRegistry>,
    pub pre: Result<Arc<ConstraintPre>, String>,
}

impl EnabledConstraint {
    /// Puts the parts together. What is stored and cannot be read any more makes the constraint unavailable.
    pub fn new(parts: EnabledParts, limits: &Limits) -> Self {
        let unreadable = parts.descriptor.as_ref().err().or(parts.grants.as_ref().err()).cloned();
        let pre = match unreadable {
            Some(detail) => Err(detail),
            None => parts.pre,
        };
        let grants = parts.grants.unwrap_or_else(|_| Grants::none());
        Self {
            name: parts.name,
            plugin: parts.plugin,
            version: parts.version,
            digest: parts.digest,
            mode: parts.mode,
            on_fault: parts.on_fault,
            settings: parts.settings,
            descriptor: parts.descriptor.ok(),
            paths: Arc::new(PathCache::new(grants, limits.path_bytes_max)),
            schemas: parts.schemas,
            pre,
        }
    }

    /// Whether it is to judge a change: it is not `off`, and judges such operations on such resources. One that could not
    /// be loaded is asked, and cannot answer.
    ///
    /// Declared reads do not decide. A constraint may object to the state after whatever the change has touched (an
    /// account without a required attribute), so that to skip it when none of its paths differ could let through what
    /// it would have refused. Asking costs ten microseconds; a rule that only cares for changes says `not-applicable`.
    pub fn applies_to(&self, planned: &PlannedChange) -> bool {
        self.concerns(planned) && self.pre.as_ref().map_or(true, |pre| pre.checks())
    }

    /// Whether it is to rewrite a change. Of what is deleted there is nothing to rewrite.
    pub fn rewrites(&self, planned: &PlannedChange) -> bool {
        let rewrites = self.pre.as_ref().is_ok_and(|pre| pre.rewrites());
        rewrites && planned.action != Action::Delete && self.concerns(planned)
    }

    fn concerns(&self, planned: &PlannedChange) -> bool {
        let judges = |descriptor: &Descriptor| descriptor.judges(&planned.resource_type.name, planned.action);
        self.mode != Mode::Off && self.descriptor.as_ref().is_none_or(judges)
    }
}

/// The constraints of one tenant in one generation.
#[derive(Debug, Default)]
pub struct ConstraintSet {
    /// The generation.
    pub generation: i64,
    /// By order, then name.
    pub constraints: Vec<Arc<EnabledConstraint>>,
}

impl ConstraintSet {
    /// The rewriters to be asked about a change, in the tenant's order, whatever their mode: each is shown the state at its
    /// own place.
    pub fn rewriters(&self, planned: &PlannedChange) -> Vec<Arc<EnabledConstraint>> {
        self.constraints.iter().filter(|constraint| constraint.rewrites(planned)).cloned().collect()
    }

    /// Whether anybody is to be asked about a change.
    pub fn has_any_for(&self, planned: &PlannedChange) -> bool {
        self.constraints.iter().any(|constraint| constraint.applies_to(planned) || constraint.rewrites(planned))
    }

    /// Those that are to judge a change. What counts is asked first: all that are asked share one budget of
    /// look-ups, and a trial in `shadow` must not use up what a guard needs.
    pub fn applicable(&self, planned: &PlannedChange) -> Vec<Arc<EnabledConstraint>> {
        let applies = |constraint: &&Arc<EnabledConstraint>| constraint.applies_to(planned);
        let mut asked: Vec<_> = self.constraints.iter().filter(applies).cloned().collect();
        // Stable: otherwise in the constraints' order.
        asked.sort_by_key(|constraint| constraint.mode != Mode::Enforce);
        asked
    }
}

/// The constraints in force, by tenant.
#[derive(Debug, Default)]
pub struct Registry {
    sets: RwLock<HashMap<TenantId, Arc<ConstraintSet>>>,
}

impl Registry {
    /// The newest set that was put in for the tenant.
    pub fn get(&self, tenant: TenantId) -> Option<Arc<ConstraintSet>> {
        self.sets.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    /// Puts in a set. Of two that are put in at once, the newer generation stays, whichever comes last.
    pub fn put(&self, tenant: TenantId, set: Arc<ConstraintSet>) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        if sets.get(&tenant).is_none_or(|present| present.generation <= set.generation) {
            sets.insert(tenant, set);
        }
    }

    /// Forgets a tenant: deleted, or to be read anew.
    pub fn forget(&self, tenant: TenantId) {
        self.sets.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}
