//! `scruple plugin push`: a component to a server, to an OCI registry, or from one to the other.

use std::path::Path;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::{component_of, read, spinner};
use crate::cli::client::Client;
use crate::cli::oci::{self, Reference, RegistryArgs, is_reference};
use crate::cli::output::{Output, text};
use crate::cli::signatures::{Found, Given, with};
use crate::cli::{Failure, TenantArg};
use crate::clock::Clock;
use crate::one_line::one_line;

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    #[command(flatten)]
    tenant: TenantArg,
    /// The component, or the folder of a project that `plugin build` was called for. Or `oci://host/repository:tag`, and then
    /// the component or folder whose component is put there. Or a plugin's name, and then the `oci://host/repository:tag` that
    /// it is fetched from.
    #[arg(default_value = ".")]
    what: String,
    /// With `oci://…` before it, the component or folder; with a name before it, `oci://…`.
    other: Option<String>,
    /// The plugin's name in the tenant; the file's name, if absent.
    #[arg(long)]
    name: Option<String>,
    /// A word of your choosing: `v1.2`, a Git commit.
    #[arg(long)]
    tag: Option<String>,
    #[command(flatten)]
    signatures: Given,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// A component that is to be a version.
struct Sending<'a> {
    name: &'a str,
    component: Vec<u8>,
    signatures: Found,
}

impl Push {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match (is_reference(&self.what), &self.other) {
            (true, Some(file)) => self.artifact(&self.what.parse()?, Path::new(file), output).await,
            (true, None) => Err(Failure::Usage(
                "name the component to be put there after it, or before it the plugin that it is to be a version of"
                    .to_owned(),
            )),
            (false, Some(reference)) => self.out_of_registry(&self.what, &reference.parse()?, client, output).await,
            (false, None) => self.file(Path::new(&self.what), client, output).await,
        }
    }

    async fn file(&self, file: &Path, client: &Client, output: &Output) -> Result<(), Failure> {
        let file = &component_of(file)?;
        let component = read(file)?;
        let name = match &self.name {
            Some(name) => name.as_str(),
            None => file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default(),
        };
        let signatures = self.signatures.of(&component, file)?;
        self.to_server(Sending { name, component, signatures }, client, output).await
    }

    async fn out_of_registry(
        &self,
        name: &str,
        reference: &Reference,
        client: &Client,
        output: &Output,
    ) -> Result<(), Failure> {
        if self.name.is_some() {
            return Err(Failure::Usage("the plugin is named before the reference: leave `--name` out".to_owned()));
        }
        let spinner = spinner("fetching");
        let pulled = oci::pull(&self.registry, reference).await;
        spinner.finish_and_clear();
        let pulled = pulled?;
        let signatures = self.signatures.of_artifact(&pulled.component, pulled.signatures)?;
        self.to_server(Sending { name, component: pulled.component, signatures }, client, output).await
    }

    async fn to_server(&self, sending: Sending<'_>, client: &Client, output: &Output) -> Result<(), Failure> {
        let Sending { name, component, signatures } = sending;
        let tenant = client.tenant(&self.tenant)?;
        let (signatures, left) = signatures.sendable(client, tenant).await?;
        let path = ["tenants", tenant, "plugins", name, "versions"];
        let request = client.request(Method::POST, &path)?.header("content-type", "application/wasm");
        let mut request = with(request, &signatures);
        if let Some(tag) = &self.tag {
            request = request.query(&[("tag", tag)]);
        }
        let spinner = spinner("uploading and compiling");
        let pushed = client.send(request.body(component)).await;
        spinner.finish_and_clear();
        let mut pushed = pushed?;
        if let Some(members) = pushed.as_object_mut() {
            members.insert("signatures_not_sent".to_owned(), json!(left));
        }
        output.line(&pushed, of_push(name, self.tag.as_deref(), &pushed, left))
    }

    async fn artifact(&self, reference: &Reference, file: &Path, output: &Output) -> Result<(), Failure> {
        if self.tag.is_some() || self.name.is_some() {
            return Err(Failure::Usage(
                "`--name` and `--tag` are of a server's versions: a registry's tag is the end of the reference"
                    .to_owned(),
            ));
        }
        let file = &component_of(file)?;
        let component = read(file)?;
        let signatures = self.signatures.of(&component, file)?.document;
        let spinner = spinner("uploading");
        let created = Clock::system().now().to_string();
        let pushed = oci::push(&self.registry, reference, &component, Some(&signatures), created).await;
        spinner.finish_and_clear();
        oci::say_pushed(output, reference, (&component, &pushed?), signatures.signatures.len())
    }
}

/// What came of a push.
fn of_push(name: &str, tag: Option<&str>, pushed: &Value, left: usize) -> String {
    let [version, size, digest, compile_ms] =
        ["version", "size", "digest", "compile_ms"].map(|member| text(pushed, member));
    let said = format!("plugin {name} version {version}: {size} bytes, sha256 {digest}");
    let signed = signed(pushed, left);
    if pushed.get("added") != Some(&Value::Bool(false)) {
        return format!("{said}, compiled in {compile_ms} ms{signed}");
    }
    let has = pushed.get("tag").and_then(Value::as_str);
    let untagged = match tag {
        Some(tag) if has != Some(tag) => match has {
            Some(has) => format!("; its tag stays `{}`", one_line(has)),
            None => "; it stays without a tag".to_owned(),
        },
        _ => String::new(),
    };
    format!("{said}; the same bytes were there already{untagged}{signed}")
}

/// By whom a version is signed, and which signatures the server was not sent, since it could not have checked them.
fn signed(pushed: &Value, left: usize) -> String {
    let by = super::signers(pushed);
    let by = if by.is_empty() { String::new() } else { format!("; signed by {by}") };
    match left {
        0 => by,
        1 => format!("{by}; 1 signature was not sent: the tenant does not know its key"),
        more => format!("{by}; {more} signatures were not sent: the tenant does not know their keys"),
    }
}
