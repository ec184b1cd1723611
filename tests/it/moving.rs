//! What a server keeps, elsewhere: in a backup, restored from there, and moved to PostgreSQL. There it answers every request the same.

mod answers;
mod backup;
mod migrate;
mod mistakes;

use std::path::Path;
use std::process::{Command, Output};

use scruple_tests::ServerProcess;
use scruple_tests::server::OPERATOR_TOKEN;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// A server on a folder; its resources are at the same address wherever it listens.
fn serve(data: &Path) -> ServerProcess {
    ServerProcess::start_with(program(), data, "[server]\npublic_url = \"http://scim.test\"\n").unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(args).env("SCRUPLE_ADMIN_TOKEN", OPERATOR_TOKEN).env_remove("SCRUPLE_DATABASE");
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// What a command prints that succeeds.
#[track_caller]
fn said(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "scruple {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A command fails with this code, and says exactly this.
#[track_caller]
fn fails(args: &[&str], code: i32, expected: &str) {
    let output = run(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), error.trim_end()),
        (Some(code), format!("error: {expected}").as_str()),
        "{args:?}"
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
