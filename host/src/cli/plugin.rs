//! `scruple plugin`.

#[cfg(feature = "authoring")]
mod new;
#[cfg(feature = "authoring")]
mod build;
#[cfg(feature = "authoring")]
mod dev;
mod bench;
mod given;
mod inspect;
mod junit;
mod keys;
pub(super) mod pull;
mod push;
mod run;
mod test;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};
use crate::trial::declared::Declared;
use crate::trial::{TrialError, Tried};

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Write a small project: a constraint with its tests, cases for `plugin test`, and what build servers and editors need.
    #[cfg(feature = "authoring")]
    New(new::New),
    /// Make a component of a project in Rust, JavaScript, Python or C, and check it as a server would.
    #[cfg(feature = "authoring")]
    Build(build::Build),
    /// Build a project and have it judge its cases, now and whenever a file is saved. Ctrl-C ends it.
    #[cfg(feature = "authoring")]
    Dev(dev::Dev),
    /// Show what a component is, imports and asks for. Needs no server: the engine is the server's own.
    Inspect {
        /// The component.
        file: PathBuf,
        /// What the tenant has declared: see `plugin run --help`.
        #[arg(long, value_name = "FILE")]
        schemas: Option<PathBuf>,
    },
    /// Have a component judge one operation. Needs no server: what it says here, it says there.
    Run(Box<run::Run>),
    /// Have a component judge the cases in a folder, and compare what it says with what is expected. Needs no server.
    Test(test::Test),
    /// Have a component judge one operation many times, and tell what that takes. Needs no server.
    Bench(Box<bench::Bench>),
    /// Make a key to sign components with, for who has no openssl.
    Keygen(keys::Keygen),
    /// Sign a component with a private key. Needs no server.
    ///
    /// The signature is over the text `scruple plugin v1 sha256:` and the component's SHA-256 digest in hexadecimal.
    Sign(keys::Sign),
    /// Check that a component is signed by a key. Needs no server. Exit code 1 if it is not.
    Verify(keys::Verify),
    /// Upload a component as a version of a plugin, or put it into an OCI registry.
    Push(push::Push),
    /// Write the component of a version, or of an artifact in an OCI registry, to a file, with its signatures.
    Pull(pull::Pull),
    /// Show a plugin: its versions with their tags, and of the newest what it asks for and which settings it has.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// The plugin.
        name: String,
    },
    /// List what was pushed.
    List {
        #[command(flatten)]
        tenant: TenantArg,
    },
}

impl Plugin {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "authoring")]
            Self::New(new) => new.run(output),
            #[cfg(feature = "authoring")]
            Self::Build(build) => build.run(output).await,
            #[cfg(feature = "authoring")]
            Self::Dev(dev) => dev.run(output).await,
            Self::Inspect { file, schemas } => inspect::run(file, schemas.as_deref(), output).await,
            Self::Run(run) => run.run(output).await,
            Self::Test(test) => test.run(output).await,
            Self::Bench(bench) => bench.run(output).await,
            Self::Keygen(keygen) => keygen.run(output),
            Self::Sign(sign) => sign.run(output),
            Self::Verify(verify) => verify.run(output),
            Self::Push(push) => push.run(client, output).await,
            Self::Pull(pull) => pull.run(client, output).await,
            Self::Show { tenant, name } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "plugins", name, "versions"]).await?;
                output.line(&found, shown(name, &found))
            }
            Self::List { tenant } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "plugins"]).await?;
                let rows = items(&found, "versions")
                    .iter()
                    .map(|version| {
                        let members = ["plugin", "version", "tag", "size", "digest", "created_at"];
                        let mut row: Vec<String> = members.map(|name| text(version, name)).into();
                        row.push(signers(version));
                        row
                    })
                    .collect();
                output.table(&found, &["plugin", "version", "tag", "bytes", "sha256", "pushed", "signed by"], rows)
            }
        }
    }
}

/// Names of the keys that have signed a version or a constraint.
pub(super) fn signers(of: &Value) -> String {
    items(of, "signed_by").iter().map(|signer| text(signer, "key")).collect::<Vec<_>>().join(", ")
}

/// The versions of a plugin, the newest first and with all that it says of itself.
fn shown(name: &str, found: &Value) -> String {
    let versions = items(found, "versions");
    let line = |version: &Value| {
        let tag = version.get("tag").map_or_else(String::new, |_| format!(", tag {}", text(version, "tag")));
        let [number, pushed, digest] = ["version", "created_at", "digest"].map(|member| text(version, member));
        let by = signers(version);
        let by = if by.is_empty() { by } else { format!(", signed by {by}") };
        format!("version {number}{tag}: pushed {pushed}, sha256 {digest}{by}")
    };
    let newest = versions.last().unwrap_or(&Value::Null);
    let mut lines = vec![format!("plugin {name}")];
    lines.extend(versions.iter().rev().map(line));
    lines.push(format!("\nof version {}:", text(newest, "version")));
    lines.push(inspect::in_words(newest, newest.get("descriptor").unwrap_or(&Value::Null)));
    lines.join("\n")
}

/// The component in a file, or the one that was built last of the project in a folder.
fn component_of(path: &Path) -> Result<PathBuf, Failure> {
    if path.is_dir() { of_project(path) } else { Ok(path.to_owned()) }
}

#[cfg(feature = "authoring")]
fn of_project(project: &Path) -> Result<PathBuf, Failure> {
    build::built_last(project)
}

#[cfg(not(feature = "authoring"))]
fn of_project(project: &Path) -> Result<PathBuf, Failure> {
    Err(Failure::Usage(format!("`{}` is a folder; name the component", project.display())))
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", file.display())))
}

/// A component, checked and compiled by the server's own engine as for a tenant that has declared this.
async fn tried(file: &Path, declared: &Declared) -> Result<Tried, Failure> {
    let component = read(file)?;
    checked(component, file, declared).await
}

async fn checked(component: Vec<u8>, file: &Path, declared: &Declared) -> Result<Tried, Failure> {
    Tried::new(component, declared).await.map_err(|error| match failure(error) {
        Failure::Component(text) => Failure::Component(format!("`{}`: {text}", file.display())),
        other => other,
    })
}

fn failure(error: TrialError) -> Failure {
    let text = error.to_string();
    match error {
        TrialError::Input(_) | TrialError::Request { .. } => Failure::Usage(text),
        TrialError::Component(_) => Failure::Component(text),
        TrialError::Local(_) => Failure::Local(text),
    }
}

/// Something that turns while something takes long; nothing where standard error is no terminal.
fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}
