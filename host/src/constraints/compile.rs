//! Checked bytes → [`ConstraintPre`]: machine code, linked and ready to be instantiated.
//!
//! Compiling takes from 30 ms to many seconds, so it happens on threads of its own and never on those that serve
//! requests or run guests. Few at once: it is the one step whose memory grows with what a tenant uploads (414 MiB at
//! the peak for a component of 12 MB).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings;
use super::host_api;
use super::state::GuestState;

/// Components compiled at once. 2: Cranelift uses all cores for one as it is, and each may need 414 MiB.
const COMPILATIONS_MAX: usize = 2;

/// A component, ready to be instantiated.
pub struct ConstraintPre {
    pub(super) pre: bindings::ConstraintPre<GuestState>,
    digest: String,
}

/// A component could not be compiled or does not fit the contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// It is not valid WebAssembly, or uses what the engine has switched off.
    #[error("the component cannot be compiled: {0}")]
    Invalid(String),
    /// Its imports or exports have other types than the contract says.
    #[error("the component does not fit the contract: {0}")]
    Contract(String),
    /// Compiling ended without a result.
    #[error("compiling was cut off")]
    CutOff,
}

/// Compiles and links components.
pub struct Compiler {
    engine: Engine,
    linker: Linker<GuestState>,
    threads: Handle,
    turns: Arc<Semaphore>,
}

/// SHA-256 of a component, in lower-case hexadecimal: what a plugin version is known by.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Compiler {
    /// A compiler whose work is done on the blocking threads of a runtime.
    pub fn new(engine: Engine, threads: Handle) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&engine);
        host_api::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker, threads, turns: Arc::new(Semaphore::new(COMPILATIONS_MAX)) })
    }

    /// The engine it compiles for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component; also tells how many milliseconds that took, waiting excluded.
    pub async fn compile(&self, bytes: Vec<u8>) -> Result<(Component, u64), CompileError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_closed| CompileError::CutOff)?;
        let engine = self.engine.clone();
        let work = self.threads.spawn_blocking(move || {
            let started = Instant::now();
            // The image of its memory is made here, too, and not at the guest's first call and the guest's expense: of
            // 30 MB of data that is a third of what an evaluation may take.
            let compiled = Component::from_binary(&engine, &bytes)
                .and_then(|component| component.initialize_copy_on_write_image().map(|()| component));
            drop(turn);
            (compiled, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
        });
        let (compiled, compile_ms) = work.await.map_err(|_panicked| CompileError::CutOff)?;
        let component = compiled.map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
        Ok((component, compile_ms))
    }

    /// Links a compiled component against the contract.
    pub fn link(&self, component: &Component, digest: String) -> Result<ConstraintPre, CompileError> {
        let misfit = |error: wasmtime::Error| CompileError::Contract(format!("{error:#}"));
        let instance = self.linker.instantiate_pre(component).map_err(misfit)?;
        let pre = bindings::ConstraintPre::new(instance).map_err(misfit)?;
        Ok(ConstraintPre { pre, digest })
    }
}

impl ConstraintPre {
    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn component(&self) -> &Component {
        self.pre.instance_pre().component()
    }
}

impl fmt::Debug for ConstraintPre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintPre").field("digest", &self.digest).finish_non_exhaustive()
    }
}
