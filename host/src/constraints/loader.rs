//! [`Loader`]: from a digest to machine code that can be instantiated: in memory, else read from disk, else compiled from the
//! bytes that are stored.
//!
//! Nothing is loaded before somebody needs it, and nothing is kept in memory for its own sake: with 10,000 tenants, those
//! whose code was not used for long make place for those who use theirs. Coming back costs half a millisecond.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::future::Cache;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Handle;
use tracing::{error, info};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::admission::{Admission, Turn};
use super::cache::CompiledFiles;
use super::check_component::check_component;
use super::compile::{CompileError, Compiler, ConstraintPre, digest};
use super::evaluate::microseconds;
use super::limits::Limits;
use super::registry::EnabledConstraint;
use super::sandbox::LoadError;
use crate::decision::{ConstraintFault, TenantId};
use crate::metrics::{Compilation, Metrics};

/// Components that are kept in memory at the most, in bytes, if nothing else is set. 256 MiB: some 600 of a Rust rule's
/// 0.36 MiB and [`BYTES_EACH`], or seven of SpiderMonkey's 37.
pub const LOADED_BYTES_MAX: u64 = 256 << 20;

/// What a loaded component takes beside its machine code, the tenant's set and model included. 52 KiB were measured over 2,000
/// tenants.
const BYTES_EACH: u64 = 64 << 10;

/// Components in memory at the most, whatever their size. 8,192: each has some four maps, and Linux gives a process 65,530.
const LOADED_MAX: u64 = 8_192;

/// How long it is remembered that a component cannot be loaded. Long enough that one that never will costs next to nothing,
/// short enough that a tenant hardly notices a failure that passes.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Where stored components are. The caller lends it: the sandbox knows nothing of storage.
#[async_trait]
pub trait ComponentSource: Send + Sync {
    /// The bytes of the component with that SHA-256, in hexadecimal; or why they cannot be had.
    async fn component(&self, digest: &str) -> Result<Vec<u8>, String>;
}

/// For a sandbox that only runs what is uploaded to it.
#[derive(Debug)]
pub struct NothingStored;

#[async_trait]
impl ComponentSource for NothingStored {
    async fn component(&self, _digest: &str) -> Result<Vec<u8>, String> {
        Err("no component is stored".to_owned())
    }
}

/// Components with their machine code, by digest.
pub(super) struct Loader {
    pub(super) engine: Engine,
    pub(super) limits: Arc<Limits>,
    pub(super) compiler: Compiler,
    pub(super) files: Option<Arc<CompiledFiles>>,
    pub(super) source: Arc<dyn ComponentSource>,
    pub(super) uploads: Admission,
    pub(super) metrics: Arc<Metrics>,
    /// Where files are read and machine code is made.
    pub(super) threads: Handle,
    pub(super) loaded: Loaded,
}

impl Loader {
    /// The component of a digest. Many that ask at once wait for one that works. If it has to be compiled, that is in the
    /// tenant's turn.
    pub(super) async fn load(&self, tenant: TenantId, digest: &str) -> Result<Arc<ConstraintPre>, LoadError> {
        if let Some(loaded) = self.loaded.0.get(digest).await {
            return loaded;
        }
        self.loaded.0.get_with_by_ref(digest, self.load_anew(tenant, digest)).await
    }

    /// The component of a constraint; or why it cannot be asked, which is a fault of its own.
    pub(super) async fn of(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
    ) -> Result<Arc<ConstraintPre>, ConstraintFault> {
        let detail = match &constraint.broken {
            Some(detail) => detail.clone(),
            None => match self.load(tenant, &constraint.digest).await {
                Ok(pre) => return Ok(pre),
                Err(error) => error.to_string(),
            },
        };
        Err(ConstraintFault::Unavailable { detail })
    }

    async fn load_anew(&self, tenant: TenantId, digest: &str) -> Result<Arc<ConstraintPre>, LoadError> {
        let started = Instant::now();
        let loaded = match self.read_compiled(digest).await {
            Some(component) => {
                let linked = self.compiler.link(&component, digest.to_owned());
                self.metrics.loaded(microseconds(started));
                linked.map_err(LoadError::from)
            }
            None => self.compile_stored(tenant, digest).await,
        };
        if let Err(detail) = &loaded {
            error!(component.digest = digest, %detail, "a component cannot be loaded");
        }
        loaded.map(Arc::new)
    }

    async fn read_compiled(&self, digest: &str) -> Option<Component> {
        let files = Arc::clone(self.files.as_ref()?);
        let (engine, digest) = (self.engine.clone(), digest.to_owned());
        self.threads.spawn_blocking(move || files.load(&engine, &digest)).await.ok().flatten()
    }

    async fn compile_stored(&self, tenant: TenantId, expected: &str) -> Result<ConstraintPre, LoadError> {
        // Before the bytes are there: what waits has none.
        let turn = self.uploads.turn(tenant).await;
        let fetched = self.source.component(expected).await;
        let bytes = fetched.map_err(|detail| LoadError::Fetch { digest: expected.to_owned(), detail })?;
        let found = digest(&bytes);
        if found != expected {
            return Err(LoadError::Digest { expected: expected.to_owned(), found });
        }
        // The bounds may be narrower than those it was taken by.
        check_component(&bytes, self.limits.component_bytes_max)?;
        let (component, compile_ms) = self.compile(bytes, turn).await?;
        info!(component.digest = expected, compile_ms, "compiled a stored component");
        self.keep(component.clone(), expected).await;
        Ok(self.compiler.link(&component, expected.to_owned())?)
    }

    /// Compiles, and counts how it ends.
    pub(super) async fn compile(&self, bytes: Vec<u8>, turn: Turn) -> Result<(Component, u64), CompileError> {
        let started = Instant::now();
        let compiled = self.compiler.compile(bytes, turn).await;
        let ending = compiled.as_ref().err().map_or(Compilation::Done, CompileError::ending);
        self.metrics.compiled(ending, microseconds(started));
        compiled
    }

    /// Keeps machine code on disk.
    pub(super) async fn keep(&self, component: Component, digest: &str) {
        let Some(files) = self.files.clone() else {
            return;
        };
        let digest = digest.to_owned();
        // Whether it was kept is in the log; the component is there either way.
        drop(self.threads.spawn_blocking(move || files.keep(&digest, &component)).await);
    }
}

/// What is in memory: components, and of those that cannot be loaded, for a while, why.
pub(super) struct Loaded(Cache<String, Result<Arc<ConstraintPre>, LoadError>>);

impl Loaded {
    /// So many bytes of machine code, and no more components than half of the files that the process may have open: each has
    /// one, and so has each connection.
    pub(super) fn at_most(bytes_max: u64) -> Self {
        let files_max = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let count_max = (files_max / 2).clamp(1, LOADED_MAX);
        // Rounded up, so that so many of the lightest do not go over.
        let least = bytes_max.div_ceil(count_max);
        let weigh = move |_: &String, loaded: &Result<Arc<ConstraintPre>, LoadError>| {
            let bytes = loaded.as_ref().map_or(0, |pre| code_bytes(pre));
            u32::try_from(bytes.saturating_add(BYTES_EACH).max(least)).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes_max).weigher(weigh).expire_after(FailuresPass).build())
    }

    /// The component of a digest, if it is here.
    pub(super) async fn get(&self, digest: &str) -> Option<Arc<ConstraintPre>> {
        self.0.get(digest).await?.ok()
    }

    /// Takes in what was just compiled.
    pub(super) async fn insert(&self, pre: Arc<ConstraintPre>) {
        self.0.insert(pre.digest().to_owned(), Ok(pre)).await;
    }

    /// How many there are, and their bytes.
    pub(super) async fn size(&self) -> (u64, u64) {
        // What is to go is gone only when the books are made up.
        self.0.run_pending_tasks().await;
        (self.0.entry_count(), self.0.weighted_size())
    }
}

/// Failures are forgotten after a while, components are not.
struct FailuresPass;

impl<K, T, E> Expiry<K, Result<T, E>> for FailuresPass {
    fn expire_after_create(&self, _: &K, loaded: &Result<T, E>, _: Instant) -> Option<Duration> {
        loaded.is_err().then_some(RETRY_AFTER)
    }

    fn expire_after_update(&self, _: &K, loaded: &Result<T, E>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        loaded.is_err().then_some(RETRY_AFTER)
    }
}

fn code_bytes(pre: &ConstraintPre) -> u64 {
    let image = pre.component().image_range();
    image.end.addr().saturating_sub(image.start.addr()) as u64
}
