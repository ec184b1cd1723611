//! Which generation tenants are of. Every write begins with that question, and to ask it in a transaction of its own takes the
//! server as long as a third of a write.

use std::collections::HashMap;

use super::questions::Question;
use super::session::Session;
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::sql::driver::Error;

const ASK: &str = "SELECT tenant_id, generation FROM tenant WHERE tenant_id = ANY($1::bigint[]) AND name IS NOT NULL";

/// Which one a tenant is of. The answer is `None` if there is no such tenant, or it is being deleted.
pub(super) struct GenerationOf(pub(super) TenantId);

impl Question for GenerationOf {
    type Answer = Option<i64>;

    async fn ask_all(session: &Session, these: &[Self]) -> Result<Vec<Option<i64>>, StoreError> {
        let mut tenants: Vec<i64> = these.iter().map(|Self(tenant)| tenant.0).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let mut found = HashMap::with_capacity(tenants.len());
        for row in session.query_raw(ASK, &[&tenants]).await? {
            let (tenant, generation): (i64, i64) =
                (row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?);
            found.insert(tenant, generation);
        }
        Ok(these.iter().map(|Self(tenant)| found.get(&tenant.0).copied()).collect())
    }
}
