//! [`Registry`]: the constraints in force, by tenant; one generation at a time, swapped whole.

use std::sync::Arc;

use moka::ops::compute::Op;
use moka::sync::Cache;

use super::descriptor::Descriptor;
use super::grants::Grants;
use super::limits::Limits;
use super::paths::PathCache;
use crate::change::{Action, PlannedChange};
use crate::decision::{ConstraintName, FailurePolicy, Mode, TenantId, Waiver};
use crate::scim::schema::SchemaRegistry;

/// Bytes that the sets of all tenants may fill. 64 MiB: some 10,000 tenants with one constraint each. One whose set was
/// pushed out has it read anew at its next write.
const SETS_BYTES_MAX: u64 = 64 << 20;

/// What a constraint takes beside its settings: its descriptor, its grants, the paths that it reads. 6 KiB, an estimate: a
/// tenant with one loaded constraint was measured to take 52 KiB, most of which is what the engine keeps of the component.
const CONSTRAINT_BYTES: usize = 6 << 10;

/// A plugin version put to work. Its machine code is not part of it: that is loaded when the constraint is asked, and
/// shared by all that have the same component ([`super::loader`]).
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
    /// Why what is stored of it cannot be read, which is a fault of each evaluation: a guard must not be skipped because it
    /// is broken.
    pub broken: Option<String>,
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
}

impl EnabledConstraint {
    /// Puts the parts together. What is stored and cannot be read any more makes the constraint unavailable.
    pub fn new(parts: EnabledParts, limits: &Limits) -> Self {
        let broken = parts.descriptor.as_ref().err().or(parts.grants.as_ref().err()).cloned();
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
            broken,
        }
    }

    /// Whether it is to be asked about a change: it is not `off`, and judges such operations on such resources. One that is
    /// broken is asked, and cannot answer.
    ///
    /// Declared reads do not decide. A constraint may object to the state after whatever the change has touched (an
    /// account without a required attribute), so that to skip it when none of its paths differ could let through what
    /// it would have refused. Asking costs ten microseconds; a rule that only cares for changes says `not-applicable`.
    pub fn concerns(&self, planned: &PlannedChange) -> bool {
        let judges = |descriptor: &Descriptor| descriptor.judges(&planned.resource_type.name, planned.action);
        self.mode != Mode::Off && self.descriptor.as_ref().is_none_or(judges)
    }

    /// Whether it is to rewrite a change. That it can is told by its descriptor: no upload was taken whose `writes` and
    /// exports say different things. Of what is deleted there is nothing to rewrite.
    pub fn rewrites(&self, planned: &PlannedChange) -> bool {
        let rewrites = self.descriptor.as_ref().is_some_and(|descriptor| !descriptor.writes.is_empty());
        rewrites && planned.action != Action::Delete && self.concerns(planned)
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        CONSTRAINT_BYTES.saturating_add(self.settings.len())
    }
}

/// The constraints of one tenant in one generation.
#[derive(Debug, Default)]
pub struct ConstraintSet {
    /// The generation.
    pub generation: i64,
    /// By order, then name.
    pub constraints: Vec<Arc<EnabledConstraint>>,
    /// What does not count for a while.
    pub waivers: Vec<Waiver>,
}

impl ConstraintSet {
    /// The rewriters to be asked about a change, in the tenant's order, whatever their mode: each is shown the state at its
    /// own place.
    pub fn rewriters(&self, planned: &PlannedChange) -> Vec<Arc<EnabledConstraint>> {
        self.constraints.iter().filter(|constraint| constraint.rewrites(planned)).cloned().collect()
    }

    /// Whether anybody is to be asked about a change.
    pub fn has_any_for(&self, planned: &PlannedChange) -> bool {
        self.constraints.iter().any(|constraint| constraint.concerns(planned))
    }

    /// Those that are to be asked about a change. What counts is asked first: all that are asked share one budget of
    /// look-ups, and a trial in `shadow` must not use up what a guard needs.
    pub fn applicable(&self, planned: &PlannedChange) -> Vec<Arc<EnabledConstraint>> {
        let concerned = |constraint: &&Arc<EnabledConstraint>| constraint.concerns(planned);
        let mut asked: Vec<_> = self.constraints.iter().filter(concerned).cloned().collect();
        // Stable: otherwise in the constraints' order.
        asked.sort_by_key(|constraint| constraint.mode != Mode::Enforce);
        asked
    }
}

/// The constraints in force, by tenant: of those that were asked for lately.
#[derive(Debug)]
pub struct Registry {
    sets: Cache<TenantId, Arc<ConstraintSet>>,
}

impl Default for Registry {
    fn default() -> Self {
        let bytes = |_: &TenantId, set: &Arc<ConstraintSet>| {
            let bytes =
                set.constraints.iter().fold(size_of::<ConstraintSet>(), |sum, one| sum.saturating_add(one.bytes()));
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self { sets: Cache::builder().max_capacity(SETS_BYTES_MAX).weigher(bytes).build() }
    }
}

impl Registry {
    /// The newest set that was put in for the tenant, unless it was pushed out.
    pub fn get(&self, tenant: TenantId) -> Option<Arc<ConstraintSet>> {
        self.sets.get(&tenant)
    }

    /// Puts in a set. Of two that are put in at once, the newer generation stays, whichever comes last.
    pub fn put(&self, tenant: TenantId, set: Arc<ConstraintSet>) {
        self.sets.entry(tenant).and_compute_with(|present| match present {
            Some(present) if present.value().generation > set.generation => Op::Nop,
            _ => Op::Put(set),
        });
    }

    /// Forgets a tenant that was deleted.
    pub fn forget(&self, tenant: TenantId) {
        self.sets.invalidate(&tenant);
    }
}
