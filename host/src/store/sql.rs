//! The store in a database: a file of SQLite's, which one thread writes with group commit, or a server of PostgreSQL's, which
//! any number of nodes write. What is asked and written is the same, and so is the code that asks it ([`driver`]).
//!
//! What is in a file goes to a server by [`moving`], and into a copy by [`backup`].
//!
//! Start at [`writer`] for how a write becomes durable, at [`commit`] for what one does, and at [`pool`] and
//! [`snapshot`] for how it is read meanwhile. What only one database needs is in [`sqlite`] and [`postgres`].

mod access;
mod activations;
mod asynchronous;
mod backup;
mod budget;
mod change_set;
mod commit;
mod decisions;
mod definitions;
mod driver;
mod filling;
mod find;
mod glimpse;
mod idle;
mod look_up;
mod member_sets;
mod membership;
mod migrate;
mod models;
mod moving;
mod names;
mod nodes;
mod page;
mod plugins;
mod pool;
mod postgres;
mod redefine;
mod represent;
mod row;
mod signing;
mod snapshot;
mod sqlite;
mod staged;
mod table_upload;
mod tables;
mod tenant;
mod tenants;
mod threads;
mod tokens;
mod view;
mod waivers;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

pub use self::backup::{check_integrity, check_servable, copy_file, file_name, must_know};
use self::driver::{Connection, params};
use self::filling::Fillings;
use self::membership::SqlMembership;
use self::models::Models;
pub use self::moving::{give_up_move, move_to_postgres};
use self::names::Names;
use self::pool::{Pool, Source};
use self::redefine::{Turns, Watches};
use self::tenant::SqlTenant;
use self::threads::Threads;
use self::writer::Writer;
use crate::decision::{TenantId, Txn};
use crate::scim::schema::SchemaRegistry;
use crate::store::{
    DecisionPartition, LiveNode, Membership, NewNode, PartitionCare, Store, StoreError, StoredComponent, Tenant,
    TenantStore, TokenHash, TokenOwner,
};

/// The file's name in the data directory.
const FILE: &str = "scruple.db";

/// Time between two tries to go on with a deletion that the database could not do.
const DELETE_AGAIN: Duration = Duration::from_millis(100);

/// How the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Snapshots that may live at once, of one tenant a quarter; whoever wants another waits. Each has a connection: of SQLite
    /// with up to 1 MiB of cache, of PostgreSQL one of those that its server allows.
    pub snapshots_max: usize,
    /// Requests that share one durable transaction of SQLite's at most. 1 switches group commit off.
    pub batch_max: usize,
}

impl Default for StoreOptions {
    /// 64 snapshots: as many requests in evaluation as a machine with many cores works on at a time, at 64 MiB at most.
    /// 256 requests a batch: at about 100 µs of work each a batch ends within some 25 ms.
    fn default() -> Self {
        Self { snapshots_max: 64, batch_max: 256 }
    }
}

/// One of those that work with a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id, the same after a restart.
    pub id: Uuid,
    /// By this it is told whether it has the same keys as the others. It gives none of them away.
    pub keys: String,
}

/// A store in a database. Cheap to clone. When the last clone, with every [`TenantStore`] it gave, is dropped, what
/// is queued is finished and a file is left in order.
#[derive(Clone)]
pub struct SqlStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped in this order: readers first, so that the writer can empty the log when it stops.
    pool: Arc<Pool>,
    writer: Writer,
    shared: Arc<Shared>,
}

/// What reads and writes need beside a connection.
struct Shared {
    names: Arc<Names>,
    models: Models,
    watches: Watches,
    /// Of those who define.
    turns: Turns,
    fillings: Fillings,
    /// Of the nodes that the database has, this one; in a file there is no other.
    node: Uuid,
}

impl Shared {
    /// Puts what an older program has left in order, and reads what is needed all the time.
    fn open(connection: &Connection, node: Uuid) -> Result<Self, StoreError> {
        let base = Arc::new(SchemaRegistry::core());
        let names = Arc::new(Names::default());
        let models = Models::new(Arc::clone(&base), Arc::clone(&names));
        in_transaction(connection, |connection| names::add(connection, &base))?;
        names.learn(connection)?;
        in_transaction(connection, |connection| names::rebuild_indexes(connection, &base, &models, &names))?;
        finish_deletions(connection)?;
        let (watches, turns, fillings) = (Watches::default(), Turns::default(), Fillings::default());
        Ok(Self { names, models, watches, turns, fillings, node })
    }
}

impl SqlStore {
    /// Opens the store in a directory, and makes both if need be.
    pub fn sqlite(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        make_private(directory).map_err(|source| StoreError::Path { path: directory.to_owned(), source })?;
        let path = directory.join(FILE);
        let connection = sqlite::open_writer(&path)?;
        let connection = Connection::Sqlite(connection);
        let shared = Arc::new(prepare_file(&connection)?);
        moving::must_be_here(&connection)?;
        let threads = Arc::new(Threads::start(Pool::threads_for(options.snapshots_max))?);
        let pool = Arc::new(Pool::new(Source::Sqlite(path), options.snapshots_max, threads));
        let writer = Writer::Sqlite(sqlite::Writer::start(connection, options.batch_max)?);
        Ok(Self { inner: Arc::new(Inner { pool, writer, shared }) })
    }

    /// Opens the store in a PostgreSQL database, and makes its tables if need be. `ca_file` has the certificates that its
    /// server's is checked against, if not those that the system trusts. All nodes with one database have the same keys: what
    /// one has hashed or sealed, another would not know.
    pub fn postgres(url: &str, ca_file: Option<&Path>, node: &Node, options: StoreOptions) -> Result<Self, StoreError> {
        // On a thread that may wait, whoever calls.
        let open = || Self::open_postgres(url, ca_file, node, options);
        std::thread::scope(|scope| scope.spawn(open).join()).unwrap_or(Err(StoreError::Closed))
    }

    fn open_postgres(
        url: &str,
        ca_file: Option<&Path>,
        node: &Node,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let threads =
            Pool::threads_for(options.snapshots_max).saturating_add(postgres::WRITERS_MAX + postgres::CALLS_MAX);
        let threads = Arc::new(Threads::start(threads)?);
        let server = Arc::new(postgres::Server::new(url, ca_file, threads.handle()?.clone())?);
        let connection = Connection::Postgres(server.connect()?);
        let shared = postgres::alone(&connection, || {
            migrate::migrate(&connection)?;
            moving::must_be_whole(&connection)?;
            postgres::claim(&connection, &node.keys)?;
            Shared::open(&connection, node.id)
        });
        let shared = Arc::new(shared?);
        let source = Source::Postgres(Arc::clone(&server), postgres::AskedTogether::new(&server));
        let pool = Arc::new(Pool::new(source, options.snapshots_max, Arc::clone(&threads)));
        server.runtime().spawn(pool::close_unused(Arc::downgrade(&pool)));
        let writer = Writer::Postgres(postgres::Writer::new(server, threads));
        Ok(Self { inner: Arc::new(Inner { pool, writer, shared }) })
    }
}

/// Brings a file to the newest shape, and puts in order what the program before has left.
fn prepare_file(connection: &Connection) -> Result<Shared, StoreError> {
    migrate::migrate(connection)?;
    let shared = Shared::open(connection, Uuid::nil())?;
    member_sets::abandon_all(connection)?;
    tables::abandon_all(connection)?;
    Ok(shared)
}

/// Whether a directory has a file of SQLite's with what a store has.
pub fn has_file(directory: &Path) -> bool {
    directory.join(FILE).is_file()
}

/// Only the owner may look into it: it holds personal data.
fn make_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Deletes what is left of tenants whose deletion was cut off.
fn finish_deletions(connection: &Connection) -> Result<(), StoreError> {
    for tenant in tenants::hidden(connection)? {
        while !in_transaction(connection, |connection| tenants::purge(connection, tenant))? {}
    }
    Ok(())
}

/// For the time before the writer runs.
fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch(match connection {
        Connection::Sqlite(_) => "BEGIN IMMEDIATE",
        Connection::Postgres(_) => "BEGIN",
    })?;
    let done = work(connection);
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

#[async_trait]
impl Store for SqlStore {
    async fn create_tenant(&self, name: &str, at: Timestamp) -> Result<Option<Tenant>, StoreError> {
        let name = name.to_owned();
        self.inner.writer.write(move |connection| tenants::create(connection, &name, at)).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.inner.pool.read(tenants::all).await
    }

    async fn forgetful_tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.inner.pool.read(tenants::forgetful).await
    }

    async fn tenant_named(&self, name: &str) -> Result<Option<Tenant>, StoreError> {
        let name = name.to_owned();
        self.inner.pool.read(move |connection| tenants::named(connection, &name)).await
    }

    async fn delete_tenant(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let writer = self.inner.writer.loose_end();
        let deletion = async move {
            let Some(tenant) = writer.write(move |connection| tenants::hide(connection, &name)).await? else {
                return Ok(false);
            };
            loop {
                match writer.write(move |connection| tenants::purge(connection, tenant)).await {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    // It is deleted, whoever asks; its rows go when the database can do it again.
                    Err(error) if error.is_passing() => tokio::time::sleep(DELETE_AGAIN).await,
                    Err(error) => return Err(error),
                }
            }
        };
        // What is hidden cannot be deleted once more: a caller who goes away must not leave it half done.
        self.inner.pool.threads().detached(deletion).await
    }

    async fn token_owner(&self, hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError> {
        let hash = *hash;
        self.inner.pool.read(move |connection| tokens::owner(connection, &hash)).await
    }

    async fn component(&self, digest: &str) -> Result<Option<StoredComponent>, StoreError> {
        let digest = digest.to_owned();
        self.inner.pool.read(move |connection| plugins::component(connection, &digest)).await
    }

    async fn unfinished(&self) -> Result<Vec<(TenantId, Txn)>, StoreError> {
        let node = self.inner.shared.node;
        self.inner.pool.read(move |connection| asynchronous::unfinished(connection, node)).await
    }

    async fn join(&self, node: NewNode) -> Result<Arc<dyn Membership>, StoreError> {
        Ok(Arc::new(SqlMembership::begin(Arc::clone(&self.inner), node).await?))
    }

    async fn nodes(&self) -> Result<Vec<LiveNode>, StoreError> {
        self.inner.pool.read(nodes::live).await
    }

    async fn decision_partitions(&self) -> Result<Vec<DecisionPartition>, StoreError> {
        match &self.inner.writer {
            Writer::Sqlite(_) => Ok(Vec::new()),
            Writer::Postgres(_) => self.inner.pool.read(postgres::partitions).await,
        }
    }

    async fn care_for_partitions(&self) -> Result<Option<Arc<dyn PartitionCare>>, StoreError> {
        match &self.inner.writer {
            Writer::Sqlite(_) => Ok(None),
            Writer::Postgres(writer) => {
                Ok(postgres::Care::take(writer).await?.map(|care| Arc::new(care) as Arc<dyn PartitionCare>))
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.pool.read(|connection| Ok(connection.query_row("SELECT 1", params![], |_| Ok(()))?)).await
    }

    fn tenant(&self, tenant: TenantId) -> Arc<dyn TenantStore> {
        Arc::new(SqlTenant { tenant, inner: Arc::clone(&self.inner) })
    }
}
