//! `scruple serve`.

mod trial;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::app::{App, Opened};
use crate::build_handler;
use crate::causes::with_causes;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::constraints::CompilerProgram;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Configuration file (TOML); every key has a default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one. [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Folder for everything the server keeps. [default: scruple-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// PostgreSQL database to keep resources, constraints and decisions in, instead of a file in the data folder:
    /// postgres://user:password@host/database?sslmode=require. Of several hosts (host1,host2) the one that takes writes is used.
    /// Better given by the environment than here, where others can read the password.
    #[arg(long, env = "SCRUPLE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// The operator's token, at least 32 characters. If absent, one is made at the first start and printed once.
    #[arg(long, env = "SCRUPLE_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    admin_token: Option<String>,
    /// To try it out on this computer: makes this tenant, if it is not there, and logs you in as its administrator, with a context of
    /// its name.
    #[arg(long, value_name = "TENANT")]
    trial: Option<String>,
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.configuration()?;
        // INVARIANT: what `--trial` hands out is good on loopback alone.
        if self.trial.is_some() && !config.server.listen.ip().is_loopback() {
            let listen = config.server.listen;
            return Err(Failure::Usage(format!(
                "`--trial` is for this computer alone, and {listen} is for others too"
            )));
        }
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
            .with_writer(std::io::stderr)
            // A log that goes to a file or a collector has no use for colours.
            .with_ansi(std::io::stderr().is_terminal())
            .init();
        open_many_files();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(|error| Failure::Local(format!("cannot start a runtime: {error}")))?;
        let served = runtime.block_on(serve(&config, self.admin_token.as_deref(), self.trial.as_deref()));
        // What is still running after the drain is not waited for.
        runtime.shutdown_timeout(Duration::from_secs(1));
        served
    }

    fn configuration(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::read(path).map_err(|error| Failure::Usage(with_causes(&error)))?,
            None => Config::default(),
        };
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        if let Some(data) = &self.data {
            config.server.data.clone_from(data);
        }
        if let Some(database) = &self.database {
            config.store.database = Some(database.clone());
        }
        Ok(config)
    }
}

/// Lets the process have as many files open as it may at all: each connection is one, and each component in memory. What a
/// process has without asking (mostly 1,024) is for those that keep their files in sets of that size.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, files = limit.current, "cannot raise the limit of open files");
    }
}

async fn serve(config: &Config, admin_token: Option<&str>, trial: Option<&str>) -> Result<(), Failure> {
    let Opened { app, operator_token } = App::open(config, admin_token, Clock::system(), CompilerProgram::running())
        .map_err(|error| Failure::Local(with_causes(&error)))?;
    // Whoever uploads or asks a component for the first time would else be the first to find out.
    app.pipeline.components.check().await.map_err(|error| Failure::Local(with_causes(&error)))?;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::Local(format!(
            "cannot listen on {listen}: {error}; `--listen` takes another address, port 0 a free one"
        ))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::Local(error.to_string()))?;
    // Whoever connects meanwhile waits.
    let part = app.take_part(address).await.map_err(|error| Failure::Local(with_causes(&error)))?;
    app.resume().await.map_err(|error| Failure::Local(with_causes(&error)))?;
    if let Some(token) = &operator_token {
        announce(&format!("The operator's token, shown this once: {token}"));
    }
    announce(&format!("Scruple listens on http://{address}, data in {}", config.server.data.display()));
    info!(listen = %address, data = %config.server.data.display(), "started");

    let drain = Duration::from_secs(config.server.drain_seconds);
    let stopping = Arc::new(tokio::sync::Notify::new());
    let signalled = Arc::clone(&stopping);
    // With the peer's address: whether it is a proxy that is trusted depends on it.
    let handler = build_handler(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let leaving = (Arc::clone(&app), Duration::from_secs(config.server.leave_seconds));
    let server = axum::serve(listener, handler).with_graceful_shutdown(async move {
        leave(leaving).await;
        signalled.notify_one();
    });
    let serving = Arc::clone(&app);
    let served = async move {
        let served = server.await;
        // Those that were answered before they are carried out have no connection that would be waited for.
        serving.under_way.over().await;
        served
    };
    let forgetful = Arc::clone(&app);
    let forgetting = async move { forgetful.pipeline.keep_dropping_decisions(&forgetful.retention).await };
    let sweeper = Arc::clone(&app);
    let sweeping = async move { sweeper.pipeline.components.keep_sweeping(&sweeper.clock).await };
    let operator_token = operator_token.as_deref().or(admin_token);
    let trial = async {
        if let Some(tenant) = trial {
            announce(&trial::prepare(&format!("http://{address}"), tenant, operator_token).await?);
        }
        std::future::pending().await
    };
    tokio::select! {
        failed = trial => return failed,
        () = forgetting => {}
        () = sweeping => {}
        served = served => served.map_err(|error| Failure::Local(format!("serving failed: {error}")))?,
        () = async { stopping.notified().await; tokio::time::sleep(drain).await } => {
            warn!(drain_seconds = drain.as_secs(), "requests were still under way when the drain ended");
        }
    }
    part.end().await;
    info!("stopped");
    Ok(())
}

/// A line on standard output, apart from the log: what whoever started the server must see.
fn announce(line: &str) {
    use std::io::Write;
    // A server whose standard output is closed serves all the same.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Waits until the server is to stop, and then until whoever sends it requests had time to hear of it. A second signal ends that.
async fn leave((app, leave): (Arc<App>, Duration)) {
    let signal = stop_signal().await;
    app.leave();
    if signal == Stop::Asked {
        info!(leave_seconds = leave.as_secs(), "stopping: requests are still taken for a while");
        tokio::select! { () = tokio::time::sleep(leave) => {}, _ = stop_signal() => {} }
    }
    info!("stopping: no new requests are accepted");
}

/// How a server is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// By whoever runs it for others (SIGTERM).
    Asked,
    /// By somebody at the keyboard.
    Interrupted,
}

async fn stop_signal() -> Stop {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => Stop::Interrupted, _ = terminate.recv() => Stop::Asked }
        }
        Err(_) => {
            let _ = interrupt.await;
            Stop::Interrupted
        }
    }
}
