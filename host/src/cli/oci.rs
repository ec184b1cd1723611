//! Components in OCI registries: one artifact, laid out as the CNCF's guide for WebAssembly says, so that other tools of the
//! ecosystem read and write it, too.
//!
//! A manifest with one layer, `application/wasm`, and a config that says what the component imports and exports. Signatures
//! are an annotation of the manifest: the guide allows no second layer.

mod artifact;
mod credentials;
mod reference;
mod registry;

use clap::Args;

use crate::cli::Failure;
use crate::cli::output::Output;
use crate::cli::signatures::counted;
use crate::constraints::Limits;
use crate::constraints::check_component::check_component;
use crate::constraints::compile::digest;
use crate::signature::Document;

use artifact::{Manifest, config};
use credentials::Credentials;
pub(super) use reference::{Reference, is_reference};
use registry::Registry;

/// How a registry is spoken to.
#[derive(Debug, Default, Args)]
pub(super) struct RegistryArgs {
    /// Speak HTTP without TLS to the registry. On this computer that is done without being asked for.
    #[arg(long)]
    plain_http: bool,
    /// Who you are at the registry; the password is read from standard input. [env: SCRUPLE_REGISTRY_USER,
    /// SCRUPLE_REGISTRY_PASSWORD] [default: what `docker login` has kept]
    #[arg(long, value_name = "NAME")]
    registry_user: Option<String>,
}

/// A component that came from a registry, checked against the digests of its manifest.
pub(super) struct Pulled {
    pub(super) component: Vec<u8>,
    /// Nobody has checked these.
    pub(super) signatures: Option<Document>,
    /// Digest of the manifest.
    pub(super) manifest: String,
}

/// Puts a component with its signatures into a registry under a tag; the digest of the manifest.
pub(super) async fn push(
    args: &RegistryArgs,
    reference: &Reference,
    component: &[u8],
    signatures: Option<&Document>,
    created: String,
) -> Result<String, Failure> {
    let tag = reference.tag().ok_or_else(|| {
        Failure::Usage(format!("`{reference}`: a component is pushed to a tag (`oci://host/repository:tag`)"))
    })?;
    let shape = check_component(component, Limits::default().component_bytes_max);
    let shape = shape.map_err(|error| Failure::Component(error.to_string()))?;
    let config = config(&shape, &digest(component), created);
    let manifest = Manifest::of(&config, component, signatures).to_json();
    let registry = open(args, reference, "pull,push")?;
    registry.put_blob(&config).await?;
    registry.put_blob(component).await?;
    registry.put_manifest(tag, &manifest).await?;
    Ok(digest(&manifest))
}

/// Fetches a component with its signatures.
pub(super) async fn pull(args: &RegistryArgs, reference: &Reference) -> Result<Pulled, Failure> {
    let registry = open(args, reference, "pull")?;
    let bytes = registry.manifest(reference).await?;
    let wrong = |text: String| Failure::Server(format!("`{reference}` {text}"));
    let manifest = Manifest::read(&bytes).map_err(wrong)?;
    let layer = manifest.component(Limits::default().component_bytes_max).map_err(wrong)?;
    let component = registry.blob(layer.digest, layer.size).await?;
    let signatures = manifest.signatures(layer.digest).map_err(wrong)?;
    Ok(Pulled { component, signatures, manifest: digest(&bytes) })
}

fn open(args: &RegistryArgs, reference: &Reference, actions: &'static str) -> Result<Registry, Failure> {
    let credentials = Credentials::find(reference.host(), args.registry_user.as_deref())?;
    Registry::new(reference, args.plain_http || reference.is_loopback(), credentials, actions)
}

/// What came of a push to a registry.
pub(super) fn say_pushed(
    output: &Output,
    reference: &Reference,
    (component, manifest): (&[u8], &str),
    signatures: usize,
) -> Result<(), Failure> {
    let digest = digest(component);
    let said = format!(
        "pushed {reference}: {} bytes, sha256 {digest}, {}; manifest sha256:{manifest}",
        component.len(),
        counted(signatures)
    );
    output.line(
        &serde_json::json!({
            "reference": reference.to_string(), "digest": digest, "size": component.len(), "manifest": format!("sha256:{manifest}"),
            "signatures": signatures,
        }),
        said,
    )
}
