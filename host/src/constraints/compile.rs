//! Checked bytes → [`ConstraintPre`]: machine code, linked and ready to be instantiated.
//!
//! Compiling takes from 30 ms to many seconds, and hundreds of MB of memory, and the bytes are a stranger's. So it
//! happens in a process of its own ([`child`] is our side of it, [`program`] what runs there) with limits on everything that it
//! could use up; that it dies is an error of the upload and nothing more. Few at once ([`admission`](super::admission)).

pub mod child;
mod order;
pub mod program;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use self::child::CompilerProgram;
use self::order::Order;
use super::admission::Turn;
use super::engine::fingerprint;
use super::exports::Exports;
use super::host_api;
use super::limits::Limits;
use super::state::GuestState;
use crate::metrics::Compilation;

/// Where components are compiled.
#[derive(Clone, Debug)]
pub enum Compiling {
    /// In this process and without limits: for bytes that are the caller's own, on the caller's own computer, as those
    /// that an author inspects.
    InProcess,
    /// In a process of its own with limits: for everybody else's.
    Child(CompilerProgram),
}

/// A component, ready to be instantiated.
pub struct ConstraintPre {
    pub(super) pre: InstancePre<GuestState>,
    pub(super) exports: Exports,
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
    /// See [`Limits::compile_memory_bytes_max`].
    #[error("compiling the component takes more memory than the limit of {compile_memory_bytes_max} bytes")]
    Memory {
        /// The limit.
        compile_memory_bytes_max: u64,
    },
    /// See [`Limits::compile_cpu_seconds_max`].
    #[error("compiling the component takes more processor time than the limit of {compile_cpu_seconds_max} seconds")]
    CpuSeconds {
        /// The limit.
        compile_cpu_seconds_max: u64,
    },
    /// See [`Limits::compile_seconds_max`].
    #[error("compiling the component takes longer than the limit of {compile_seconds_max} seconds")]
    Seconds {
        /// The limit.
        compile_seconds_max: u64,
    },
    /// See [`Limits::compiled_bytes_max`].
    #[error("the compiled component has {bytes} bytes, more than the limit of {compiled_bytes_max}")]
    CompiledBytes {
        /// What it has.
        bytes: u64,
        /// The limit.
        compiled_bytes_max: usize,
    },
    /// The compiler broke on it: a bug of the compiler's, or the kernel was short of memory.
    #[error("the compiler broke on the component ({status}): {said}")]
    Crashed {
        /// Its exit code or signal.
        status: String,
        /// What it said last.
        said: String,
    },
    /// Nothing can be compiled at all, which is no fault of the component.
    #[error("components cannot be compiled: {detail}")]
    Unavailable {
        /// Why.
        detail: String,
    },
    /// Compiling ended without a result, because the sandbox does.
    #[error("compiling was cut off")]
    CutOff,
}

impl CompileError {
    /// Whether it is this server that failed, and not the component.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::CutOff)
    }

    /// What it is counted as.
    pub(super) fn ending(&self) -> Compilation {
        match self {
            Self::Invalid(_) | Self::Contract(_) => Compilation::Invalid,
            Self::Memory { .. } => Compilation::Memory,
            Self::CpuSeconds { .. } => Compilation::CpuSeconds,
            Self::Seconds { .. } => Compilation::Seconds,
            Self::CompiledBytes { .. } => Compilation::CompiledBytes,
            Self::Crashed { .. } => Compilation::Crashed,
            Self::Unavailable { .. } | Self::CutOff => Compilation::Unavailable,
        }
    }
}

/// Compiles and links components.
pub struct Compiler {
    engine: Engine,
    limits: Arc<Limits>,
    linker: Linker<GuestState>,
    compiling: Compiling,
    /// Where the child processes are started from and listened to. The kernel kills a child when the thread that
    /// started it ends, so it has to be one of the workers, which live as long as the sandbox.
    threads: Handle,
}

/// SHA-256 of a component, in lower-case hexadecimal: what a plugin version is known by.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Compiler {
    /// A compiler whose work is done on a runtime's threads, or in processes that are started from them.
    pub fn new(engine: Engine, limits: Arc<Limits>, compiling: Compiling, threads: Handle) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&engine);
        host_api::add_to_linker(&mut linker)?;
        Ok(Self { engine, limits, linker, compiling, threads })
    }

    /// The engine it compiles for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component in a turn; also tells how many milliseconds that took. It is cut off when nobody waits for it
    /// any more.
    pub async fn compile(&self, bytes: Vec<u8>, turn: Turn) -> Result<(Component, u64), CompileError> {
        let started = Instant::now();
        let component = match &self.compiling {
            Compiling::InProcess => {
                let engine = self.engine.clone();
                self.on_blocking_thread(move || Component::from_binary(&engine, &bytes)).await?
            }
            Compiling::Child(program) => {
                let (program, limits) = (program.clone(), Arc::clone(&self.limits));
                let order = Order::new(fingerprint(&self.engine), &limits, bytes.len());
                let work = async move { child::compile(&program, &order, &limits, &bytes).await };
                let compiled = AbortOnDropHandle::new(self.threads.spawn(work));
                let compiled = compiled.await.map_err(|_stopped| CompileError::CutOff)??;
                let engine = self.engine.clone();
                self.on_blocking_thread(move || compiled.load(&engine)).await?
            }
        };
        drop(turn);
        Ok((component, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }

    /// Makes or loads a component where that may take a while. What does not fit the pool shows here, too.
    ///
    /// The image of its memory is made as well, and not at the guest's first call and the guest's expense: of 30 MB of data
    /// that is a third of what an evaluation may take.
    async fn on_blocking_thread(
        &self,
        make: impl FnOnce() -> wasmtime::Result<Component> + Send + 'static,
    ) -> Result<Component, CompileError> {
        let made = self.threads.spawn_blocking(move || -> wasmtime::Result<Component> {
            let component = make()?;
            component.initialize_copy_on_write_image()?;
            Ok(component)
        });
        let made = made.await.map_err(|_panicked| CompileError::CutOff)?;
        made.map_err(|error| CompileError::Invalid(format!("{error:#}")))
    }

    /// Links a compiled component against the contract.
    pub fn link(&self, component: &Component, digest: String) -> Result<ConstraintPre, CompileError> {
        let misfit = |error: wasmtime::Error| CompileError::Contract(format!("{error:#}"));
        let pre = self.linker.instantiate_pre(component).map_err(misfit)?;
        let exports = Exports::of(&pre).map_err(misfit)?;
        Ok(ConstraintPre { pre, exports, digest })
    }
}

impl ConstraintPre {
    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether it judges.
    pub fn checks(&self) -> bool {
        self.exports.check.is_some()
    }

    /// Whether it rewrites.
    pub fn rewrites(&self) -> bool {
        self.exports.rewrite.is_some()
    }

    /// Its machine code.
    pub fn component(&self) -> &Component {
        self.pre.component()
    }
}

impl fmt::Debug for ConstraintPre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintPre").field("digest", &self.digest).finish_non_exhaustive()
    }
}
