//! The artifact: its manifest and config (CNCF, "Wasm OCI Artifact layout").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reference::is_digest;
use crate::constraints::check_component::ComponentShape;
use crate::constraints::compile::digest;
use crate::signature::Document;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// The annotation of the manifest that has the signatures, as the file beside a component has them.
const SIGNATURES: &str = "scruple.plugin.signatures";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// A component that a manifest names.
#[derive(Debug)]
pub(super) struct Layer<'m> {
    /// SHA-256 in hexadecimal.
    pub(super) digest: &'m str,
    /// Bytes, no more than a component may have.
    pub(super) size: usize,
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: format!("sha256:{}", digest(bytes)),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    }
}

/// What the component is, as JSON. `wasip2` stands for a component, whatever it imports.
pub(super) fn config(shape: &ComponentShape, component: &str, created: String) -> Vec<u8> {
    let version = shape.world.rsplit_once('@').map_or("", |(_, version)| version);
    let imports: Vec<String> =
        shape.imports.iter().map(|name| format!("scruple:constraint/{name}@{version}")).collect();
    let exports = [("describe", true), ("check-settings", true), ("check", shape.checks), ("rewrite", shape.rewrites)];
    let exports: Vec<&str> = exports.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
    json!({
        "created": created,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [format!("sha256:{component}")],
        "component": { "exports": exports, "imports": imports, "target": shape.world },
    })
    .to_string()
    .into_bytes()
}

impl Manifest {
    pub(super) fn of(config: &[u8], component: &[u8], signatures: Option<&Document>) -> Self {
        let signatures = signatures.filter(|document| !document.signatures.is_empty());
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: descriptor(CONFIG, config),
            layers: vec![descriptor(LAYER, component)],
            annotations: signatures.map(|document| (SIGNATURES.to_owned(), document.to_json())).into_iter().collect(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads one; else what it is instead, to be said after its name.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("is no artifact with a component: its manifest cannot be read: {error}"))?;
        match manifest.media_type.as_deref() {
            None | Some(MANIFEST) => Ok(manifest),
            Some(other) => Err(format!("is no artifact with a component: its manifest is of the type `{other}`")),
        }
    }

    /// The one layer, if it can be a component.
    pub(super) fn component(&self, bytes_max: usize) -> Result<Layer<'_>, String> {
        let [layer] = self.layers.as_slice() else {
            return Err(format!("has {} layers: an artifact with a component has one", self.layers.len()));
        };
        if layer.media_type != LAYER {
            return Err(format!("is no component: its layer is of the type `{}`, not `{LAYER}`", layer.media_type));
        }
        let digest = layer.digest.strip_prefix("sha256:").filter(|digest| is_digest(digest));
        let digest = digest.ok_or_else(|| format!("has a layer of an unknown kind of digest: `{}`", layer.digest))?;
        let size = usize::try_from(layer.size).ok().filter(|size| *size <= bytes_max);
        let size = size.ok_or_else(|| {
            format!("has {} bytes, more than the limit of {bytes_max} bytes of a component", layer.size)
        })?;
        Ok(Layer { digest, size })
    }

    /// The signatures of that component, if there are any.
    pub(super) fn signatures(&self, digest: &str) -> Result<Option<Document>, String> {
        let Some(text) = self.annotations.get(SIGNATURES) else { return Ok(None) };
        let document = Document::read(text).map_err(|error| format!("has signatures that cannot be read: {error}"))?;
        match document.digest == digest {
            true => Ok(Some(document)),
            false => Err(format!("has signatures of another component (sha256:{})", document.digest)),
        }
    }
}
