//! Getting a tenant's present generation ready before the first write that needs it.

use tracing::{debug, error};

use crate::decision::{Mode, TenantId};
use crate::pipeline::Pipeline;
use crate::store::StoreError;

/// A generation that was made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Which: the present one, maybe a later one than was asked for.
    pub generation: i64,
    /// Whether the code of a constraint could not be had. It faults until it can.
    pub failed: bool,
}

impl Pipeline {
    /// Reads the tenant's constraints of a generation, if a later one is not at hand, and has the code of each that is asked
    /// loaded: from disk, or compiled from what is stored, once, whoever else wants it meanwhile.
    pub async fn prepare(&self, tenant: TenantId, generation: i64) -> Result<Prepared, StoreError> {
        let set = match self.constraints(tenant, generation).await {
            // Who is deleted needs nothing more.
            Err(StoreError::NoTenant) => return Ok(Prepared { generation, failed: false }),
            set => set?,
        };
        let mut failed = false;
        for constraint in set.constraints.iter().filter(|constraint| constraint.mode != Mode::Off) {
            if let Err(error) = self.sandbox.load(tenant, &constraint.digest).await {
                error!(tenant.id = tenant.0, constraint.name = %constraint.name, %error, "a constraint's code cannot be had");
                failed = true;
            }
        }
        debug!(tenant.id = tenant.0, generation = set.generation, failed, "prepared a tenant's constraints");
        Ok(Prepared { generation: set.generation, failed })
    }
}
