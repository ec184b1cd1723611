//! C: a Makefile → a core module → a component, with the types of the project's `wit/`.
//!
//! The Makefile names the plugin (`NAME = company-mail`) and makes the core module in its target `core`. It is given the
//! compiler in `WASM_CC` and where the module goes in `CORE`. clang will do, and so will zig's.

use std::path::{Path, PathBuf};

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::contract::{self, work_dir};
use crate::error::BuildError;
use crate::project::{BuildOptions, file_name};
use crate::tools::{self, Required, fetched, on_path};
use crate::{command, component};

const MAKE: Required = Required { program: "make", tool: "make", needed_for: "a plugin in C", packages: "make" };
const CLANG: Required = Required {
    program: "clang",
    tool: "a C compiler and a linker for WebAssembly",
    needed_for: "a plugin in C",
    packages: "clang lld",
};

/// The compiler that Python's registry has, for machines without clang.
const ZIGLANG: &str = "0.17.1";

/// Names of LLVM's linker, as distributions have it.
const LINKERS: [&str; 6] = ["wasm-ld", "wasm-ld-22", "wasm-ld-19", "wasm-ld-18", "wasm-ld-16", "wasm-ld-14"];

/// Whether there is a C source in the folder or in its `src`.
pub(crate) fn has_sources(folder: &Path) -> bool {
    let is_source = |path: PathBuf| path.extension() == Some("c".as_ref());
    [folder.to_owned(), folder.join("src")]
        .iter()
        .any(|dir| dir.read_dir().is_ok_and(|entries| entries.flatten().any(|entry| is_source(entry.path()))))
}

/// The plugin's name, as the Makefile has it.
pub(crate) fn name(folder: &Path) -> Result<String, BuildError> {
    let makefile = tools::read(&folder.join("Makefile"))?;
    let named = makefile.lines().find_map(|line| {
        let (variable, value) = line.split_once('=')?;
        (variable.trim_end_matches([':', '?']).trim() == "NAME").then(|| value.trim().to_owned())
    });
    named.as_deref().and_then(file_name).ok_or_else(|| BuildError::NoPlugin {
        folder: folder.to_owned(),
        reason: "its Makefile has no `NAME = …`, which names the plugin".to_owned(),
    })
}

/// Builds the project in a folder; gives its name and the component.
pub(crate) fn component(folder: &Path, options: &BuildOptions<'_>) -> Result<(String, Vec<u8>), BuildError> {
    let name = name(folder)?;
    let make = MAKE.find()?;
    let work = work_dir(&options.target_dir, "c", &name)?;
    let core = work.join("core.wasm");
    let mut run = tools::tool(&make);
    run.arg("-C")
        .arg(folder)
        .arg("core")
        .arg(format!("WASM_CC={}", compiler(options)?))
        .arg(format!("CORE={}", core.display()));
    command::run(&mut run, options.progress).map_err(BuildError::Compile)?;
    let mut module =
        std::fs::read(&core).map_err(|cause| BuildError::Read { path: core, reason: cause.to_string() })?;
    let wit = work.join("wit");
    contract::write(folder, &wit)?;
    embed(&mut module, &wit).map_err(|cause| BuildError::Contract { folder: folder.join("wit"), cause })?;
    Ok((name.clone(), component::encode(&name, &module)?))
}

/// Puts the types of the contract into the core module. Of the world with every capability: what is not imported is left out.
fn embed(module: &mut Vec<u8>, wit: &Path) -> Result<(), anyhow::Error> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some("constraint"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
}

/// The compiler with the arguments that make it one for WebAssembly.
fn compiler(options: &BuildOptions<'_>) -> Result<String, BuildError> {
    let target = "--target=wasm32-unknown-unknown";
    if let Some(clang) = on_path("clang") {
        let targets = command::run(tools::tool(&clang).arg("--print-targets"), &|_| {}).unwrap_or_default();
        let linker = LINKERS.into_iter().find_map(on_path);
        if let (true, Some(linker)) = (targets.contains("wasm32"), linker) {
            return Ok(format!("{} {target} -fuse-ld={} -Wl,--stack-first", clang.display(), linker.display()));
        }
    }
    let python = on_path("python3").ok_or_else(|| {
        CLANG.missing(
            "there is neither a `clang` for WebAssembly with `wasm-ld` nor, to fetch zig with, a `python3`".to_owned(),
        )
    })?;
    let zig = fetched(&options.tools_dir, &format!("ziglang-{ZIGLANG}"), options.progress, |aside| {
        let mut pip = tools::tool(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(aside);
        command::run(pip.arg(format!("ziglang=={ZIGLANG}")), &|_| {}).map(drop)
    })?;
    // Its linker puts the stack first by itself, and knows no option for it.
    Ok(format!("{} cc -target wasm32-freestanding", zig.join("ziglang/zig").display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makefile_names_its_plugin() {
        let folder = std::env::temp_dir().join(format!("scruple-makefile-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let named = |text: &str| {
            std::fs::write(folder.join("Makefile"), text).unwrap();
            name(&folder).map_err(|error| error.to_string())
        };
        assert_eq!(named("# x\nNAME = company-mail\nall:\n"), Ok("company-mail".to_owned()));
        assert_eq!(named("NAME := a\n"), Ok("a".to_owned()));
        assert!(named("all:\n").unwrap_err().contains("`NAME = …`"));
        assert!(named("NAME = ../../etc\n").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
