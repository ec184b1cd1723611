//! The writer: one thread, one connection, and group commit.
//!
//! A durable commit waits for the disk, about as long for one request as for two hundred. So the writer takes whatever
//! is queued, commits once, and only then answers. A request that fails before it has written anything, as nearly all do
//! that fail, leaves the others as they are. If one fails after that, the whole batch is rolled back and run again with a savepoint
//! for each, and that one is rolled back alone: for a savepoint SQLite keeps a copy of every page that is changed, some
//! fifteen for a create, which is a tenth of the writer's time. If the commit fails, so does everything in it. No timer waits for a batch to fill: a request that
//! comes alone is committed alone, and while that takes, the next batch gathers by itself. Where several come at a time,
//! the writer lets the other threads go first, once for as long as that brings more.
//!
//! Between the batches it sweeps what nobody sees any more ([`member_sets`], [`tables`]), a little each time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;
use crate::store::queued::Fate;
use crate::store::sql::driver::{self, Connection, params};
use crate::store::sql::{member_sets, tables};

/// Requests that may wait: four full batches. Beyond that, a caller waits for its place before it is queued.
const QUEUE_MAX: usize = 1_024;

/// Batches that are run with savepoints after one that was spoilt by a request. 64: who spoils as many as he can has a batch run
/// twice for each 65th, which costs the others a fiftieth.
const CAREFUL_FOR: u32 = 64;

/// The thread and the way to it.
pub(in crate::store::sql) struct Writer {
    /// `None` once it has been told to stop.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// A request in the queue.
trait Job: Send {
    /// Does its work in the open transaction; whether that shall stay. It may be asked again, after a rollback.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Answers, after the transaction has ended: with what the work came to, or with why it was not kept.
    fn answer(self: Box<Self>, commit: Result<(), Arc<driver::Error>>);
}

impl Writer {
    /// Starts the thread. It takes at most `batch_max` requests into one transaction.
    pub(in crate::store::sql) fn start(connection: Connection, batch_max: usize) -> Result<Self, StoreError> {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, requests, batch_max.max(1)))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// A way to the thread for those who may outlive the store.
    pub(in crate::store::sql) fn loose_end(&self) -> LooseEnd {
        LooseEnd(self.queue.as_ref().map(mpsc::Sender::downgrade))
    }
}

/// A way to the writer that does not keep it from stopping.
pub(in crate::store::sql) struct LooseEnd(Option<mpsc::WeakSender<Box<dyn Job>>>);

impl LooseEnd {
    /// Runs `work` in a transaction and returns what it came to, once that is durable. If `work` fails, nothing of it
    /// stays. It may be run twice. If the caller goes away, the work is done nevertheless: it may be half-way.
    /// Until the writer is dropped.
    pub(in crate::store::sql) async fn write<T, E>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue(work, None).await?.await.map_err(|_| StoreError::Closed)?
    }

    /// Queues `work`, behind all that is queued already, and returns where it is told what it came to. Those who rest on it know
    /// its `fate`.
    pub(in crate::store::sql) async fn queue<T, E>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, E> + Send + 'static,
        fate: Option<Fate>,
    ) -> Result<oneshot::Receiver<Result<T, E>>, StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // Not for longer than this: the thread ends when every sender is gone, and who waits for that shall not wait for us.
        let queue = self.0.as_ref().and_then(mpsc::WeakSender::upgrade).ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { work, result: None, reply, fate };
        queue.send(Box::new(request)).await.map_err(|_| StoreError::Closed)?;
        Ok(answer)
    }
}

impl Drop for Writer {
    /// Finishes what is queued, then stops.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had died");
        }
    }
}

struct Request<W, T, E> {
    work: W,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    fate: Option<Fate>,
}

impl<W, T, E> Job for Request<W, T, E>
where
    W: FnMut(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        // A bug in one request must not take the store from everybody else.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(connection)))
            .unwrap_or_else(|_| Err(StoreError::Damaged("a request to the store panicked".to_owned()).into()));
        let keep = result.is_ok();
        if let Some(fate) = &self.fate {
            // Also if it was carried once and is not any more: nobody may rest on that.
            if keep { fate.carried() } else { fate.queued() }
        }
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, commit: Result<(), Arc<driver::Error>>) {
        let result = match (self.result, commit) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(full)) if full.is_full() => Err(StoreError::Full(Box::new(full)).into()),
            (_, Err(error)) => Err(StoreError::Database(Box::new(error)).into()),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // Before the next transaction begins, in which others may rest on it.
        if let Some(fate) = self.fate {
            fate.ends(result.is_ok());
        }
        // Nobody may be waiting any more.
        drop(self.reply.send(result));
    }
}

/// The thread's life: it ends when every sender is gone and the queue is empty.
fn serve(connection: &Connection, mut requests: mpsc::Receiver<Box<dyn Job>>, batch_max: usize) {
    let mut batch = Vec::with_capacity(batch_max);
    // What an earlier run has left, to begin with.
    let mut is_swept = false;
    // How many the last transaction had.
    let mut last = 0;
    let mut careful = 0;
    loop {
        let first = if is_swept {
            requests.blocking_recv()
        } else {
            match requests.try_recv() {
                Ok(first) => Some(first),
                Err(TryRecvError::Empty) => {
                    is_swept = sweep(connection);
                    continue;
                }
                Err(TryRecvError::Disconnected) => None,
            }
        };
        let Some(first) = first else { break };
        batch.push(first);
        gather(&mut requests, &mut batch, last, batch_max);
        last = batch.len();
        let outcome = run_batch(connection, &mut batch, &mut careful).map_err(Arc::new);
        if let Err(error) = &outcome {
            tracing::error!(error = %error, "a transaction of the store failed");
        }
        for job in batch.drain(..) {
            job.answer(outcome.clone());
        }
        // However much is queued: what is never swept fills the disk.
        is_swept = sweep(connection);
    }
    // So that the next start finds one file and nothing to recover.
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", params![], |_| Ok(())) {
        tracing::warn!(error = %error, "the store's log could not be emptied");
    }
}

/// Takes what is queued; where several come at a time, also what comes while other threads have the processor.
///
/// Those who were answered together come back with their next requests at about the same time. On a busy machine the
/// writer would be faster than they are, and commit each with what few came before it. Giving way costs nothing where
/// no thread wants the processor, and somebody who comes alone, time after time, does not wait for anybody.
fn gather(requests: &mut mpsc::Receiver<Box<dyn Job>>, batch: &mut Vec<Box<dyn Job>>, last: usize, batch_max: usize) {
    let mut gave_way = false;
    loop {
        let before = batch.len();
        while batch.len() < batch_max
            && let Ok(next) = requests.try_recv()
        {
            batch.push(next);
        }
        let nobody_came = gave_way && batch.len() == before;
        let is_alone = batch.len() == 1 && last <= 1;
        if nobody_came || is_alone || batch.len() == batch_max {
            break;
        }
        std::thread::yield_now();
        gave_way = true;
    }
}

/// Sweeps a little; whether nothing is left. What fails is tried again after the next batch.
fn sweep(connection: &Connection) -> bool {
    let swept = sweep_one(connection, member_sets::is_swept, member_sets::sweep)
        .and_then(|is_swept| if is_swept { sweep_one(connection, tables::is_swept, tables::sweep) } else { Ok(false) });
    swept.unwrap_or_else(|error| {
        tracing::error!(error = %error, "rows that nobody sees could not be deleted");
        true
    })
}

fn sweep_one(
    connection: &Connection,
    is_swept: impl FnOnce(&Connection) -> driver::Result<bool>,
    sweep: impl FnOnce(&Connection) -> driver::Result<bool>,
) -> driver::Result<bool> {
    if is_swept(connection)? {
        return Ok(true);
    }
    execute(connection, "BEGIN IMMEDIATE")?;
    sweep(connection).and_then(|left| execute(connection, "COMMIT").map(|()| !left)).or_else(|error| {
        if is_autocommit(connection) { Err(error) } else { execute(connection, "ROLLBACK").and(Err(error)) }
    })
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What was done in it is durable.
    Committed,
    /// Nothing of it stays, and nothing was to.
    RolledBack,
    /// Nothing of it stays: one that failed had written something, and so had others, who have to be run again.
    Spoilt,
}

/// One transaction for all of them, or a second one. An error is one of the transaction, so of every request in it. `careful` counts
/// down the batches until one is run without savepoints again.
fn run_batch(connection: &Connection, batch: &mut [Box<dyn Job>], careful: &mut u32) -> driver::Result<()> {
    let savepoints = *careful > 0;
    *careful = careful.saturating_sub(1);
    if run_transaction(connection, batch, savepoints)? == End::Spoilt {
        *careful = CAREFUL_FOR;
        run_transaction(connection, batch, true)?;
    }
    Ok(())
}

fn run_transaction(connection: &Connection, batch: &mut [Box<dyn Job>], savepoints: bool) -> driver::Result<End> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let end = match batch {
        // A request alone in its transaction needs no savepoint: what it has written is all there is to be rolled back.
        [only] => Ok(if only.run(connection) { End::Committed } else { End::RolledBack }),
        many if savepoints => run_in_savepoints(connection, many),
        many => run_together(connection, many),
    };
    let ended = match end {
        Ok(End::Committed) => execute(connection, "COMMIT").map(|()| End::Committed),
        // It may be over already, for the same reasons as in a savepoint.
        Ok(end) if is_autocommit(connection) => Ok(end),
        Ok(end) => execute(connection, "ROLLBACK").map(|()| end),
        Err(error) => Err(error),
    };
    // A full disk ends the transaction by itself; any other failure leaves it open.
    if ended.is_err() && !is_autocommit(connection) {
        execute(connection, "ROLLBACK")?;
    }
    ended
}

/// One after the other, until one fails that has written something.
fn run_together(connection: &Connection, batch: &mut [Box<dyn Job>]) -> driver::Result<End> {
    for job in batch {
        let before = rows_changed(connection);
        if job.run(connection) {
            continue;
        }
        if is_autocommit(connection) {
            return Err(driver::Error::Undone);
        }
        if rows_changed(connection) != before {
            return Ok(End::Spoilt);
        }
    }
    Ok(End::Committed)
}

fn run_in_savepoints(connection: &Connection, batch: &mut [Box<dyn Job>]) -> driver::Result<End> {
    batch.iter_mut().try_for_each(|job| run_in_savepoint(connection, job.as_mut()))?;
    Ok(End::Committed)
}

/// Some failures (disk full, I/O error, no memory) make SQLite roll the whole transaction back, with what the requests
/// before did. The savepoint is gone then, and nothing of the batch is done.
fn run_in_savepoint(connection: &Connection, job: &mut dyn Job) -> driver::Result<()> {
    execute(connection, "SAVEPOINT request")?;
    if !job.run(connection) {
        if is_autocommit(connection) {
            return Err(driver::Error::Undone);
        }
        execute(connection, "ROLLBACK TO request")?;
    }
    execute(connection, "RELEASE request")
}

fn execute(connection: &Connection, sql: &str) -> driver::Result<()> {
    connection.execute(sql, params![]).map(drop)
}

/// How many rows the connection has ever changed.
fn rows_changed(connection: &Connection) -> u64 {
    match connection {
        Connection::Sqlite(connection) => connection.total_changes(),
        Connection::Postgres(_) => 0,
    }
}

/// Whether no transaction is open.
fn is_autocommit(connection: &Connection) -> bool {
    match connection {
        Connection::Sqlite(connection) => connection.is_autocommit(),
        Connection::Postgres(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc as blocking;

    use super::*;

    /// A writer of a table that holds numbers, in memory.
    fn writer() -> Writer {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE number(n INTEGER NOT NULL)").unwrap();
        Writer::start(Connection::Sqlite(connection), 16).unwrap()
    }

    fn insert(connection: &Connection, number: i64) -> Result<(), StoreError> {
        connection.execute("INSERT INTO number(n) VALUES (?1)", params![number])?;
        Ok(())
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT n FROM number ORDER BY n")?;
            let numbers = statement.query_map(params![], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok::<Vec<i64>, StoreError>(numbers)
        };
        writer.loose_end().write(read).await.unwrap()
    }

    /// Queues what comes next behind a request that lasts until it is told to end, so that it goes into one transaction.
    async fn hold(writer: &Writer) -> blocking::Sender<()> {
        let (end, ended) = blocking::channel();
        let (begun, has_begun) = blocking::channel();
        let wait = move |_: &Connection| {
            begun.send(()).unwrap();
            ended.recv().unwrap();
            Ok::<(), StoreError>(())
        };
        drop(writer.loose_end().queue(wait, None).await.unwrap());
        has_begun.recv().unwrap();
        end
    }

    /// One batch of requests that insert 1 and 2, and between them one that fails after or before it has inserted -1. It alone fails;
    /// how often each was run.
    async fn batch(writer: &Writer, fails_late: bool) -> [u32; 3] {
        let end = hold(writer).await;
        let runs: Arc<[AtomicU32; 3]> = Arc::default();
        let counted = |place: usize, work: fn(&Connection) -> Result<(), StoreError>| {
            let runs = Arc::clone(&runs);
            move |connection: &Connection| {
                runs[place].fetch_add(1, Ordering::Relaxed);
                work(connection)
            }
        };
        let queue = async |work| writer.loose_end().queue(work, None).await.unwrap();
        let first = queue(counted(0, |connection| insert(connection, 1))).await;
        let failing = match fails_late {
            true => queue(counted(1, |connection| insert(connection, -1).and(Err(StoreError::Closed)))).await,
            false => queue(counted(1, |_| Err(StoreError::Closed))).await,
        };
        let last = queue(counted(2, |connection| insert(connection, 2))).await;
        end.send(()).unwrap();
        first.await.unwrap().unwrap();
        failing.await.unwrap().unwrap_err();
        last.await.unwrap().unwrap();
        [0, 1, 2].map(|place| runs[place].load(Ordering::Relaxed))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_fails_before_he_writes_costs_the_others_nothing() {
        let writer = writer();
        assert_eq!(batch(&writer, false).await, [1, 1, 1]);
        assert_eq!(numbers(&writer).await, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_fails_after_he_has_written_is_rolled_back_alone_and_has_the_next_batches_run_with_care() {
        let writer = writer();
        assert_eq!(batch(&writer, true).await, [2, 2, 1]);
        assert_eq!(numbers(&writer).await, [1, 2]);
        assert_eq!(batch(&writer, true).await, [1, 1, 1]);
        assert_eq!(numbers(&writer).await, [1, 1, 2, 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_rests_on_what_was_carried_in_a_transaction_that_was_rolled_back() {
        let writer = writer();
        let end = hold(&writer).await;
        let (fate, premise) = Fate::open();
        // Written the first time; then he sees that another one has spoilt it.
        let mut runs = 0;
        let once = move |connection: &Connection| {
            runs += 1;
            insert(connection, 1)?;
            if runs == 1 { Ok(()) } else { Err(StoreError::Closed) }
        };
        let once = writer.loose_end().queue(once, Some(fate)).await.unwrap();
        let spoils = |connection: &Connection| insert(connection, -1).and(Err::<(), _>(StoreError::Closed));
        let spoils = writer.loose_end().queue(spoils, None).await.unwrap();
        let rests = move |connection: &Connection| match premise.holds() {
            true => insert(connection, 2),
            false => Err(StoreError::Closed),
        };
        let rests = writer.loose_end().queue(rests, None).await.unwrap();
        end.send(()).unwrap();
        for answer in [once, spoils, rests] {
            answer.await.unwrap().unwrap_err();
        }
        assert!(numbers(&writer).await.is_empty());
    }
}
