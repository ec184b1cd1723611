//! Whether some bytes can be a constraint at all, found out before anything is compiled.
//!
//! Only the outermost component's imports and exports are looked at: what it is made of inside is its own affair, and
//! wasmtime validates all of it when it compiles. How much work that will be is counted here ([`extent`]). Reading is one
//! pass without recursion, so hostile bytes cost no more than their length.

pub(super) mod extent;

use std::collections::BTreeSet;

use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload};

use extent::Extent;

/// The package that every import must come from.
const PACKAGE: &str = "scruple:constraint";

/// The version of the contract that is served. A component made for another 0.1.x is served too.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// What the check found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentShape {
    /// The narrowest world of the contract that has all its imports and exports:
    /// `scruple:constraint/pure-constraint@0.1.0`.
    pub world: String,
    /// The interfaces it imports, by name: `directory`, `scim`.
    pub imports: BTreeSet<String>,
    /// Whether it exports `check`.
    pub checks: bool,
    /// Whether it exports `rewrite`.
    pub rewrites: bool,
}

/// The bytes are no constraint. Each message says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum ComponentError {
    /// There are none.
    #[error("the upload is empty; send the component's bytes as the body")]
    Empty,
    /// Too many.
    #[error("the component has {bytes} bytes, more than the limit of {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// Small enough to be sent, and too much to be compiled.
    #[error("the component has {found} {what}, more than the limit of {most}")]
    TooMuch { what: &'static str, found: usize, most: usize },
    /// Something else altogether.
    #[error("this is not WebAssembly: it does not begin with `\\0asm`")]
    NotWasm,
    /// A module.
    #[error(
        "this is a core WebAssembly module, not a component; build it with `scruple-plugin-build`, or turn it into a \
         component with `wasm-tools component new`"
    )]
    CoreModule,
    /// Cut short, or made to hurt.
    #[error("this is not a valid component, at byte {offset}: {detail}")]
    Malformed { offset: u64, detail: String },
    /// It wants an operating system.
    #[error(
        "the component imports `{import}`, but a constraint has no WASI: no clock, no files, no network, no randomness. \
         Build it without: in Rust for the target wasm32-unknown-unknown; in JavaScript with componentize-js and all \
         features disabled, or with componentize-qjs; in Python with `componentize-py --stub-wasi`"
    )]
    ImportsWasi { import: String },
    /// It wants something that is not in the contract.
    #[error("the component imports `{import}`, which is not part of `{PACKAGE}@{CONTRACT_VERSION}`")]
    UnknownImport { import: String },
    /// It was made for another contract.
    #[error("the component was built for `{PACKAGE}@{found}`; this host serves `{PACKAGE}@{CONTRACT_VERSION}`")]
    OtherVersion { found: String },
    /// It lacks what would be called.
    #[error("the component does not export `{PACKAGE}/{interface}@{CONTRACT_VERSION}`, which every constraint must")]
    MissingExport { interface: &'static str },
    /// There is nothing to ask it.
    #[error(
        "the component exports neither `{PACKAGE}/check@{CONTRACT_VERSION}` nor `{PACKAGE}/rewrite@{CONTRACT_VERSION}`: \
         there is nothing to ask it"
    )]
    NothingToAsk,
}

/// Checks the bytes of an upload.
pub fn check_component(bytes: &[u8], bytes_max: usize) -> Result<ComponentShape, ComponentError> {
    if bytes.is_empty() {
        return Err(ComponentError::Empty);
    }
    if bytes.len() > bytes_max {
        return Err(ComponentError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ComponentError::NotWasm);
    }
    let names = outer_names(bytes)?;
    let imports = names.imports.iter().map(|import| check_import(import)).collect::<Result<BTreeSet<_>, _>>()?;
    let exports = check_exports(&names.exports)?;
    let (checks, rewrites) = (exports.contains("check"), exports.contains("rewrite"));
    Ok(ComponentShape { world: narrowest_world(&imports, checks, rewrites), imports, checks, rewrites })
}

/// Names of what the outermost component imports and exports, in order.
#[derive(Default)]
struct OuterNames<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
}

fn outer_names(bytes: &[u8]) -> Result<OuterNames<'_>, ComponentError> {
    let mut names = OuterNames::default();
    let mut extent = Extent::default();
    // `parse_all` keeps what encloses a payload in a list, not on the stack.
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        let depth = extent.depth();
        extent.count(&payload, bytes)?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(ComponentError::CoreModule);
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.imports.push(import.map_err(malformed)?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export.map_err(malformed)?.name.name);
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

fn malformed(error: wasmparser::BinaryReaderError) -> ComponentError {
    ComponentError::Malformed { offset: error.offset() as u64, detail: error.message().to_owned() }
}

/// The interface an import names, if the contract has it.
fn check_import(import: &str) -> Result<String, ComponentError> {
    if import.starts_with("wasi:") {
        return Err(ComponentError::ImportsWasi { import: shown(import) });
    }
    match interface_of(import) {
        Some((interface @ ("types" | "scim" | "report" | "log" | "directory" | "tables"), version)) => {
            check_version(version)?;
            Ok(interface.to_owned())
        }
        // An unknown interface of another version is a matter of the version.
        Some((_, version)) => {
            check_version(version)?;
            Err(ComponentError::UnknownImport { import: shown(import) })
        }
        None => Err(ComponentError::UnknownImport { import: shown(import) }),
    }
}

fn check_exports<'a>(exports: &[&'a str]) -> Result<BTreeSet<&'a str>, ComponentError> {
    let mut found = BTreeSet::new();
    for (interface, version) in exports.iter().filter_map(|export| interface_of(export)) {
        check_version(version)?;
        found.insert(interface);
    }
    if !found.contains("about") {
        return Err(ComponentError::MissingExport { interface: "about" });
    }
    if !found.contains("check") && !found.contains("rewrite") {
        return Err(ComponentError::NothingToAsk);
    }
    Ok(found)
}

/// `scruple:constraint/scim@0.1.0` → (`scim`, `0.1.0`).
fn interface_of(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// 0.1.x only ever adds, so another 0.1.x fits as long as it uses nothing that we do not have; whether it does shows
/// when it is linked.
fn check_version(version: &str) -> Result<(), ComponentError> {
    if version.starts_with("0.1.") { Ok(()) } else { Err(ComponentError::OtherVersion { found: shown(version) }) }
}

fn narrowest_world(imports: &BTreeSet<String>, checks: bool, rewrites: bool) -> String {
    let (directory, tables) = (imports.contains("directory"), imports.contains("tables"));
    let world = match (checks, rewrites) {
        (false, true) if !directory => "rewriter",
        (_, true) => "rewriting-constraint",
        (_, false) if directory || tables => "constraint",
        (_, false) => "pure-constraint",
    };
    format!("{PACKAGE}/{world}@{CONTRACT_VERSION}")
}

/// A name as it may stand in a message: it came with the upload and can be as long as that.
fn shown(name: &str) -> String {
    name.chars().take(200).collect()
}
