//! [`Session`]: one connection to a server, asked from threads that wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::server::Era;
use super::spelling::spelling;
use crate::store::sql::driver::{Error, Result, Value};

/// Begins a transaction that sees one moment and writes nothing.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Begins one that writes.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// The longest that anybody waits for an answer. A server that works ends a statement before, by its `statement_timeout`; not so
/// one that hangs, and one whose commits wait for a standby that has gone.
const ANSWER_MAX: Duration = Duration::from_secs(35);

/// A session. A transaction is begun together with its first statement, so that it costs no way to the server of its own.
pub(in crate::store::sql) struct Session {
    client: Client,
    runtime: Handle,
    prepared: Mutex<HashMap<String, Statement>>,
    transaction: Mutex<Transaction>,
    conflicted: AtomicBool,
    /// Whether it waits for answers however long they take.
    patient: AtomicBool,
    /// Whether an answer has not come in time. It may still come.
    silent: AtomicBool,
    /// Whether its server has said that it is not the one any more, or not at the moment.
    spent: AtomicBool,
    era: Arc<Era>,
    /// The one that it is of.
    born: u64,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// It is to be begun by this, with the next statement.
    Wanted(&'static str),
    /// The server has been told.
    Begun,
}

impl Session {
    pub(super) fn new(client: Client, runtime: Handle, era: Arc<Era>) -> Self {
        Self {
            client,
            runtime,
            prepared: Mutex::default(),
            transaction: Mutex::new(Transaction::None),
            conflicted: AtomicBool::new(false),
            patient: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            born: era.number(),
            era,
        }
    }

    /// For what is not a statement with parameters.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Where it lives.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Whether nothing can be asked any more, or another server should be.
    pub(in crate::store::sql) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.spent.load(Ordering::Relaxed) || self.era.number() != self.born
    }

    /// From now on waits for each answer, however long that takes.
    pub(super) fn be_patient(&self) {
        self.patient.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has given up waiting for an answer.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Waits until nothing is being done here any more, because the server has answered or is gone.
    pub(super) async fn settle(&self) {
        // Whatever comes of that comes after all that was asked before.
        drop(self.client.batch_execute("ROLLBACK").await);
    }

    /// What is asked from now on is of the moment of the first question, and writes nothing.
    pub(in crate::store::sql) fn begin_snapshot(&self) {
        self.set_transaction(Transaction::Wanted(BEGIN_SNAPSHOT));
    }

    /// What is done from now on is done together.
    pub(super) fn begin_write(&self) {
        self.conflicted.store(false, Ordering::Relaxed);
        self.set_transaction(Transaction::Wanted(BEGIN_WRITE));
    }

    /// Makes what was done last.
    pub(super) fn commit(&self) -> Result<()> {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun => self.execute_batch("COMMIT"),
            Transaction::None | Transaction::Wanted(_) => Ok(()),
        }
    }

    /// Undoes what was done.
    pub(super) fn roll_back(&self) -> Result<()> {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun => self.execute_batch("ROLLBACK"),
            Transaction::None | Transaction::Wanted(_) => Ok(()),
        }
    }

    /// Ends the transaction without anybody waiting for it, and hands the session on if it is in order then.
    pub(in crate::store::sql) fn end_snapshot(self, give_back: impl FnOnce(Self) + Send + 'static) {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun => {
                let runtime = self.runtime.clone();
                runtime.spawn(async move {
                    match self.client.batch_execute("ROLLBACK").await {
                        Ok(()) => give_back(self),
                        Err(error) => {
                            tracing::warn!(error = %Error::from(error), "a read transaction could not be ended");
                        }
                    }
                });
            }
            Transaction::None | Transaction::Wanted(_) => give_back(self),
        }
    }

    /// Whether another transaction has been in the way of this one.
    pub(super) fn has_conflicted(&self) -> bool {
        self.conflicted.load(Ordering::Relaxed)
    }

    /// Prepares a statement, or takes it from those that are.
    pub(in crate::store::sql) fn prepare(&self, sql: &str) -> Result<Statement> {
        if let Some(known) = self.known(sql) {
            return Ok(known);
        }
        self.runtime.block_on(self.prepare_async(sql))
    }

    /// The same for those who do not wait.
    async fn prepare_async(&self, sql: &str) -> Result<Statement> {
        if let Some(known) = self.known(sql) {
            return Ok(known);
        }
        let statement = self.answer(self.client.prepare(&spelling(sql))).await?;
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn known(&self, sql: &str) -> Option<Statement> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned()
    }

    /// Runs a statement; how many rows it has changed.
    pub(in crate::store::sql) fn execute(&self, statement: &Statement, values: &[Value<'_>]) -> Result<usize> {
        let values = parameters(values);
        let done = self.runtime.block_on(self.answer(self.in_transaction(self.client.execute(statement, &values))));
        done.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX))
    }

    /// Asks for rows.
    pub(in crate::store::sql) fn query(&self, statement: &Statement, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let values = parameters(values);
        self.runtime.block_on(self.answer(self.in_transaction(self.client.query(statement, &values))))
    }

    /// Asks with a statement that is PostgreSQL's own, outside of a transaction of several.
    pub(super) async fn query_raw(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let statement = self.prepare_async(sql).await?;
        self.answer(self.client.query(&statement, values)).await
    }

    /// Runs statements without parameters.
    pub(in crate::store::sql) fn execute_batch(&self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.answer(self.in_transaction(self.client.batch_execute(sql))))
    }

    /// Sends the beginning of a transaction ahead of its first statement, if there is one to be sent.
    async fn in_transaction<T>(
        &self,
        statement: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, tokio_postgres::Error> {
        let begin = {
            let mut transaction = self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
            match *transaction {
                Transaction::Wanted(begin) => {
                    *transaction = Transaction::Begun;
                    Some(begin)
                }
                Transaction::None | Transaction::Begun => None,
            }
        };
        let Some(begin) = begin else { return statement.await };
        // In this order: each is sent when it is first polled.
        let (begun, done) = tokio::join!(biased; self.client.batch_execute(begin), statement);
        begun?;
        done
    }

    fn set_transaction(&self, transaction: Transaction) -> Transaction {
        std::mem::replace(&mut *self.transaction.lock().unwrap_or_else(PoisonError::into_inner), transaction)
    }

    /// What the server answers, if it does in time.
    async fn answer<T>(&self, asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
        if self.is_silent() {
            return Err(Error::Silent);
        }
        let done = if self.patient.load(Ordering::Relaxed) {
            asked.await
        } else {
            match tokio::time::timeout(ANSWER_MAX, asked).await {
                Ok(done) => done,
                Err(_) => {
                    self.silent.store(true, Ordering::Relaxed);
                    // Nobody else shall wait as long to hear no more.
                    self.era.end();
                    return Err(Error::Silent);
                }
            }
        };
        let done = done.map_err(Error::from);
        if let Err(error) = &done {
            if error.is_conflict() {
                self.conflicted.store(true, Ordering::Relaxed);
            }
            if error.is_away() {
                self.spent.store(true, Ordering::Relaxed);
            }
        }
        done
    }
}

fn parameters<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
