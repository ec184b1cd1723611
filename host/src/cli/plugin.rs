//! `scruple plugin`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};
use crate::constraints::{Limits, Sandbox, SandboxConfig};
use crate::decision::TenantId;
use crate::scim::schema::SchemaRegistry;

/// There are no tenants here.
const NOBODY: TenantId = TenantId(0);

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Show what a component is, imports and asks for. Needs no server: the engine is the server's own.
    Inspect {
        /// The component.
        file: PathBuf,
    },
    /// Upload a component as a version of a plugin.
    Push {
        #[command(flatten)]
        tenant: TenantArg,
        /// The component.
        file: PathBuf,
        /// The plugin's name in the tenant; the file's name, if absent.
        #[arg(long)]
        name: Option<String>,
        /// A word of your choosing: `v1.2`, a Git commit.
        #[arg(long)]
        tag: Option<String>,
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
            Self::Inspect { file } => inspect(file, output).await,
            Self::Push { tenant, file, name, tag } => {
                let component = read(file)?;
                let name = match name {
                    Some(name) => name.as_str(),
                    None => file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default(),
                };
                let path = ["tenants", &tenant.tenant, "plugins", name, "versions"];
                let mut request = client.request(Method::POST, &path)?.header("content-type", "application/wasm");
                if let Some(tag) = tag {
                    request = request.query(&[("tag", tag)]);
                }
                let spinner = spinner("uploading and compiling");
                let pushed = client.send(request.body(component)).await;
                spinner.finish_and_clear();
                let pushed = pushed?;
                output.line(
                    &pushed,
                    format!(
                        "plugin {name} version {}: {} bytes, sha256 {}, compiled in {} ms",
                        text(&pushed, "version"),
                        text(&pushed, "size"),
                        text(&pushed, "digest"),
                        text(&pushed, "compile_ms"),
                    ),
                )
            }
            Self::List { tenant } => {
                let found = client.get(&["tenants", &tenant.tenant, "plugins"]).await?;
                let rows = items(&found, "versions")
                    .iter()
                    .map(|version| {
                        ["plugin", "version", "tag", "size", "digest", "created_at"]
                            .map(|name| text(version, name))
                            .into()
                    })
                    .collect();
                output.table(&found, &["plugin", "version", "tag", "bytes", "sha256", "pushed"], rows)
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", file.display())))
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

async fn inspect(file: &Path, output: &Output) -> Result<(), Failure> {
    let component = read(file)?;
    let size = component.len();
    let config = SandboxConfig::for_own_components(Limits::default());
    let sandbox = Sandbox::new(config).map_err(|error| Failure::Local(format!("cannot start the sandbox: {error}")))?;
    let spinner = spinner("compiling");
    let checked = sandbox.upload(NOBODY, component, &SchemaRegistry::core()).await;
    spinner.finish_and_clear();
    let checked = checked.map_err(|error| Failure::Component(format!("`{}`: {error}", file.display())))?;
    let descriptor = checked.descriptor.to_json();
    let shown = json!({
        "digest": checked.digest, "world": checked.world, "size": size, "compile_ms": checked.compile_ms,
        "descriptor": descriptor,
    });
    output.line(&shown, in_words(&shown, &descriptor))
}

fn in_words(shown: &Value, descriptor: &Value) -> String {
    let or_all = |name: &str| match items(descriptor, name) {
        [] => "all".to_owned(),
        _ => text(descriptor, name),
    };
    let none = |name: &str| match items(descriptor, name) {
        [] => "none".to_owned(),
        _ => text(descriptor, name),
    };
    let schema = descriptor.get("settings_schema").map_or_else(String::new, |schema| format!("{schema:#}"));
    [
        format!("{} {}: {}", text(descriptor, "name"), text(descriptor, "version"), text(descriptor, "summary")),
        format!("world           {}", text(shown, "world")),
        format!("sha256          {}", text(shown, "digest")),
        format!("size            {} bytes, compiled in {} ms", text(shown, "size"), text(shown, "compile_ms")),
        format!("resource types  {}", or_all("resource_types")),
        format!("actions         {}", or_all("actions")),
        format!("reads           {}", or_all("reads")),
        format!("writes          {}", none("writes")),
        format!("capabilities    {}", none("capabilities")),
        format!("settings        {schema}"),
    ]
    .join("\n")
}
