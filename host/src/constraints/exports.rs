//! Which exports a component has: `about` always, `check`, `rewrite` or both beside it.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::scruple::constraint::{about, check, rewrite};
use super::check_component::CONTRACT_VERSION;
use super::state::GuestState;

/// The exports that are there, by their place in the component, so that no call looks for a name.
pub(super) struct Exports {
    pub(super) about: about::GuestIndices,
    pub(super) check: Option<check::GuestIndices>,
    pub(super) rewrite: Option<rewrite::GuestIndices>,
}

impl Exports {
    /// Looks for them.
    pub(super) fn of(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self> {
        let has = |interface: &str| {
            let name = format!("scruple:constraint/{interface}@{CONTRACT_VERSION}");
            pre.component().get_export_index(None, &name).is_some()
        };
        Ok(Self {
            about: about::GuestIndices::new(pre)?,
            check: has("check").then(|| check::GuestIndices::new(pre)).transpose()?,
            rewrite: has("rewrite").then(|| rewrite::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Fails unless each has the types that the contract says.
    pub(super) fn check_types(&self, store: &mut Store<GuestState>, instance: &Instance) -> wasmtime::Result<()> {
        self.about.load(&mut *store, instance)?;
        self.check.as_ref().map(|check| check.load(&mut *store, instance)).transpose()?;
        self.rewrite.as_ref().map(|rewrite| rewrite.load(&mut *store, instance)).transpose()?;
        Ok(())
    }
}
