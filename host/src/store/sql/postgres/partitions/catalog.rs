//! What the catalog says of the partitions.

use jiff::Timestamp;
use uuid::Uuid;

use super::time_of;
use crate::store::sql::driver::{self, Connection, Error, Row, params};
use crate::store::{DecisionPartition, StoreError};

/// Every partition, with its bounds and its size. One that is being dropped has none.
pub(super) const PARTITIONS: &str = "SELECT CAST(CAST(c.oid AS regclass) AS text), pg_get_expr(c.relpartbound, c.oid), \
     coalesce(pg_relation_size(c.oid), 0) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
     WHERE i.inhparent = to_regclass('decision') AND c.relpartbound IS NOT NULL";

/// The indexes of the table, with what makes each, and the constraint that it is for.
pub(super) const INDEXES: &str = "SELECT CAST(i.relname AS text), pg_get_indexdef(i.oid), pg_get_constraintdef(k.oid) \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.conrelid = x.indrelid \
     WHERE x.indrelid = to_regclass('decision') ORDER BY i.relname";

/// A constraint that was promised for a partition ([`CONSTRAINT`]).
pub(super) const PROMISED: &str = "SELECT CAST(CAST(c.conrelid AS regclass) AS text), pg_get_constraintdef(c.oid) \
     FROM pg_constraint c JOIN pg_inherits i ON i.inhrelid = c.conrelid \
     WHERE i.inhparent = to_regclass('decision') AND c.conname = 'decision_until'";

/// The name of the constraint by which nothing is beyond an end.
pub(super) const CONSTRAINT: &str = "decision_until";

/// The partitions, oldest first; none, if the log is one table.
pub(in crate::store::sql) fn partitions(connection: &Connection) -> Result<Vec<DecisionPartition>, StoreError> {
    let Connection::Postgres(_) = connection else { return Ok(Vec::new()) };
    let of_row =
        |row: &Row<'_>| -> driver::Result<DecisionPartition> { partition(row.get(0)?, row.text(1)?, row.get(2)?) };
    let mut statement = connection.prepare_cached(PARTITIONS)?;
    let found = statement.query_map(params![], of_row)?.collect::<driver::Result<_>>()?;
    Ok(oldest_first(found))
}

/// By where they begin: the first begins nowhere.
pub(super) fn oldest_first(mut partitions: Vec<DecisionPartition>) -> Vec<DecisionPartition> {
    partitions.sort_by_key(|partition| partition.from);
    partitions
}

/// From a row of [`PARTITIONS`].
pub(super) fn partition(name: String, bounds: &str, bytes: i64) -> driver::Result<DecisionPartition> {
    let unknown = || Error::Damaged(format!("the partition `{name}` of the decision log is not by time: {bounds}"));
    let (from, to) = bounds
        .strip_prefix("FOR VALUES FROM (")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.split_once(") TO ("))
        .ok_or_else(unknown)?;
    let bound = |text: &str| match text {
        "MINVALUE" | "MAXVALUE" => Ok(None),
        id => id_in(id).map(|id| Some(time_of(id))).ok_or_else(unknown),
    };
    let (from, to) = (bound(from)?, bound(to)?);
    Ok(DecisionPartition { name, from, to, is_blank: bytes == 0 })
}

/// The end that a constraint promises, as PostgreSQL writes it: `CHECK ((id < '019b…'::uuid)) NOT VALID`.
pub(super) fn promised_end(definition: &str) -> Option<Timestamp> {
    let (_, rest) = definition.split_once("id < ")?;
    id_in(rest.split("::").next()?).map(time_of)
}

/// An id in quotes.
fn id_in(text: &str) -> Option<Uuid> {
    text.strip_prefix('\'')?.strip_suffix('\'')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_divided_in_another_way_is_no_partition_of_ours() {
        assert!(partition("p".to_owned(), "DEFAULT", 0).is_err());
        assert!(partition("p".to_owned(), "FOR VALUES FROM ('x') TO (MAXVALUE)", 0).is_err());
        let found = partition("p".to_owned(), "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)", 8_192).unwrap();
        assert_eq!(found, DecisionPartition { name: "p".to_owned(), from: None, to: None, is_blank: false });
    }

    #[test]
    fn a_promised_end_is_read_whether_it_is_validated_or_not() {
        let end = Some("2026-12-04T00:00:00Z".parse().unwrap());
        let definition = "CHECK ((id < '01a23e59-c400-0000-0000-000000000000'::uuid))";
        assert_eq!(promised_end(definition), end);
        assert_eq!(promised_end(&format!("{definition} NOT VALID")), end);
        assert_eq!(promised_end("CHECK (true)"), None);
    }
}
