//! [`Care`]: the session of the node that makes and drops partitions.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::super::owner::{LOCK, PARTITIONS_LOCK};
use super::super::session::Session;
use super::super::text::unescaped;
use super::super::writer::Writer;
use super::catalog::{CONSTRAINT, INDEXES, PARTITIONS, PROMISED, oldest_first, partition, promised_end};
use super::{
    END_AHEAD, PROMISE_ENDS_BEFORE, SMALL_BYTES, SMALL_END_AHEAD, after, bounds_after, end_of, first_id_of, horizon,
    name, range, time_of,
};
use crate::decision::{DecisionId, TenantId};
use crate::store::sql::driver::{Error, Result as Answer};
use crate::store::{DecisionPartition, PartitionCare, PartitionedDecision, StoreError, StoredDecision};

/// For how long others may wait behind the one that waits to change partitions.
const OTHERS_WAIT: &str = "200ms";

/// For how long it waits for what is in nobody's way, like a vacuum: PostgreSQL ends one that keeps others waiting for a second.
const WAIT: &str = "10s";

/// The care for the partitions. Its session holds a lock that no second node gets.
pub(in crate::store::sql) struct Care {
    session: Session,
    _leave: OwnedSemaphorePermit,
}

impl Care {
    /// Takes it; `None` if another node has it.
    pub(in crate::store::sql) async fn take(writer: &Writer) -> Result<Option<Self>, StoreError> {
        let (session, leave) = writer.session_apart().await?;
        let care = Self { session, _leave: leave };
        // Those that change a table and those that read the catalog see what there is now.
        care.run("SET default_transaction_isolation = 'read committed'").await?;
        let taken = care.rows(&format!("SELECT 1 WHERE pg_try_advisory_lock({PARTITIONS_LOCK})"), &[]).await?;
        Ok((!taken.is_empty()).then_some(care))
    }

    async fn run(&self, sql: &str) -> Answer<()> {
        self.session.run_async(sql).await
    }

    async fn rows(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Answer<Vec<Row>> {
        self.session.query_async(sql, values).await
    }

    /// Begins a transaction that changes partitions; `false` if a node is just starting, which may change tables, too.
    async fn begin(&self) -> Answer<bool> {
        self.run("BEGIN").await?;
        Ok(!self.rows(&format!("SELECT 1 WHERE pg_try_advisory_xact_lock({LOCK})"), &[]).await?.is_empty())
    }

    /// Does the last of that transaction, for which others wait. What they wait for is one way to the server.
    async fn while_others_wait(&self, tables: &[&str], work: &str) -> Answer<()> {
        // Whoever vacuums is out of the way before anybody waits. Others have the log before a partition of it, so nobody waits for
        // each other.
        let shared: String = lock(tables, "SHARE UPDATE EXCLUSIVE");
        let exclusive: String = lock(tables, "ACCESS EXCLUSIVE");
        let batch = format!(
            "SET LOCAL lock_timeout = '{WAIT}'; {shared}SET LOCAL lock_timeout = '{OTHERS_WAIT}'; \
             LOCK TABLE ONLY decision IN ACCESS EXCLUSIVE MODE; {exclusive}{work}COMMIT"
        );
        self.run(&batch).await
    }

    /// Undoes what was not done; `false` for what another time is better for.
    async fn settled(&self, done: Answer<bool>) -> Result<bool, StoreError> {
        if let Ok(true) = done {
            return Ok(true);
        }
        let undone = self.run("ROLLBACK").await;
        match done {
            Err(error) if !is_in_the_way(&error) => Err(error.into()),
            _ => Ok(undone.map(|()| false)?),
        }
    }

    async fn is_divided(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM pg_class WHERE oid = to_regclass('decision') AND relkind = 'p'";
        Ok(!self.rows(sql, &[]).await?.is_empty())
    }

    /// Makes the table the only partition of one that is partitioned, which has its name and indexes of the same names.
    async fn divide(&self) -> Answer<bool> {
        if !self.begin().await? {
            return Ok(false);
        }
        self.run(
            "CREATE TABLE decision_divided (LIKE decision INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (id)",
        )
        .await?;
        let first = name(None);
        let (mut rename, mut make) = (String::new(), String::new());
        for row in self.rows(INDEXES, &[]).await? {
            let (index, definition): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let rest = index.strip_prefix("decision").unwrap_or(&index);
            rename.push_str(&format!("ALTER INDEX {index} RENAME TO {first}{rest}; "));
            match row.try_get::<_, Option<String>>(2)? {
                Some(key) => make.push_str(&format!("ALTER TABLE decision ADD CONSTRAINT {index} {key}; ")),
                None => make.push_str(&format!("{definition}; ")),
            }
        }
        let all = range(None, None);
        let work = format!(
            "ALTER TABLE decision RENAME TO {first}; {rename}ALTER TABLE decision_divided RENAME TO decision; {make}\
             ALTER TABLE decision ATTACH PARTITION {first} {all}; "
        );
        self.while_others_wait(&["decision"], &work).await?;
        Ok(true)
    }

    /// Where the last partition can end, as PostgreSQL will believe or see at a glance; `None`: not now.
    async fn end(&self, last: &DecisionPartition, now: Timestamp, days: u32) -> Result<Option<Timestamp>, StoreError> {
        if let Some((table, end)) = self.promised().await?.filter(|(table, _)| *table == last.name) {
            return Ok(self.validate(&table).await?.then_some(end));
        }
        let newest = if last.is_blank { None } else { self.newest(last).await? };
        if self.bytes(last).await? <= SMALL_BYTES {
            return Ok(Some(end_of(last, after(now, SMALL_END_AHEAD), newest, days)));
        }
        let end = end_of(last, after(now, END_AHEAD), newest, days);
        let id = first_id_of(end);
        let promise = format!("ADD CONSTRAINT {CONSTRAINT} CHECK (id < '{id}') NOT VALID");
        let done = self.alter(&last.name, &promise).await;
        let is_promised = self.settled(done).await? && self.validate(&last.name).await?;
        Ok(is_promised.then_some(end))
    }

    /// Which partition has the constraint, and the end that it promises.
    async fn promised(&self) -> Result<Option<(String, Timestamp)>, StoreError> {
        let Some(row) = self.rows(PROMISED, &[]).await?.into_iter().next() else { return Ok(None) };
        let (table, definition): (String, String) = get(&row)?;
        let end = promised_end(&definition).ok_or_else(|| {
            StoreError::Damaged(format!("the constraint `{CONSTRAINT}` of `{table}` is {definition}"))
        })?;
        Ok(Some((table, end)))
    }

    /// Looks at every row, as long as it takes. Nobody waits for it.
    async fn validate(&self, table: &str) -> Result<bool, StoreError> {
        self.run("SET statement_timeout = 0").await?;
        let validated =
            self.session.run_patiently(&format!("ALTER TABLE {table} VALIDATE CONSTRAINT {CONSTRAINT}")).await;
        let validated = self.settled(validated.map(|()| true)).await?;
        self.run("SET statement_timeout = '30s'").await?;
        Ok(validated)
    }

    /// Changes a partition alone.
    async fn alter(&self, table: &str, change: &str) -> Answer<bool> {
        let shared = lock(&[table], "SHARE UPDATE EXCLUSIVE");
        let batch = format!(
            "BEGIN; SET LOCAL lock_timeout = '{WAIT}'; {shared}SET LOCAL lock_timeout = '{OTHERS_WAIT}'; \
             ALTER TABLE {table} {change}; COMMIT"
        );
        self.run(&batch).await.map(|()| true)
    }

    /// The time of the newest decision in a partition.
    async fn newest(&self, partition: &DecisionPartition) -> Result<Option<Timestamp>, StoreError> {
        let table = &partition.name;
        let present = present(table);
        let sql = format!(
            "{present} SELECT (SELECT d.id FROM {table} d WHERE d.tenant_id = p.id ORDER BY d.tenant_id DESC, d.id DESC LIMIT 1) AS newest \
             FROM present p WHERE p.id IS NOT NULL ORDER BY newest DESC LIMIT 1"
        );
        let rows = self.rows(&sql, &[]).await?;
        let newest: Option<Uuid> = rows.first().map(|row| row.try_get(0)).transpose().map_err(Error::from)?;
        Ok(newest.map(time_of))
    }

    async fn bytes(&self, partition: &DecisionPartition) -> Result<i64, StoreError> {
        let rows = self.rows(&format!("SELECT pg_relation_size('{}')", partition.name), &[]).await?;
        let bytes: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose().map_err(Error::from)?;
        Ok(bytes.unwrap_or(0))
    }

    /// Ends the last partition, and has others after it.
    async fn end_last(&self, last: &DecisionPartition, end: Timestamp, (now, days): (Timestamp, u32)) -> Answer<bool> {
        if !self.begin().await? {
            return Ok(false);
        }
        let table = &last.name;
        let ended = range(last.from, Some(end));
        let mut make = String::new();
        let mut work = format!(
            "ALTER TABLE decision DETACH PARTITION {table}; ALTER TABLE decision ATTACH PARTITION {table} {ended}; \
             ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {CONSTRAINT}; "
        );
        for (from, to) in bounds_after(end, now, days) {
            let (new, bounds) = (name(Some(from)), range(Some(from), to));
            make.push_str(&format!("CREATE TABLE {new} (LIKE decision INCLUDING ALL); "));
            work.push_str(&format!("ALTER TABLE decision ATTACH PARTITION {new} {bounds}; "));
        }
        // What takes longest is done before anybody waits.
        self.run(&make).await?;
        self.while_others_wait(&[table], &work).await?;
        Ok(true)
    }

    /// Drops a partition and a blank one before it. A blank one takes their place.
    async fn drop_both(&self, partition: &DecisionPartition, blank: Option<&DecisionPartition>) -> Answer<bool> {
        if !self.begin().await? {
            return Ok(false);
        }
        let tables: Vec<&str> = blank.into_iter().chain([partition]).map(|one| one.name.as_str()).collect();
        let from = blank.map_or(partition.from, |blank| blank.from);
        let (new, bounds, dropped) = (name(from), range(from, partition.to), tables.join(", "));
        // It may have been written into just now.
        let still_blank = blank.map_or_else(String::new, |blank| {
            format!("SELECT 1 / (CASE pg_relation_size('{}') WHEN 0 THEN 1 ELSE 0 END); ", blank.name)
        });
        let work = format!("{still_blank}DROP TABLE {dropped}; CREATE TABLE {new} PARTITION OF decision {bounds}; ");
        self.while_others_wait(&tables, &work).await?;
        Ok(true)
    }
}

#[async_trait]
impl PartitionCare for Care {
    async fn partitions(&self) -> Result<Vec<DecisionPartition>, StoreError> {
        let mut found = Vec::new();
        for row in self.rows(PARTITIONS, &[]).await? {
            let (name, bounds): (String, String) = get(&row)?;
            let bytes: i64 = row.try_get(2).map_err(Error::from)?;
            found.push(partition(name, &bounds, bytes)?);
        }
        Ok(oldest_first(found))
    }

    async fn prepare(&self, now: Timestamp, days: u32) -> Result<bool, StoreError> {
        if !self.is_divided().await? {
            let divided = self.divide().await;
            if !self.settled(divided).await? {
                return Ok(false);
            }
        }
        let partitions = self.partitions().await?;
        let Some(last) = partitions.last().filter(|last| last.to.is_none()) else {
            return Err(StoreError::Damaged("the decision log has no last partition".to_owned()));
        };
        if last.from.is_some_and(|from| from >= horizon(now, days)) {
            return Ok(true);
        }
        self.tidy(now).await?;
        let Some(end) = self.end(last, now, days).await? else { return Ok(false) };
        let ended = self.end_last(last, end, (now, days)).await;
        self.settled(ended).await
    }

    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        if let Some((table, end)) = self.promised().await?
            && end < after(now, PROMISE_ENDS_BEFORE)
        {
            let dropped = self.alter(&table, &format!("DROP CONSTRAINT {CONSTRAINT}")).await;
            self.settled(dropped).await?;
        }
        Ok(())
    }

    async fn is_kept(&self, partition: &DecisionPartition, now: Timestamp) -> Result<bool, StoreError> {
        let Some(age) = age(partition, now) else { return Ok(true) };
        let present = present(&partition.name);
        let sql = format!(
            "{present} SELECT 1 FROM present p WHERE EXISTS (SELECT 1 FROM tenant t WHERE t.tenant_id = p.id AND t.name IS NOT NULL \
             AND (t.decisions_kept_days IS NULL OR t.decisions_kept_days * 86400000000 > $1)) LIMIT 1"
        );
        Ok(!self.rows(&sql, &[&age]).await?.is_empty())
    }

    async fn forgetful(&self, partition: &DecisionPartition, now: Timestamp) -> Result<Vec<TenantId>, StoreError> {
        let Some(age) = age(partition, now) else { return Ok(Vec::new()) };
        let present = present(&partition.name);
        let sql = format!(
            "{present} SELECT t.tenant_id FROM present p JOIN tenant t ON t.tenant_id = p.id \
             WHERE t.name IS NOT NULL AND t.decisions_kept_days * 86400000000 <= $1 ORDER BY t.tenant_id"
        );
        let rows = self.rows(&sql, &[&age]).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map(TenantId)).collect::<Result<_, _>>().map_err(Error::from)?)
    }

    async fn decisions(
        &self,
        partition: &DecisionPartition,
        after: Option<&PartitionedDecision>,
        most: usize,
    ) -> Result<Vec<PartitionedDecision>, StoreError> {
        let sql = format!(
            "SELECT d.tenant_id, (SELECT t.name FROM tenant t WHERE t.tenant_id = d.tenant_id), d.id, d.record FROM {} d \
             WHERE (d.tenant_id, d.id) > ($1, $2) ORDER BY d.tenant_id, d.id LIMIT $3",
            partition.name
        );
        let (tenant, id) = after.map_or((i64::MIN, Uuid::nil()), |after| (after.tenant.0, after.decision.id.0));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.rows(&sql, &[&tenant, &id, &most]).await?;
        Ok(rows.iter().map(decision).collect::<Answer<_>>()?)
    }

    async fn drop_whole(&self, partition: &DecisionPartition) -> Result<bool, StoreError> {
        let partitions = self.partitions().await?;
        let Some(place) = partitions.iter().position(|one| one.name == partition.name && one.to == partition.to) else {
            return Ok(false);
        };
        if partition.to.is_none() {
            return Ok(false);
        }
        let before = place.checked_sub(1).and_then(|before| partitions.get(before));
        let blank = before.filter(|before| before.is_blank && before.to == partition.from);
        let dropped = self.drop_both(partition, blank).await;
        self.settled(dropped).await
    }

    async fn give_up(&self) {
        // The lock goes with the session in any case.
        drop(self.run(&format!("SELECT pg_advisory_unlock({PARTITIONS_LOCK})")).await);
    }
}

/// Statements that lock tables one after the other.
fn lock(tables: &[&str], mode: &str) -> String {
    tables.iter().map(|table| format!("LOCK TABLE ONLY {table} IN {mode} MODE; ")).collect()
}

/// Whether others are in the way, or something has changed meanwhile.
fn is_in_the_way(error: &Error) -> bool {
    let later = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::DIVISION_BY_ZERO];
    matches!(error, Error::Postgres(error) if error.code().is_some_and(|code| later.contains(code)))
}

/// The tenants that have something in a table: a look at its key for each of them.
fn present(table: &str) -> String {
    format!(
        "WITH RECURSIVE present(id) AS ((SELECT tenant_id FROM {table} ORDER BY tenant_id, id LIMIT 1) UNION ALL \
         SELECT (SELECT d.tenant_id FROM {table} d WHERE d.tenant_id > p.id ORDER BY d.tenant_id, d.id LIMIT 1) \
         FROM present p WHERE p.id IS NOT NULL)"
    )
}

/// For how long a partition has ended, in microseconds; `None`: it has not.
fn age(partition: &DecisionPartition, now: Timestamp) -> Option<i64> {
    let age = now.as_microsecond().checked_sub(partition.to?.as_microsecond())?;
    (age >= 0).then_some(age)
}

fn get(row: &Row) -> Result<(String, String), StoreError> {
    let both = row.try_get(0).and_then(|first| Ok((first, row.try_get(1)?)));
    Ok(both.map_err(Error::from)?)
}

fn decision(row: &Row) -> Answer<PartitionedDecision> {
    let record = unescaped(row.try_get(3)?);
    let record = serde_json::from_str(&record)
        .map_err(|error| Error::Damaged(format!("a decision in the log is not JSON: {error}")))?;
    Ok(PartitionedDecision {
        tenant: TenantId(row.try_get(0)?),
        tenant_name: row.try_get(1)?,
        decision: StoredDecision { id: DecisionId(row.try_get(2)?), record },
    })
}
