//! Components are compiled in a process of their own: what it has, what it may use, and that its death is an error of the
//! upload and nothing more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{Response, ServerProcess, TenantClient, TestServer, compile_heavy, mail_at, user};
use serde_json::{Value, json};

use super::assert_names_and_stores_nothing;

/// How long one waits for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// A user whose address `safe-values` refuses.
fn elsewhere(name: &str) -> Value {
    let mut body = user(name);
    body["emails"] = json!([{ "value": format!("{name}@elsewhere.org") }]);
    body
}

/// A compiler process that the kernel knows of.
struct Process {
    pid: u32,
}

impl Process {
    /// The compiler process of a server's for a component of so many bytes, once it has begun to compile.
    fn compiling(component_bytes: usize) -> Option<Self> {
        let mark = format!("\"component_bytes\":{component_bytes},");
        let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
        let mut processes = names.filter_map(|name| Some(Self { pid: name.to_str()?.parse().ok()? }));
        // The last of its limits is set.
        let limited =
            |limits: &str| limits.lines().any(|line| line.split_whitespace().take(4).eq(["Max", "open", "files", "3"]));
        processes.find(|process| process.read("cmdline").contains(&mark) && limited(&process.read("limits")))
    }

    async fn found(component_bytes: usize) -> Self {
        let since = Instant::now();
        loop {
            if let Some(process) = Self::compiling(component_bytes) {
                return process;
            }
            assert!(since.elapsed() < PATIENCE, "no compiler process was started");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What the kernel says of it; nothing when it is gone.
    fn read(&self, file: &str) -> String {
        let text = fs::read(format!("/proc/{}/{file}", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &self.pid.to_string()]).status().unwrap();
        assert!(sent.success(), "the compiler process was gone");
    }

    /// Waits until it is gone or only waits to be reaped.
    async fn gone(&self) {
        let since = Instant::now();
        while !matches!(self.state(), None | Some('Z')) {
            if since.elapsed() > PATIENCE {
                self.signal("-KILL");
                panic!("a compiler process was left behind");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn state(&self) -> Option<char> {
        self.read("stat").rsplit_once(") ")?.1.chars().next()
    }
}

async fn server_with(set: impl FnOnce(&mut Config)) -> (TestServer, TenantClient) {
    let mut config = Config::default();
    set(&mut config);
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    (server, acme)
}

/// That the upload was refused as it should be, and that the server goes on.
async fn assert_refused(acme: &TenantClient, refused: Response, code: &str, named: &[&str]) {
    let refused = refused.expect_status(422);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.body["code"], code, "{}", refused.detail());
    assert_names_and_stores_nothing(acme, &refused, named).await;
}

#[tokio::test]
async fn compiling_that_goes_beyond_a_limit_is_refused_and_the_limit_named() {
    const LIMIT: &str = "component-compilation-limit";
    let component = compile_heavy(40_000);

    let (_server, acme) = server_with(|config| config.sandbox.compile_memory_bytes_max = Some(80 << 20)).await;
    let refused = acme.upload("rules", component.clone()).await;
    assert_refused(&acme, refused, LIMIT, &["memory", "83886080 bytes"]).await;

    let (_server, acme) = server_with(|config| config.sandbox.compile_cpu_seconds_max = Some(1)).await;
    let refused = acme.upload("rules", component.clone()).await;
    assert_refused(&acme, refused, LIMIT, &["processor time", "1 seconds"]).await;

    let (_server, acme) = server_with(|config| config.sandbox.compile_seconds_max = Some(1)).await;
    let uploading = tokio::spawn({
        let (acme, component) = (acme.clone(), component.clone());
        async move { acme.upload("rules", component).await }
    });
    // A compiler that does nothing at all uses no processor time.
    let process = Process::found(component.len()).await;
    process.signal("-STOP");
    let refused = uploading.await.unwrap();
    assert_refused(&acme, refused, LIMIT, &["longer", "1 seconds"]).await;
    process.gone().await;

    let (_server, acme) = server_with(|config| config.sandbox.compiled_bytes_max = Some(1 << 20)).await;
    let refused = acme.upload("rules", component.clone()).await;
    assert_refused(&acme, refused, LIMIT, &["compiled component has", "1048576"]).await;

    // Under the defaults it compiles, and is refused for what it says of itself.
    let (_server, acme) = server_with(|_| {}).await;
    let refused = acme.upload("rules", component).await;
    assert_refused(&acme, refused, "component-describe-failed", &[]).await;
}

#[tokio::test]
async fn a_compiler_process_has_nothing_of_the_servers_and_little_to_spend() {
    let (_server, acme) = server_with(|_| {}).await;
    let component = compile_heavy(30_000);
    let bytes = component.len();
    let uploading = tokio::spawn(async move { acme.upload("rules", component).await });
    let process = Process::found(bytes).await;
    let (environment, limits, name) = (process.read("environ"), process.read("limits"), process.read("comm"));
    let stat = process.read("stat");
    let folder = fs::read_link(format!("/proc/{}/cwd", process.pid)).unwrap();
    let files = || fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().map(|entry| entry.unwrap().path());
    let open: Vec<String> = files().map(|path| fs::read_link(path).unwrap().display().to_string()).collect();
    assert!(!uploading.is_finished(), "the compiler was too fast to be looked at");
    process.signal("-KILL");
    drop(uploading.await.unwrap());

    let names: Vec<&str> = environment.split_terminator('\0').filter_map(|pair| pair.split('=').next()).collect();
    assert_eq!(names, ["MIMALLOC_ARENA_RESERVE", "RAYON_NUM_THREADS"]);
    assert_eq!((folder.as_path(), name.trim_end()), (Path::new("/"), "scruple-compile"));
    assert!(open.len() == 3 && open.iter().all(|file| file.starts_with("pipe:")), "{open:?}");

    let limits: BTreeMap<&str, Vec<&str>> = limits
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(name, rest)| (name, rest.split_whitespace().take(2).collect()))
        .collect();
    assert_eq!(limits["Max cpu time"], ["60", "61"]);
    assert_eq!(limits["Max core file size"], ["0", "0"]);
    assert_eq!(limits["Max file size"], ["0", "0"]);
    assert_eq!(limits["Max open files"], ["3", "3"]);
    let memory: u64 = limits["Max address space"][0].parse().unwrap();
    // A GiB, and what the program itself takes.
    assert!(memory > 1 << 30 && memory < (1 << 30) + (1 << 30), "{memory}");
    // Fields 3, 5 and 19 of proc_pid_stat(5): the state is the first here.
    let (of_it, of_this) =
        (fields_after_name(&stat), fields_after_name(&fs::read_to_string("/proc/self/stat").unwrap()));
    assert_eq!(of_it[2], process.pid.to_string(), "it is in the server's process group");
    let niceness = |fields: &[String]| fields[16].parse::<i32>().unwrap();
    assert_eq!(niceness(&of_it), (niceness(&of_this) + 10).min(19), "it is not nicer than who started it");
}

fn fields_after_name(stat: &str) -> Vec<String> {
    stat.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_compiler_that_dies_is_an_error_of_the_upload_and_nothing_more() {
    for (signal, said) in [("-ABRT", "signal: 6"), ("-KILL", "signal: 9")] {
        let (_server, acme) = server_with(|_| {}).await;
        let component = compile_heavy(20_000);
        let bytes = component.len();
        let uploading = tokio::spawn({
            let acme = acme.clone();
            async move { acme.upload("rules", component).await }
        });
        Process::found(bytes).await.signal(signal);
        let refused = uploading.await.unwrap();
        assert_refused(&acme, refused, "component-compilation-failed", &["the compiler broke", said]).await;
        // The next one compiles.
        acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
        acme.post("/Users", elsewhere("eve")).await.expect_status(400);
    }
}

#[tokio::test]
async fn a_compiler_that_cannot_work_is_the_servers_fault_and_not_the_components() {
    // One that is not there, one that succeeds and says nothing, one that does not know what it is asked.
    for path in ["/nowhere/scruple", "/bin/true", "/bin/sh"] {
        let server =
            TestServer::start_compiling_by(CompilerProgram::at(path), Config::default(), Clock::system()).await;
        let acme = server.tenant("acme").await;
        let failed = acme.upload("rules", fs::read(SAFE_VALUES).unwrap()).await;
        let failed = failed.expect_status(500);
        assert_eq!(failed.body["code"], "internal");
        assert!(!failed.detail().contains(path), "the client is told of our files: {}", failed.detail());
        acme.post("/Users", user("ada")).await.expect_status(201);
    }
}

#[tokio::test]
async fn no_compiler_outlives_the_client_or_the_server() {
    let (_server, acme) = server_with(|_| {}).await;
    let component = compile_heavy(49_000);
    let bytes = component.len();
    let uploading = tokio::spawn(async move { acme.upload("rules", component).await });
    let process = Process::found(bytes).await;
    // It cannot come to an end by itself now.
    process.signal("-STOP");
    uploading.abort();
    process.gone().await;

    let data = tempfile::tempdir().unwrap();
    let component = compile_heavy(48_000);
    let bytes = component.len();
    for kill in [false, true] {
        let settings = "[server]\ndrain_seconds = 0\n";
        let server = ServerProcess::start_with(program(), data.path(), settings).unwrap();
        let operator = server.operator();
        drop(operator.post("/api/v1/tenants", json!({ "name": "acme" })).await);
        let path = "/api/v1/tenants/acme/plugins/rules/versions";
        let request = operator.request(Method::POST, path).header("content-type", "application/wasm");
        let uploading = tokio::spawn({
            let (operator, request) = (operator.clone(), request.body(component.clone()));
            async move { operator.try_send(request).await }
        });
        let process = Process::found(bytes).await;
        process.signal("-STOP");
        match kill {
            true => server.kill().unwrap(),
            false => drop(server.stop().unwrap()),
        }
        process.gone().await;
        drop(uploading.await);
    }
}

#[tokio::test]
async fn a_stored_component_is_compiled_by_the_same_rules_and_what_cannot_be_is_a_fault() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_with(program(), data.path(), "").unwrap();
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let acme = TenantClient::new(server.address, "acme", &operator).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    server.stop().unwrap();

    for (setting, said) in [
        ("compile_memory_bytes_max = 16777216", "memory than the limit of 16777216 bytes"),
        ("component_bytes_max = 1000", "more than the limit of 1000"),
    ] {
        fs::remove_dir_all(data.path().join("compiled")).unwrap();
        let server = ServerProcess::start_with(program(), data.path(), &format!("[sandbox]\n{setting}\n")).unwrap();
        let acme = acme.at(server.address);
        let refused = acme.post("/Users", user("ada")).await.expect_status(403);
        assert!(refused.detail().contains("`safe-values` could not be evaluated"), "{}", refused.detail());
        let decision = acme.decision(&refused.decision_id().unwrap()).await.to_string();
        assert!(decision.contains(said), "{decision}");
        server.stop().unwrap();
    }

    fs::remove_dir_all(data.path().join("compiled")).unwrap();
    let server = ServerProcess::start_with(program(), data.path(), "").unwrap();
    let acme = acme.at(server.address);
    acme.post("/Users", user("ada")).await.expect_status(201);
    acme.post("/Users", elsewhere("eve")).await.expect_status(400);
}
