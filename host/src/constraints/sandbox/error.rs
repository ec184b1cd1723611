//! What can go wrong in the sandbox that is no verdict: at its start, with an upload, with a component in store.

use std::path::PathBuf;

use thiserror::Error;

use crate::constraints::admission::Overloaded;
use crate::constraints::check_component::ComponentError;
use crate::constraints::compile::CompileError;
use crate::constraints::descriptor::DescriptorError;
use crate::constraints::engine::EngineError;
use crate::decision::ConstraintFault;

/// The sandbox could not be started.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The contract and its implementation disagree.
    #[error("the contract could not be linked")]
    Contract(#[source] wasmtime::Error),
    /// No runtime.
    #[error("the runtime for guests could not be started")]
    Runtime(#[source] std::io::Error),
    /// No folder.
    #[error("the folder for compiled components at {path} could not be opened")]
    CacheDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Nobody judges any more, since the server stops, or because of a failure of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sandbox has stopped")]
pub struct Stopped;

/// A component was not asked about itself or its settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AboutError {
    /// It broke.
    #[error(transparent)]
    Fault(#[from] ConstraintFault),
    /// The tenant asks too much at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

/// An uploaded component was not taken. Each is the author's to mend, and says how.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UploadError {
    /// It cannot be a constraint.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// It does not compile or link.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It broke when it was asked who it is.
    #[error("`describe` failed: {0}")]
    Describe(ConstraintFault),
    /// What it says of itself is not valid.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// Nothing is wrong with it: the tenant uploads too much at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

impl From<AboutError> for UploadError {
    fn from(error: AboutError) -> Self {
        match error {
            AboutError::Fault(fault) => Self::Describe(fault),
            AboutError::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

impl UploadError {
    /// Stable name for APIs and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Component(ComponentError::TooLarge { .. }) => "component-too-large",
            Self::Component(_) => "component-invalid",
            Self::Compile(
                CompileError::Memory { .. }
                | CompileError::CpuSeconds { .. }
                | CompileError::Seconds { .. }
                | CompileError::CompiledBytes { .. },
            ) => "component-compilation-limit",
            Self::Compile(_) => "component-compilation-failed",
            Self::Describe(_) => "component-describe-failed",
            Self::Descriptor(_) => "component-descriptor-invalid",
            Self::Overloaded(_) => "overloaded",
        }
    }
}

/// A stored component could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Its bytes could not be had.
    #[error("the component {digest} could not be read: {detail}")]
    Fetch {
        /// Which one.
        digest: String,
        /// Why.
        detail: String,
    },
    /// The bytes are not the component of that digest.
    #[error("what is stored as the component {expected} has the digest {found}")]
    Digest {
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It is larger or deeper than components may be by now.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// It does not compile or link.
    #[error(transparent)]
    Compile(#[from] CompileError),
}
