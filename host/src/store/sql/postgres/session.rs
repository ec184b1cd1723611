//! [`Session`]: one connection to a server, asked from threads that wait or by tasks.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::foreseen::{Foreseen, Question};
use super::line::Line;
use super::server::Era;
use super::spelling::spelling;
use crate::store::sql::driver::{Error, Result, Value};

/// How statements are planned that know what they look for by its key: a plan fits every set of values, and is made once; and nothing
/// is found by looking through a table, which would be in the way of everybody who writes there, however small the table is.
pub(super) const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off";

/// The longest that anybody waits for an answer. A server that works ends a statement before, by its `statement_timeout`; not so
/// one that hangs, and one whose commits wait for a standby that has gone.
const ANSWER_MAX: Duration = Duration::from_secs(35);

/// What the server says to the end of a transaction.
type Ending = Pin<Box<dyn Future<Output = std::result::Result<(), tokio_postgres::Error>> + Send>>;

/// A session. A transaction is begun together with its first statement, so that it costs no way to the server of its own.
pub(in crate::store::sql) struct Session {
    // Both are dropped first, so that the line tells the server.
    client: Arc<Client>,
    /// The end of the transaction before, which was not waited for.
    ending: Mutex<Option<Ending>>,
    line: Line,
    prepared: Mutex<HashMap<String, Prepared>>,
    transaction: Mutex<Transaction>,
    /// What is going to be asked in a snapshot.
    foreseen: Mutex<Foreseen>,
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

/// A statement that is prepared in a session, of which it has this number.
#[derive(Clone)]
pub(in crate::store::sql) struct Prepared {
    pub(super) statement: Statement,
    pub(super) number: usize,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// It is to be begun with the next statement.
    Wanted(Kind),
    /// The server has been told.
    Begun(Kind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It sees one moment and writes nothing.
    Snapshot,
    /// It writes.
    Write,
}

impl Kind {
    fn begin(self) -> &'static str {
        match self {
            Self::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        }
    }
}

impl Session {
    pub(super) fn new(client: Client, line: Line, era: Arc<Era>) -> Self {
        Self {
            client: Arc::new(client),
            ending: Mutex::default(),
            line,
            prepared: Mutex::default(),
            transaction: Mutex::new(Transaction::None),
            foreseen: Mutex::default(),
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

    /// Waits for what is done with the client. On a thread that may wait.
    pub(super) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.line.wait(asked)
    }

    /// Whether it can be used once more: its last transaction has ended, and the server is there. On a thread that may wait.
    pub(in crate::store::sql) fn is_ready(&self) -> bool {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = match ending {
            Some(ending) => self.line.wait(self.answer(ending)).map(drop),
            None => {
                self.line.catch_up();
                Ok(())
            }
        };
        if let Err(error) = &ended {
            tracing::warn!(%error, "a read transaction could not be ended");
        }
        ended.is_ok() && !self.is_closed()
    }

    /// Whether nothing can be asked any more, or another server should be, by what is known.
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
        self.set_transaction(Transaction::Wanted(Kind::Snapshot));
    }

    /// What is done from now on is done together.
    pub(super) fn begin_write(&self) {
        self.conflicted.store(false, Ordering::Relaxed);
        self.set_transaction(Transaction::Wanted(Kind::Write));
    }

    /// Makes what was done last.
    pub(super) fn commit(&self) -> Result<()> {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun(_) => self.execute_batch("COMMIT"),
            Transaction::None | Transaction::Wanted(_) => Ok(()),
        }
    }

    /// Undoes what was done.
    pub(super) fn roll_back(&self) -> Result<()> {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun(_) => self.execute_batch("ROLLBACK"),
            Transaction::None | Transaction::Wanted(_) => Ok(()),
        }
    }

    /// Ends the transaction without waiting for that: whoever uses the session [next](Self::is_ready) does, and most of the time need
    /// not.
    pub(in crate::store::sql) fn end_snapshot(&self) {
        match self.set_transaction(Transaction::None) {
            Transaction::Begun(_) => {
                let client = Arc::clone(&self.client);
                let mut ending: Ending = Box::pin(async move { client.batch_execute("ROLLBACK").await });
                let ended = self.line.send(ending.as_mut());
                // What is over at once has failed.
                self.spent.fetch_or(ended.is_ready(), Ordering::Relaxed);
                *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = ended.is_pending().then_some(ending);
            }
            Transaction::None | Transaction::Wanted(_) => {}
        }
    }

    /// Whether another transaction has been in the way of this one.
    pub(super) fn has_conflicted(&self) -> bool {
        self.conflicted.load(Ordering::Relaxed)
    }

    /// Prepares a statement, or takes it from those that are.
    pub(in crate::store::sql) fn prepare(&self, sql: &str) -> Result<Prepared> {
        if let Some(known) = self.known(sql) {
            return Ok(known);
        }
        self.line.wait(self.prepare_async(sql))
    }

    /// The same for those who do not wait.
    async fn prepare_async(&self, sql: &str) -> Result<Prepared> {
        if let Some(known) = self.known(sql) {
            return Ok(known);
        }
        let statement = self.answer(self.client.prepare(&spelling(sql))).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Prepared { statement, number: prepared.len() };
        prepared.insert(sql.to_owned(), new.clone());
        Ok(new)
    }

    fn known(&self, sql: &str) -> Option<Prepared> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned()
    }

    /// Runs a statement; how many rows it has changed.
    pub(in crate::store::sql) fn execute(
        &self,
        Prepared { statement, .. }: &Prepared,
        values: &[Value<'_>],
    ) -> Result<usize> {
        let values = parameters(values);
        let done = self.line.wait(self.answer(self.in_transaction(self.client.execute(statement, &values))));
        done.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX))
    }

    /// Asks for rows, or has them already.
    pub(in crate::store::sql) fn query(&self, prepared: &Prepared, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let along = {
            let mut foreseen = self.foreseen();
            if let Some(answer) = foreseen.take(prepared, values) {
                return Ok(answer);
            }
            foreseen.unasked()
        };
        let values = parameters(values);
        let question = self.client.query(&prepared.statement, &values);
        if along.is_empty() {
            return self.line.wait(self.answer(self.in_transaction(question)));
        }
        let asked = async {
            // Each is sent when it is first polled, so in this order. If one of them fails, those after it fail for that alone.
            let (rows, answers) = tokio::join!(biased; question, join_all(along.iter().map(|one| self.ask(one))));
            Ok((rows?, answers.into_iter().collect::<std::result::Result<Vec<_>, _>>()?))
        };
        let (rows, answers) = self.line.wait(self.answer(self.in_transaction(asked)))?;
        self.foreseen().keep(answers);
        Ok(rows)
    }

    async fn ask(&self, question: &Question) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query(&question.statement.statement, &parameters(&question.values)).await
    }

    /// Notes a question that is going to be asked in this snapshot. It is asked along with the one before it. Elsewhere it may
    /// come to something else by then.
    pub(in crate::store::sql) fn foresee(&self, sql: &str, values: &[Value<'_>]) -> Result<()> {
        let transaction = *self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
        if let Transaction::Wanted(Kind::Snapshot) | Transaction::Begun(Kind::Snapshot) = transaction {
            let prepared = self.prepare(sql)?;
            self.foreseen().note(&prepared, values);
        }
        Ok(())
    }

    fn foreseen(&self) -> MutexGuard<'_, Foreseen> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks with a statement that is PostgreSQL's own, outside of a transaction of several.
    pub(super) async fn query_raw(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let Prepared { statement, .. } = self.prepare_async(sql).await?;
        self.answer(self.client.query(&statement, values)).await
    }

    /// The same with a statement that is asked once.
    pub(super) async fn query_async(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.answer(self.client.query(sql, values)).await
    }

    /// Runs statements that are PostgreSQL's own, as they are written.
    pub(super) async fn run_async(&self, sql: &str) -> Result<()> {
        self.answer(self.client.batch_execute(sql)).await
    }

    /// The same, however long they take.
    pub(super) async fn run_patiently(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Runs statements without parameters.
    pub(in crate::store::sql) fn execute_batch(&self, sql: &str) -> Result<()> {
        self.line.wait(self.answer(self.in_transaction(self.client.batch_execute(sql))))
    }

    /// Sends the beginning of a transaction ahead of its first statement, if there is one to be sent.
    async fn in_transaction<T>(
        &self,
        statement: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, tokio_postgres::Error> {
        let begin = {
            let mut transaction = self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
            match *transaction {
                Transaction::Wanted(kind) => {
                    *transaction = Transaction::Begun(kind);
                    Some(kind.begin())
                }
                Transaction::None | Transaction::Begun(_) => None,
            }
        };
        let Some(begin) = begin else { return statement.await };
        // In this order: each is sent when it is first polled.
        let (begun, done) = tokio::join!(biased; self.client.batch_execute(begin), statement);
        begun?;
        done
    }

    fn set_transaction(&self, transaction: Transaction) -> Transaction {
        self.foreseen().forget();
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
