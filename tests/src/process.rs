//! A server as a process of its own: what can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, bail};

use crate::client::ApiClient;
use crate::server::OPERATOR_TOKEN;

/// `scruple serve`, killed when dropped.
pub struct ServerProcess {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ServerProcess {
    /// Starts the server program on a folder, on a free port of the loopback interface.
    pub fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        // One token stands for many clients here, and how fast they can go is what is measured.
        Self::start_with(program, data, "[scim]\nrequests_per_second = 0\n")
    }

    /// The same with a configuration, in TOML.
    pub fn start_with(program: &Path, data: &Path, settings: &str) -> anyhow::Result<Self> {
        Self::start_in(program, data, settings, &[])
    }

    /// The same with an environment.
    pub fn start_in(program: &Path, data: &Path, settings: &str, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut child = serve(program, data, settings, environment)?
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        for line in BufReader::new(stdout).lines() {
            // "Scruple listens on http://127.0.0.1:40123, data in …"
            let line = line?;
            if let Some((_, rest)) = line.split_once("listens on http://") {
                let address = rest.split(',').next().unwrap_or(rest).trim().parse()?;
                return Ok(Self { child, address });
            }
        }
        let status = child.wait()?;
        bail!("the server ended before it listened: {status}")
    }

    /// What the server program says when it does not start on a folder, and its exit code.
    pub fn refusal(
        program: &Path,
        data: &Path,
        settings: &str,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<(Option<i32>, String)> {
        let ended = serve(program, data, settings, environment)?.output()?;
        Ok((ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned()))
    }

    /// The server program: beside this program, where the workspace's build puts both.
    pub fn program() -> anyhow::Result<PathBuf> {
        beside("scruple").context("the program `scruple` is not built: run `cargo build --package scruple`")
    }

    /// The same under the name that the tests' own package has it by.
    pub fn program_under_test() -> anyhow::Result<PathBuf> {
        beside("scruple-under-test")
            .context("the program `scruple-under-test` is not built: run `cargo build --package scruple-tests --bins`")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The administration API as the operator.
    pub fn operator(&self) -> ApiClient {
        ApiClient::new(self.address, OPERATOR_TOKEN)
    }

    /// Asks it to stop, as an operator would (SIGTERM), and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        if !asked.success() {
            bail!("`kill` failed: {asked}");
        }
        Ok(self.child.wait()?)
    }

    /// Ends it at once, as a power cut would (SIGKILL), and waits until it is gone.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// `serve` on a folder, on a free port of the loopback interface.
fn serve(program: &Path, data: &Path, settings: &str, environment: &[(&str, &str)]) -> anyhow::Result<Command> {
    std::fs::create_dir_all(data)?;
    let config = data.join("scruple.toml");
    std::fs::write(&config, settings)?;
    let mut serve = Command::new(program);
    serve
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .arg("--data")
        .arg(data)
        .env("SCRUPLE_ADMIN_TOKEN", OPERATOR_TOKEN)
        .env("RUST_LOG", "warn")
        .envs(environment.iter().copied());
    Ok(serve)
}

/// A program of the workspace's build, which puts tests a folder deeper than programs.
fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let found = here.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("there is no `{name}` beside `{}`", here.display()))
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Fails only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
