//! Core module → component, and what a component may import: checked here too, so that an author learns it before the
//! upload does.

use std::io;
use std::path::Path;

use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::error::{BuildError, ImportError};

/// Everything a component may import begins so.
pub(crate) const CONTRACT: &str = "scruple:constraint/";

/// Turns a core module, which has the contract's types in a custom section, into a component.
pub(crate) fn encode(name: &str, module: &[u8]) -> Result<Vec<u8>, BuildError> {
    if let Some(import) = foreign_module_import(module) {
        return Err(BuildError::Import { name: name.to_owned(), cause: ImportError::Foreign(import) });
    }
    let component = ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|cause| BuildError::Encode { name: name.to_owned(), cause })?;
    if exports_nothing(&component) {
        let cause = anyhow::anyhow!("the component has no exports");
        return Err(BuildError::Encode { name: name.to_owned(), cause });
    }
    Ok(component)
}

fn exports_nothing(component: &[u8]) -> bool {
    // What is nested in it has exports of its own kind, modules those of modules: this is the outermost, or an instance's.
    let exports = |payload: &Payload<'_>| matches!(payload, Payload::ComponentExportSection(_));
    !Parser::new(0).parse_all(component).flatten().any(|payload| exports(&payload))
}

/// The first import of a core module that the encoder could not resolve, with its name spelled for the author.
/// `wasm-bindgen` and `env` are the usual ones.
fn foreign_module_import(module: &[u8]) -> Option<String> {
    let imports = Parser::new(0).parse_all(module).find_map(|payload| match payload {
        Ok(Payload::ImportSection(section)) => Some(section),
        _ => None,
    })?;
    imports
        .into_imports()
        .flatten()
        .find(|import| !import.module.starts_with(CONTRACT) && !import.module.starts_with("[export]"))
        .map(|import| format!("{}::{}", import.module, import.name))
}

/// Validates a component and gives its imports, all of the contract.
///
/// # Errors
/// When it is no valid component, and at the first import of anything but `scruple:constraint/*`.
pub fn check_imports(component: &[u8]) -> Result<Vec<String>, ImportError> {
    Validator::new_with_features(WasmFeatures::default()).validate_all(component).map_err(ImportError::Invalid)?;
    let mut imports = Vec::new();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(ImportError::Invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth = depth.saturating_add(1),
            // Every nested module and component closes with its own end.
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import.map_err(ImportError::Invalid)?.name.name.to_owned();
                    if !name.starts_with(CONTRACT) {
                        return Err(ImportError::Foreign(name));
                    }
                    imports.push(name);
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

/// Leaves a file alone that is the same already, so that build scripts that watch it do not run again.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    // Written aside: nobody may read half a component.
    let aside = path.with_extension(format!("wasm-{}", std::process::id()));
    std::fs::write(&aside, bytes)?;
    std::fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(component)` and `(component (import "wasi:io/poll@0.2.0" (instance)))`, hand-assembled.
    const PREAMBLE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn importing(name: &str) -> Vec<u8> {
        let mut bytes = PREAMBLE.to_vec();
        bytes.extend([7, 3, 1, 0x42, 0]); // one type: an instance with nothing in it
        let length = u8::try_from(name.len()).unwrap();
        bytes.extend([10, length + 5, 1, 0, length]);
        bytes.extend(name.as_bytes());
        bytes.extend([5, 0]); // an instance of type 0
        bytes
    }

    #[test]
    fn a_component_that_imports_only_the_contract_is_accepted() {
        assert_eq!(
            check_imports(&importing("scruple:constraint/scim@0.1.0")).unwrap(),
            ["scruple:constraint/scim@0.1.0"]
        );
        assert!(check_imports(&PREAMBLE).unwrap().is_empty());
    }

    #[test]
    fn a_foreign_import_is_named() {
        let error = check_imports(&importing("wasi:io/poll@0.2.0")).unwrap_err();
        assert!(error.to_string().contains("`wasi:io/poll@0.2.0`"), "{error}");
    }

    #[test]
    fn what_is_not_a_component_is_not_valid() {
        assert!(matches!(check_imports(b"{}").unwrap_err(), ImportError::Invalid(_)));
    }
}
