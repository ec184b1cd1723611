//! The standard library for WebAssembly, built from the sources that a distribution packages.
//!
//! Debian carries a recent compiler, its sources and a linker for WebAssembly, but no compiled standard library for the
//! target. cargo's `build-std` makes one in about two minutes. It is assembled in a folder aside and renamed when it
//! is whole, so an interrupted run leaves nothing that looks finished. Nothing is written to the user's toolchain.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Source, Toolchain};
use crate::{Progress, TARGET, command};

/// bookworm-security carries the compiler that the browsers need under these names. `rust-web-llvm` and `lld-22` bring
/// the linker.
const PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// The distribution's own compiler; the one on the path is rustup's.
const RUSTC: &str = "/usr/bin/rustc";

/// Best first; the name tells rustc which kind of linker it is.
const LINKERS: [&str; 4] = ["wasm-ld-22", "wasm-ld", "wasm-ld-21", "wasm-ld-20"];

/// Raised when the recipe below changes, so that an old result is not taken for the new one.
const RECIPE: u32 = 1;

/// The oldest compiler that plugins compile with, as the workspace's `rust-version`.
const MINOR_VERSION_MIN: u32 = 95;

/// What was built earlier, if it is whole and still fits the compiler.
pub(super) fn built(cache: &Path) -> Option<Toolchain> {
    let parts = Parts::find().ok()?;
    parts.sysroot(cache).is_dir().then(|| parts.toolchain(cache))
}

/// Installs what is missing, builds what is not built. The caller holds the lock.
pub(super) fn ensure(cache: &Path, progress: Progress<'_>) -> Result<Toolchain, String> {
    let parts = match Parts::find() {
        Ok(parts) => parts,
        Err(missing) => {
            install(&missing, progress)?;
            Parts::find()?
        }
    };
    let sysroot = parts.sysroot(cache);
    if !sysroot.is_dir() {
        progress(&format!("building the standard library for {TARGET}; this takes about two minutes, once"));
        // Nobody else builds while the lock is held, so what is there was left by a run that was killed.
        let aside = cache.join("aside");
        let _ = fs::remove_dir_all(&aside);
        let outcome = build(&parts, &aside, progress)
            .and_then(|done| fs::rename(done, &sysroot).map_err(|cause| said(&sysroot, &cause)));
        // Whatever happened, it is of no use any more, and it is large.
        let _ = fs::remove_dir_all(&aside);
        outcome?;
        progress(&format!("the toolchain is ready in `{}`", sysroot.display()));
    }
    Ok(parts.toolchain(cache))
}

/// What the distribution has installed.
struct Parts {
    version: String,
    host: String,
    prefix: PathBuf,
    linker: &'static str,
}

impl Parts {
    fn find() -> Result<Self, String> {
        let about = command::run(command::tool(RUSTC).arg("-vV"), &|_| {})?;
        let line = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let version = line("release: ").ok_or_else(|| format!("`{RUSTC} -vV` names no release"))?;
        if minor(&version).is_none_or(|minor| minor < MINOR_VERSION_MIN) {
            return Err(format!("`{RUSTC}` is {version}, and plugins need 1.{MINOR_VERSION_MIN} or later"));
        }
        let host = line("host: ").ok_or_else(|| format!("`{RUSTC} -vV` names no host"))?;
        let prefix = command::run(command::tool(RUSTC).args(["--print", "sysroot"]), &|_| {})?;
        let prefix = PathBuf::from(prefix.trim());
        let sources = prefix.join("lib/rustlib/src/rust/library/std/Cargo.toml");
        if !sources.is_file() {
            return Err(format!("no sources of the standard library at `{}`", sources.display()));
        }
        let linker = LINKERS
            .into_iter()
            .find(|name| is_on_path(name))
            .ok_or_else(|| format!("none of the linkers {} is on the path", LINKERS.join(", ")))?;
        Ok(Self { version, host, prefix, linker })
    }

    /// Named for everything that its contents depend on.
    fn sysroot(&self, cache: &Path) -> PathBuf {
        cache.join(format!("sysroot-{}-recipe-{RECIPE}", self.version))
    }

    fn toolchain(&self, cache: &Path) -> Toolchain {
        // Absolute, because cargo runs the compiler in each package's own folder.
        let sysroot = self.sysroot(cache);
        let sysroot = std::path::absolute(&sysroot).unwrap_or(sysroot);
        Toolchain {
            source: Source::Distribution,
            rustc: Some(PathBuf::from(RUSTC)),
            flags: vec![
                "--sysroot".to_owned(),
                sysroot.to_string_lossy().into_owned(),
                format!("-Clinker={}", self.linker),
            ],
        }
    }
}

fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn install(missing: &str, progress: Progress<'_>) -> Result<(), String> {
    let attempt = |arguments: &[&str]| command::run(apt_get()?.args(arguments), &|_| {}).map(drop);
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(PACKAGES);
    progress(&format!("installing {} with apt-get", PACKAGES.join(", ")));
    attempt(&arguments)
        .or_else(|_| {
            progress("apt-get does not know them; updating its lists");
            attempt(&["update"])?;
            attempt(&arguments)
        })
        .map_err(|reason| format!("{missing}; installing {} failed: {reason}", PACKAGES.join(", ")))
}

/// apt-get with the rights it needs, or why there is none.
fn apt_get() -> Result<Command, String> {
    if !is_on_path("apt-get") {
        return Err("there is no apt-get on the path".to_owned());
    }
    let user = command::run(Command::new("id").arg("-u"), &|_| {})?;
    let mut command = if user.trim() == "0" {
        Command::new("apt-get")
    } else {
        // -n: a password prompt in the middle of a build would wait for ever.
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

/// Builds and assembles under `aside`; gives the folder that holds the whole sysroot.
fn build(parts: &Parts, aside: &Path, progress: Progress<'_>) -> Result<PathBuf, String> {
    let package = aside.join("package");
    write(&package.join("Cargo.toml"), EMPTY_MANIFEST)?;
    write(&package.join("lib.rs"), "#![no_std]\n")?;
    let target_dir = aside.join("target");
    let mut cargo = command::cargo();
    cargo
        .current_dir(&package)
        .env("RUSTC", RUSTC)
        // `build-std` is not stable; this compiler and this source belong together, which is what the gate guards.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode, a plugin with `lto = true` fails with "failed to get bitcode".
        .env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes")
        .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET, "--target-dir"])
        .arg(std::path::absolute(&target_dir).map_err(|cause| said(&target_dir, &cause))?);
    command::run(&mut cargo, progress)?;

    let sysroot = aside.join("sysroot");
    let rustlib = sysroot.join("lib/rustlib");
    let libraries = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&libraries).map_err(|cause| said(&libraries, &cause))?;
    copy_libraries(&target_dir.join(TARGET).join("release/deps"), &libraries)?;
    if !super::has_std(&libraries) {
        return Err(format!("cargo built no standard library in `{}`", libraries.display()));
    }
    // Proc macros are compiled for the host with this sysroot as well.
    let host = parts.prefix.join("lib/rustlib").join(&parts.host);
    link(&host, &rustlib.join(&parts.host)).map_err(|cause| said(&host, &cause))?;
    Ok(sysroot)
}

const EMPTY_MANIFEST: &str = "[package]\nname = \"nothing-but-std\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                              [lib]\npath = \"lib.rs\"\n[workspace]\n";

fn copy_libraries(from: &Path, to: &Path) -> Result<(), String> {
    for entry in fs::read_dir(from).map_err(|cause| said(from, &cause))? {
        let entry = entry.map_err(|cause| said(from, &cause))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libnothing_but_std") {
            fs::copy(entry.path(), to.join(&name)).map_err(|cause| said(&entry.path(), &cause))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text)).map_err(|c| said(path, &c))
}

fn said(path: &Path, cause: &io::Error) -> String {
    format!("`{}`: {cause}", path.display())
}

#[cfg(unix)]
fn link(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(not(unix))]
fn link(_original: &Path, _link: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read_from_releases_of_every_form() {
        assert_eq!(minor("1.96.0"), Some(96));
        assert_eq!(minor("1.97.0-nightly"), Some(97));
        assert_eq!(minor("2.0.0"), None);
    }
}
