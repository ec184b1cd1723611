//! PostgreSQL servers of a test's own, which it may stop, kill and promote.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// One server with its data. It is ended when this is dropped.
pub struct Cluster {
    // Its socket and its data: as root, PostgreSQL runs as another user, who may not see most folders.
    folder: TempDir,
    port: u16,
}

/// How long a server may be asked by more than it has room for.
const ROOM_WITHIN: Duration = Duration::from_secs(10);

/// What no server of a test needs: what it keeps goes with it. Only its socket leads to it.
const SETTINGS: &str = "listen_addresses = ''\nfsync = off\nshared_buffers = 32MB\nmax_wal_size = 256MB\n\
                        max_pred_locks_per_transaction = 256\nlog_min_messages = warning\n";

impl Cluster {
    /// Makes one, with more settings, a line each, and starts it.
    pub fn start(settings: &str) -> Self {
        let cluster = Self::make(5432, settings);
        cluster.launch();
        cluster
    }

    /// Makes one that listens on this port of the loopback interface, and does not start it.
    pub fn make_listening(port: u16, settings: &str) -> Self {
        Self::make(port, &format!("listen_addresses = '127.0.0.1'\nport = {port}\n{settings}"))
    }

    fn make(port: u16, settings: &str) -> Self {
        let cluster = Self { folder: folder(), port };
        let data = cluster.data();
        let mut initdb = as_its_user("initdb");
        initdb.arg("--pgdata").arg(&data).args(["--username", "scruple", "--auth", "trust", "--encoding", "UTF8"]);
        run(initdb.arg("--no-sync"));
        cluster.configure(&format!("{SETTINGS}{settings}"));
        cluster
    }

    /// Makes a server that follows another one under a name, and starts it.
    pub fn standby_of(primary: &Self, name: &str) -> Self {
        let standby = Self { folder: folder(), port: primary.port };
        let mut copy = as_its_user("pg_basebackup");
        copy.arg("--host").arg(primary.folder.path()).args(["--username", "scruple", "--checkpoint", "fast"]);
        run(copy.args(["--write-recovery-conf", "--no-sync", "--pgdata"]).arg(standby.data()));
        standby.configure(&format!("cluster_name = '{name}'\n"));
        standby.launch();
        standby
    }

    /// The folder of its socket, as an address has it.
    pub fn host(&self) -> String {
        self.folder.path().to_str().expect("a path of ASCII").replace('/', "%2F")
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://scruple@{}:{}/postgres", self.host(), self.port)
    }

    /// Puts a file into its data folder that nobody else may read.
    pub fn put(&self, name: &str, content: &[u8]) {
        let path = self.data().join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("a file of its own");
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("a file is given away");
        }
    }

    /// Adds settings, a line each, for its next start.
    pub fn configure(&self, settings: &str) {
        let path = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path).expect("its settings");
        writeln!(text, "unix_socket_directories = '{}'\n{settings}", self.folder.path().display()).expect("a text");
        std::fs::write(path, text).expect("its settings");
    }

    /// Starts it, and waits until it answers.
    pub fn launch(&self) {
        let log = self.folder.path().join("log");
        let mut start = self.control("start");
        start.arg("--log").arg(&log);
        let started = start.output().expect("pg_ctl");
        assert!(started.status.success(), "{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Stops it: `fast` as an operator does, who lets no transaction end, `immediate` as if its machine were gone.
    pub fn stop(&self, mode: &str) {
        run(self.control("stop").args(["--mode", mode]));
    }

    /// Ends every process of it at once (SIGKILL).
    pub fn kill(&self) {
        let pids = self.processes();
        signal("-KILL", &pids);
        while pids.iter().any(|pid| is_alive(pid)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // What it would have removed itself, so that it can be started once more.
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Has it, or every process of it, stand still, or go on.
    pub fn freeze(&self, frozen: bool) {
        // The first is the one that would start others.
        signal(if frozen { "-STOP" } else { "-CONT" }, &self.processes());
    }

    /// Makes a standby one that takes writes, and waits until it does.
    pub fn promote(&self) {
        run(&mut self.control("promote"));
    }

    /// Runs a statement in its database.
    pub fn execute(&self, sql: &str) {
        let (config, sql): (Config, String) = (self.url().parse().expect("an address"), sql.to_owned());
        apart(async move {
            let client = connect(&config).await;
            client.batch_execute(&sql).await.expect("a statement");
        });
    }

    /// What a statement counts.
    pub fn count(&self, sql: &str) -> i64 {
        let (config, sql): (Config, String) = (self.url().parse().expect("an address"), sql.to_owned());
        apart(async move {
            let client = connect(&config).await;
            client.query_one(&sql, &[]).await.expect("a row").get(0)
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn control(&self, what: &str) -> Command {
        let mut command = as_its_user("pg_ctl");
        command.arg(what).arg("--pgdata").arg(self.data()).args(["--silent", "--wait", "--timeout", "30"]);
        command
    }

    /// The process that was started, and those that it has started.
    fn processes(&self) -> Vec<String> {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("the process of a server");
        let pid = pid.lines().next().expect("a line").to_owned();
        let children = std::fs::read_dir("/proc").expect("processes").flatten().filter_map(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // "123 (postgres) S 45 …": after the name, which may have blanks, the state and the parent.
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
            (parent == pid).then(|| process.file_name().to_string_lossy().into_owned())
        });
        std::iter::once(pid.clone()).chain(children.collect::<Vec<_>>()).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            let _ = self.control("stop").args(["--mode", "immediate"]).output();
        }
    }
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("scruple-cluster-").tempdir().expect("a temporary folder");
    if let Some((user, group)) = other_user() {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("a folder is given away");
    }
    folder
}

/// PostgreSQL refuses to run as root.
fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let user = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
    Some((id(&["-u", user])?, id(&["-g", user])?))
}

fn as_its_user(program: &str) -> Command {
    let program = programs().join(program);
    let mut command = match other_user() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups").arg(program);
            command
        }
    };
    // It need not see the folder that the tests run in.
    command.current_dir("/");
    command
}

/// Where the newest PostgreSQL of this machine has its programs; `tests/postgres.sh` installs one where it can.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|folder| Some((folder.file_name().to_str()?.parse::<u32>().ok()?, folder.path().join("bin"))))
        .max();
    let configured = || {
        let output = Command::new("pg_config").arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    };
    let found = newest.map(|(_, folder)| folder).or_else(configured);
    found
        .filter(|folder| folder.join("initdb").is_file())
        .expect("the tests need the programs of a PostgreSQL server (15 or later): see tests/postgres.sh")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Those that have ended since they were listed need none.
fn signal(signal: &str, pids: &[String]) {
    let sent = Command::new("kill").arg(signal).args(pids).output().expect("kill");
    let said = String::from_utf8_lossy(&sent.stderr);
    assert!(said.lines().all(|line| line.contains("No such process")), "{said}");
}

/// A process that has ended and that nobody has waited for is gone for everybody.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// A session of the one who may do everything. Even he waits while all that a server has room for ask to be let in, though they are
/// not.
async fn connect(config: &Config) -> Client {
    let begun = Instant::now();
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) && begun.elapsed() < ROOM_WITHIN => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("the server lets nobody in: {error}"),
        }
    }
}

/// On a thread that may wait, wherever the test is.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(work));
    thread.join().expect("the statement is run")
}
