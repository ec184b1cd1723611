//! Index entries of one attribute, removed without the resources that they are of.

use crate::store::sql::driver::params;

use super::plan::Entries;
use crate::store::StoreError;
use crate::store::sql::view::View;

/// Entries removed in one transaction: at a few µs each that holds the writer for some 20 ms.
const REMOVED_MAX: i64 = 5_000;

impl Entries {
    fn table(&self) -> (&'static str, &'static str) {
        if self.unique { ("resource_key", "norm") } else { ("resource_attr", "norm, id") }
    }
}

impl View<'_> {
    /// Removes some of them; how many.
    pub(super) fn remove_some(&self, resource_type: &str, entries: &Entries) -> Result<usize, StoreError> {
        let (table, key) = entries.table();
        let of_attribute = "tenant_id = ?1 AND rtype = ?2 AND attr = ?3";
        let sql = format!(
            "DELETE FROM {table} WHERE {of_attribute} \
             AND ({key}) IN (SELECT {key} FROM {table} WHERE {of_attribute} LIMIT {REMOVED_MAX})"
        );
        let (rtype, attr) = (self.names.number(resource_type)?, self.names.number(&entries.attribute)?);
        Ok(self.connection.prepare_cached(&sql)?.execute(params![self.tenant.0, rtype, attr])?)
    }
}
