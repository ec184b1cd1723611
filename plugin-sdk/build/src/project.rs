//! A folder → a component, whatever language it is in.
//!
//! The language is seen by the file that its own tools look for. Each language turns the folder into a component in its own
//! way; the rest is the same for all: what says nothing to a host is stripped, what is imported is checked, and the file is
//! written when it is whole.
//!
//! Start at [`build_components`].

use std::fmt;
use std::path::{Path, PathBuf};

use crate::component::{check_imports, encode, write_if_changed};
use crate::error::BuildError;
use crate::strip::strip;
use crate::toolchain::Source;
use crate::{Progress, c, cargo, javascript, python};

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A cargo package.
    Rust,
    /// A package of npm.
    JavaScript,
    /// A Python project.
    Python,
    /// C sources with a Makefile.
    C,
}

impl Language {
    /// The language of the project in a folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(folder: &Path) -> Result<Self, BuildError> {
        let has = |name: &str| folder.join(name).is_file();
        if has("Cargo.toml") {
            Ok(Self::Rust)
        } else if has("package.json") {
            Ok(Self::JavaScript)
        } else if has("pyproject.toml") {
            Ok(Self::Python)
        } else if has("Makefile") && c::has_sources(folder) {
            Ok(Self::C)
        } else {
            Err(BuildError::NoProject(folder.to_owned()))
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::C => "C",
        })
    }
}

/// How and where to build.
pub struct BuildOptions<'a> {
    /// Where what is between the sources and the components goes.
    pub target_dir: PathBuf,
    /// Where toolchains that are fetched or built stay, for every later build.
    pub tools_dir: PathBuf,
    /// Where the components go.
    pub out_dir: PathBuf,
    /// The one source of Rust's standard library that may be used; any, if absent.
    pub source: Option<Source>,
    /// Told what takes time.
    pub progress: Progress<'a>,
}

impl BuildOptions<'static> {
    /// Builds under `target_dir`, silently, and puts the components into its folder `plugins`.
    #[must_use]
    pub fn new(target_dir: impl Into<PathBuf>) -> Self {
        let target_dir = target_dir.into();
        Self {
            out_dir: target_dir.join("plugins"),
            tools_dir: target_dir.clone(),
            target_dir,
            source: None,
            progress: &|_| {},
        }
    }
}

impl fmt::Debug for BuildOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions")
            .field("target_dir", &self.target_dir)
            .field("tools_dir", &self.tools_dir)
            .field("out_dir", &self.out_dir)
            .finish_non_exhaustive()
    }
}

/// A finished component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltComponent {
    /// The package's name.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// The component.
    pub path: PathBuf,
    /// How large it is.
    pub size_bytes: usize,
    /// What it imports, as in `scruple:constraint/scim@0.1.0`.
    pub imports: Vec<String>,
}

/// Builds one project; see [`build_components`].
///
/// # Errors
/// As [`build_components`].
pub fn build_component(folder: &Path, options: &BuildOptions<'_>) -> Result<BuiltComponent, BuildError> {
    let mut built = build_components(&[folder], options)?;
    built.pop().ok_or_else(|| BuildError::NoProject(folder.to_owned()))
}

/// Builds projects, those in Rust together and first. Finds, fetches or makes the toolchains that they need.
///
/// # Errors
/// At the first that does not compile or is no component that a host would take.
pub fn build_components(
    folders: &[impl AsRef<Path>],
    options: &BuildOptions<'_>,
) -> Result<Vec<BuiltComponent>, BuildError> {
    let mut others = Vec::new();
    let mut packages = Vec::new();
    for folder in folders.iter().map(AsRef::as_ref) {
        match Language::of(folder)? {
            Language::Rust => packages.push(folder),
            other => others.push((folder, other)),
        }
    }
    let mut built = Vec::new();
    if !packages.is_empty() {
        for (name, module) in cargo::modules(&packages, options)? {
            let bytes =
                std::fs::read(&module).map_err(|cause| BuildError::Read { path: module, reason: cause.to_string() })?;
            let component = encode(&name, &bytes)?;
            built.push(finish(name, Language::Rust, &component, options)?);
        }
    }
    for (folder, language) in others {
        let (name, component) = match language {
            Language::JavaScript => javascript::component(folder, options)?,
            Language::Python => python::component(folder, options)?,
            Language::C | Language::Rust => c::component(folder, options)?,
        };
        built.push(finish(name, language, &component, options)?);
    }
    Ok(built)
}

/// The name of the project in a folder, and where its language keeps what is built.
///
/// # Errors
/// When there is no plugin in the folder, or what it takes to find out is missing.
pub fn describe(folder: &Path) -> Result<(String, PathBuf), BuildError> {
    let own = || folder.join("target");
    match Language::of(folder)? {
        Language::Rust => cargo::describe(folder),
        Language::JavaScript => Ok((javascript::name(folder)?, own())),
        Language::Python => Ok((python::name(folder)?, own())),
        Language::C => Ok((c::name(folder)?, own())),
    }
}

fn finish(
    name: String,
    language: Language,
    component: &[u8],
    options: &BuildOptions<'_>,
) -> Result<BuiltComponent, BuildError> {
    let component = strip(component);
    let imports = check_imports(&component).map_err(|cause| BuildError::Import { name: name.clone(), cause })?;
    let path = options.out_dir.join(format!("{name}.wasm"));
    write_if_changed(&path, &component).map_err(|cause| BuildError::Write { path: path.clone(), cause })?;
    Ok(BuiltComponent { name, language, path, size_bytes: component.len(), imports })
}

/// A name that can be that of a file: a scope of npm (`@acme/`) is left out. None if it could lead elsewhere.
pub(crate) fn file_name(name: &str) -> Option<String> {
    let name = name.strip_prefix('@').and_then(|scoped| Some(scoped.split_once('/')?.1)).unwrap_or(name);
    let fits = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ' ']);
    fits.then(|| name.to_owned())
}
