//! The first steps of an evaluation by themselves, for benchmarks: what they take is what is left of an evaluation when
//! the guest does nothing.

use super::{CallLabel, ConstraintFault, ConstraintPre, EnabledConstraint, Runner, TenantId, unavailable};

impl Runner {
    /// Makes the store of an evaluation, with every limit set, and drops it.
    ///
    /// # Errors
    /// As an evaluation that ends there.
    pub fn make_store(&self, tenant: TenantId, constraint: &EnabledConstraint) -> Result<(), ConstraintFault> {
        let label = CallLabel { tenant: Some(tenant), constraint: Some(constraint.name.clone()) };
        self.new_store(label, None, self.limits.fuel_max).map(drop).map_err(|error| unavailable(&error))
    }

    /// Makes the store and instantiates the component in it, and drops both.
    ///
    /// # Errors
    /// As an evaluation that ends there.
    pub async fn make_instance(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: &ConstraintPre,
    ) -> Result<(), ConstraintFault> {
        let fuel_max = self.limits.fuel_max;
        let label = CallLabel { tenant: Some(tenant), constraint: Some(constraint.name.clone()) };
        let mut store = self.new_store(label, None, fuel_max).map_err(|error| unavailable(&error))?;
        self.instantiate(pre, &mut store, fuel_max).await.map(drop)
    }
}
