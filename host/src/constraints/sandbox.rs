//! [`Sandbox`]: what the rest of the program calls.
//!
//! Guests are fibers. An evaluation begins where it is asked for and mostly ends there: an honest rule takes some ten
//! microseconds, less than handing it to another thread and back. At the first tick of the epoch (a millisecond), or when
//! it waits for a look-up, the rest of it moves to a runtime of its own. So a request's worker runs a guest for a
//! millisecond at the most; eight connections of endless loops that stay there raise everybody else's p99 to 340 ms.

mod error;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::process::setpriority_process;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::admission::{Admission, Overloaded, Place, Shares, WRITES_WAITING_MAX};
use super::cache::CompiledFiles;
use super::check_component::{ComponentShape, check_component};
use super::compile::{CompileError, Compiler, Compiling, ConstraintPre, digest};
use super::descriptor::Descriptor;
use super::engine::build_engine;
use super::evaluate::Runner;
use super::limits::Limits;
use super::loader::{ComponentSource, LOADED_BYTES_MAX, Loaded, Loader, NothingStored};
use super::settings::{SettingsProblem, check_schema};
use crate::change::PlannedChange;
use crate::decision::{Actor, ConstraintFault, DecisionId, TenantId};
use crate::metrics::Metrics;
use crate::scim::schema::SchemaRegistry;

pub use error::{AboutError, LoadError, SandboxError, Stopped, UploadError};

/// Threads on which components are loaded. 4: two that were compiled just now ([`super::compile`]) and two from disk.
const BLOCKING_THREADS: usize = 4;

/// How much less than the threads that answer requests those want a processor on which guests are that did not end at once.
/// 5 weighs a third of an ordinary thread (335 to 1,024): eight looping guests leave three quarters to everybody else, and
/// an honest guest that takes long still comes to its end.
const GUESTS_NICENESS: i32 = 5;

/// How the sandbox is set up.
#[derive(Clone)]
pub struct SandboxConfig {
    /// What a guest may use.
    pub limits: Limits,
    /// Where compiled components are kept; `None`: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// The key of their MAC. Whoever has it can make us run any machine code.
    pub cache_key: [u8; 32],
    /// Where components are compiled.
    pub compiling: Compiling,
    /// Where the bytes of those are that were taken before.
    pub source: Arc<dyn ComponentSource>,
    /// Machine code that is kept in memory at the most, in bytes.
    pub loaded_bytes_max: u64,
    /// Writes of one tenant that may wait to be judged.
    pub writes_waiting_max: usize,
    /// Where it is counted what happens.
    pub metrics: Arc<Metrics>,
}

impl SandboxConfig {
    /// For components that are the caller's own: compiled in this process, and nothing is kept of them.
    pub fn for_own_components(limits: Limits) -> Self {
        Self {
            limits,
            cache_dir: None,
            // Nothing is kept, so the key is of no use to anybody.
            cache_key: [0; 32],
            compiling: Compiling::InProcess,
            source: Arc::new(NothingStored),
            loaded_bytes_max: LOADED_BYTES_MAX,
            writes_waiting_max: WRITES_WAITING_MAX,
            metrics: Arc::default(),
        }
    }
}

/// What constraints are asked about.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Id of the decision to be.
    pub decision: DecisionId,
    /// Who asks.
    pub actor: Actor,
    /// Time of the request: the only clock there is.
    pub at: Timestamp,
    /// What would change.
    pub planned: Arc<PlannedChange>,
}

/// An uploaded component that can be put to work.
#[derive(Clone, Debug)]
pub struct Checked {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The narrowest world it fits: `scruple:constraint/pure-constraint@0.1.0`.
    pub world: String,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// How long compiling took; 0 if it had been compiled before.
    pub compile_ms: u64,
    /// The component, ready to be instantiated.
    pub pre: Arc<ConstraintPre>,
}

/// A write that may be judged: taken before anything else is done for it.
#[derive(Debug)]
pub struct WritePlace(pub(super) Place);

/// An upload that may be compiled: taken before its body is read.
#[derive(Debug)]
pub struct UploadPlace(Place);

/// Runs tenants' components.
pub struct Sandbox {
    runner: Runner,
    loader: Arc<Loader>,
    writes: Admission,
    about_calls: Admission,
    metrics: Arc<Metrics>,
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
}

impl Sandbox {
    /// Starts the engine, its ticker and the runtime for guests.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let engine = build_engine(&config.limits)?;
        let runtime = build_runtime().map_err(SandboxError::Runtime)?;
        let limits = Arc::new(config.limits);
        let compiler = Compiler::new(engine.clone(), Arc::clone(&limits), config.compiling, runtime.handle().clone());
        let open = |path: PathBuf| match CompiledFiles::open(&path, config.cache_key, &engine) {
            Ok(files) => Ok(Arc::new(files)),
            Err(source) => Err(SandboxError::CacheDir { path, source }),
        };
        let loader = Loader {
            engine: engine.clone(),
            limits: Arc::clone(&limits),
            compiler: compiler.map_err(SandboxError::Contract)?,
            files: config.cache_dir.map(open).transpose()?,
            source: config.source,
            uploads: Admission::new(Shares::UPLOADS),
            metrics: Arc::clone(&config.metrics),
            threads: runtime.handle().clone(),
            loaded: Loaded::at_most(config.loaded_bytes_max),
        };
        Ok(Self {
            runner: Runner { engine, limits },
            loader: Arc::new(loader),
            writes: Admission::new(Shares::of_writes(config.writes_waiting_max)),
            about_calls: Admission::new(Shares::ABOUT_CALLS),
            metrics: config.metrics,
            runtime: Some(runtime),
        })
    }

    /// What a guest may use.
    pub fn limits(&self) -> &Limits {
        &self.runner.limits
    }

    /// Where it is counted what they say.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What runs one evaluation, for benchmarks and replays; it admits and schedules nothing.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// What loads components.
    pub(super) fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// Components in memory, and about how many bytes they take.
    pub async fn loaded(&self) -> (u64, u64) {
        self.loader.loaded.size().await
    }

    /// Lets a write in that is to be judged.
    pub fn admit_write(&self, tenant: TenantId) -> Result<WritePlace, Overloaded> {
        self.enter(&self.writes, tenant).map(WritePlace)
    }

    /// Lets an upload in.
    pub fn admit_upload(&self, tenant: TenantId) -> Result<UploadPlace, Overloaded> {
        self.enter(&self.loader.uploads, tenant).map(UploadPlace)
    }

    /// Who is turned away is counted, by tenant.
    fn enter(&self, admission: &Admission, tenant: TenantId) -> Result<Place, Overloaded> {
        let entered = admission.enter(tenant);
        entered.inspect_err(|_| self.metrics.noteworthy().refused(tenant, admission.queue().as_str()))
    }

    /// How many stand in each queue, those that are served included.
    pub fn under_way(&self) -> Vec<(&'static str, usize)> {
        let queues = [&self.writes, &self.about_calls, &self.loader.uploads];
        queues.map(|admission| (admission.queue().as_str(), admission.under_way())).into()
    }

    /// Checks a component that is at hand already: see [`upload_in`](Self::upload_in).
    pub async fn upload(
        &self,
        tenant: TenantId,
        bytes: Vec<u8>,
        schemas: &SchemaRegistry,
    ) -> Result<Checked, UploadError> {
        let place = self.admit_upload(tenant)?;
        self.upload_in(&place, bytes, schemas).await
    }

    /// Checks an uploaded component: its shape, that it compiles and fits the contract, what it says of itself.
    /// What it names has to exist in `schemas`, the uploader's. Nothing of one that is refused is kept.
    pub async fn upload_in(
        &self,
        UploadPlace(place): &UploadPlace,
        bytes: Vec<u8>,
        schemas: &SchemaRegistry,
    ) -> Result<Checked, UploadError> {
        let (shape, digest, bytes) = self.look_at(bytes).await?;
        let loaded = self.loader.loaded.get(&digest).await;
        // What is loaded was kept when it was.
        let is_new = loaded.is_none();
        let (pre, compile_ms) = match loaded {
            Some(pre) => (pre, 0),
            None => {
                let turn = place.turn().await;
                let (component, compile_ms) = self.loader.compile(bytes, turn).await?;
                (Arc::new(self.loader.compiler.link(&component, digest.clone())?), compile_ms)
            }
        };
        let described = self.describe(place.tenant(), &pre).await?;
        let descriptor = Descriptor::check(described, schemas, self.limits())?;
        descriptor.check_exports(&shape)?;
        if is_new {
            self.loader.keep(pre.component().clone(), &digest).await;
            self.loader.loaded.insert(Arc::clone(&pre)).await;
        }
        info!(component.digest = digest, descriptor.name = descriptor.name, compile_ms, "took a component");
        Ok(Checked { digest, world: shape.world, descriptor, compile_ms, pre })
    }

    /// Looks through the bytes and makes their digest: some ten milliseconds for the largest, too long for a request's
    /// worker.
    async fn look_at(&self, bytes: Vec<u8>) -> Result<(ComponentShape, String, Vec<u8>), UploadError> {
        let bytes_max = self.limits().component_bytes_max;
        let look = move || Ok((check_component(&bytes, bytes_max)?, digest(&bytes), bytes));
        let runtime = self.runtime.as_ref().ok_or(CompileError::CutOff)?;
        runtime.spawn_blocking(look).await.map_err(|_panicked| CompileError::CutOff)?
    }

    /// The component of a digest: from memory, from disk, or compiled from the bytes that are stored, in the tenant's turn.
    pub async fn load(&self, tenant: TenantId, digest: &str) -> Result<Arc<ConstraintPre>, LoadError> {
        self.loader.load(tenant, digest).await
    }

    /// What is wrong with settings: by the schema first, then, if nothing is, by the component itself.
    pub async fn check_settings(
        &self,
        tenant: TenantId,
        pre: &Arc<ConstraintPre>,
        descriptor: &Descriptor,
        settings: &Value,
    ) -> Result<Vec<SettingsProblem>, AboutError> {
        let text = settings.to_string();
        let (bytes, bytes_max) = (text.len(), self.limits().settings_bytes_max);
        if bytes > bytes_max {
            let message = format!("the settings have {bytes} bytes, more than the limit of {bytes_max}");
            return Ok(vec![SettingsProblem { pointer: String::new(), message }]);
        }
        let problems = check_schema(&descriptor.settings_schema, settings);
        if !problems.is_empty() {
            return Ok(problems);
        }
        let place = self.enter(&self.about_calls, tenant)?;
        let _turn = place.turn().await;
        let runner = self.runner.clone();
        let pre = Arc::clone(pre);
        Ok(self.run(async move { runner.check_settings(&pre, &text).await }).await.map_err(shutting_down)??)
    }

    async fn describe(
        &self,
        tenant: TenantId,
        pre: &Arc<ConstraintPre>,
    ) -> Result<super::bindings::exports::scruple::constraint::about::Descriptor, AboutError> {
        let place = self.enter(&self.about_calls, tenant)?;
        let _turn = place.turn().await;
        let (runner, pre) = (self.runner.clone(), Arc::clone(pre));
        Ok(self.run(async move { runner.describe(&pre).await }).await.map_err(shutting_down)??)
    }

    /// Has constraints asked about what was decided already, of which nothing comes for anybody: in the tenant's turn among
    /// the questions to components about themselves, so that no write waits for it.
    pub async fn ask_again<T: Send + 'static>(
        &self,
        tenant: TenantId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, AboutError> {
        let place = self.enter(&self.about_calls, tenant)?;
        let _turn = place.turn().await;
        Ok(self.run(work).await.map_err(shutting_down)?)
    }

    /// Runs something on the guests' runtime; it is stopped when nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let runtime = self.runtime.as_ref().ok_or(Stopped)?;
        AbortOnDropHandle::new(runtime.spawn(work)).await.map_err(|_panicked| Stopped)
    }
}

impl Drop for Sandbox {
    /// A runtime may not be waited for inside another one, which is where a sandbox mostly goes.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn build_runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("scruple-guest")
        .on_thread_start(yield_to_requests)
        // Look-ups have a time limit; compiler processes have pipes.
        .enable_all()
        .build()
}

/// For the thread that calls it: on Linux, each has a niceness of its own.
fn yield_to_requests() {
    if let Err(error) = setpriority_process(None, GUESTS_NICENESS) {
        warn!(%error, "the guests' threads have the priority of those that answer requests");
    }
}

fn shutting_down(stopped: Stopped) -> ConstraintFault {
    ConstraintFault::Unavailable { detail: stopped.to_string() }
}
