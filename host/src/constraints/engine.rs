//! The one `wasmtime::Engine`, and the thread that ticks its epoch.
//!
//! Every setting is here and says why. Changing one changes the engine's compatibility hash, so that components
//! compiled before are compiled again ([`super::cache`]).

use std::hash::{Hash, Hasher};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::limits::{Limits, POOL_MEMORY_BYTES_MAX, POOL_TABLE_ELEMENTS_MAX};

/// Instances that can live at once. 320: the sandbox admits fewer evaluations than that
/// ([`EVALUATIONS_MAX`]), so that a slot is always there for one that was admitted. A live instance costs 32–38 KiB and
/// four maps (320 × 4 = 1,280 of the 65,530 that Linux gives a process); an idle slot costs address space alone.
const SLOTS: u32 = 320;

/// Evaluations at once in the whole process. 256, and the remaining 64 slots for `describe` and `check-settings`.
pub const EVALUATIONS_MAX: usize = 256;

/// Calls of `describe` and `check-settings` at once. 32: half of what [`EVALUATIONS_MAX`] leaves.
pub const ABOUT_CALLS_MAX: usize = 32;

/// Core instances of one component. 64: wit-component makes three of a Rust or C module (itself, the shim, the fix-up);
/// CPython, whose libraries are modules each, comes to 38. A bound and no more: nothing is kept for those that are not there.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;

/// Tables of one component. 8: two in one of Rust, some five in CPython. Each is 320 KB of address space in every slot.
const TABLES_PER_COMPONENT_MAX: u32 = 8;

/// Memories of one component. 4: one in most; three in one of QuickJS, where what stands in for WASI is a component inside.
/// Each is 4 GiB of address space in every slot, 5 TiB in all of the 128 TiB that a process has.
const MEMORIES_PER_COMPONENT_MAX: u32 = 4;

/// Time between two ticks. 1 ms: what a hostile guest can take from its neighbours before it yields.
const TICK: Duration = Duration::from_millis(1);

/// What host functions may take of a fiber's stack. 512 KiB: a read takes 11 KiB without optimisation, a filter nested as deep
/// as it may be (50 levels) ten times that. It costs address space alone.
const HOST_STACK_BYTES: usize = 512 << 10;

/// Memory images up to this size are made however little data is in them. 1 MiB: the stack and the arena of a Rust
/// guest lie between pieces of its data.
const DENSE_IMAGE_BYTES: u64 = 1 << 20;

/// The engine could not be made.
#[derive(Debug, Error)]
pub enum EngineError {
    /// wasmtime refuses the settings, or the address space for the pool is not to be had.
    #[error("the WebAssembly engine could not be made")]
    Config(#[source] wasmtime::Error),
    /// A limit is larger than a slot of the pool.
    #[error("`{limit}` of {value} is more than the pool's {most}")]
    Pool {
        /// Name of the limit.
        limit: &'static str,
        /// What it is set to.
        value: usize,
        /// The most that it can be.
        most: usize,
    },
    /// The thread for the ticks could not be started.
    #[error("the thread that ticks the epoch could not be started")]
    Ticker(#[source] std::io::Error),
}

/// Makes the engine and starts its ticker, which ends by itself when the last handle of the engine is gone.
pub fn build_engine(limits: &Limits) -> Result<Engine, EngineError> {
    check_pool("memory_bytes_max", limits.memory_bytes_max, POOL_MEMORY_BYTES_MAX)?;
    check_pool("table_elements_max", limits.table_elements_max, POOL_TABLE_ELEMENTS_MAX)?;
    let mut config = code_config(limits.stack_bytes_max);
    // A fresh instance for each evaluation is only affordable from a pool: 29 µs without, 6 µs with.
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    let engine = Engine::new(&config).map_err(EngineError::Config)?;
    start_ticker(&engine).map_err(EngineError::Ticker)?;
    Ok(engine)
}

/// Makes an engine that compiles for the one above and runs nothing: without the pool, whose address space would be more
/// than a compiler process may have, and without the ticker.
pub(super) fn build_compiling_engine(stack_bytes_max: usize) -> wasmtime::Result<Engine> {
    Engine::new(&code_config(stack_bytes_max))
}

/// Hash of what machine code depends on besides the component: wasmtime's version, its settings, the processor. What two
/// engines of the same fingerprint compile, either can load.
pub(super) fn fingerprint(engine: &Engine) -> String {
    let mut hasher = IntoBlake3(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex().chars().take(16).collect()
}

fn check_pool(limit: &'static str, value: usize, most: usize) -> Result<(), EngineError> {
    if value > most { Err(EngineError::Pool { limit, value, most }) } else { Ok(()) }
}

/// Everything that machine code depends on, and that whoever compiles it and whoever runs it must agree about.
fn code_config(stack_bytes_max: usize) -> Config {
    let mut config = Config::new();
    // Memory images are mapped copy-on-write, so an instance pays for the pages that it touches and no others.
    config.memory_init_cow(true);
    // Only where data fills at least half of the image, from this size on: by default two bytes of data at both ends of
    // 16 MiB become 16 MiB of memory and of disk.
    config.memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES);
    // Fuel decides (the same count on every machine), the epoch schedules and stops what fuel does not see.
    config.consume_fuel(true);
    config.epoch_interruption(true);
    // The whole stack of a guest counts from where the engine enters it, and it is entered a second time from inside a host
    // function that asks it for room (not a third time: then it may call nobody). Both stacks and the host's are on one fiber,
    // whose overflow would end the process.
    config.max_wasm_stack(stack_bytes_max);
    config.async_stack_size(stack_bytes_max.saturating_mul(2).saturating_add(HOST_STACK_BYTES));
    // A verdict must not depend on the bits of a NaN, which differ from CPU to CPU.
    config.cranelift_nan_canonicalization(true);
    // The same for relaxed SIMD, whose very point is to differ. Plain SIMD is deterministic and stays.
    config.wasm_relaxed_simd(false);
    // 32-bit memories: what the pool is cut for, and what makes bounds checks free.
    config.wasm_memory64(false);
    // What passes texts from one component to another inside of it has to see the memories of both.
    config.wasm_multi_memory(true);
    // Backtraces would name a tenant's functions in our log and cost time at each trap. Without them nobody needs to know
    // which instruction was made of which, nor how to unwind: an eighth less to read, to check and to map of each component.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config
}

fn pool() -> PoolingAllocationConfig {
    let core_instances = SLOTS.saturating_mul(CORE_INSTANCES_PER_COMPONENT_MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(core_instances)
        .total_memories(SLOTS.saturating_mul(MEMORIES_PER_COMPONENT_MAX))
        .total_tables(SLOTS.saturating_mul(TABLES_PER_COMPONENT_MAX))
        .total_stacks(SLOTS)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .table_elements(POOL_TABLE_ELEMENTS_MAX)
        .max_memory_size(POOL_MEMORY_BYTES_MAX)
        // What a small guest touches is reset by copying instead of by giving pages back, which would serialise the
        // process on its memory map and fault each page in again. 2 MiB: all of a guest in Rust (0.2) and of one in JavaScript
        // (1.4), which takes two thirds of the time by that. Slots that are free keep as much, of which there are 100 at the
        // most (the engine's `max_unused_warm_slots`): 200 MiB, if as many such guests ever ran at once.
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(32 << 10)
        // Never ask the kernel which pages are dirty, though it would be faster. It leaves out those that are not present at that
        // moment: swapped out, or on their way to another place in memory, which happens on every machine. The next guest in
        // the slot, of whichever tenant, would find there what the last one left. Seen by compacting memory meanwhile.
        .pagemap_scan(Enabled::No);
    pool
}

/// A plain thread and not a task: tasks stop ticking when the workers are busy, which is when ticks are needed.
fn start_ticker(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("scruple-epoch".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// Lets `Hash` feed a hash that is the same in every build of Rust.
struct IntoBlake3(blake3::Hasher);

impl Hasher for IntoBlake3 {
    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_larger_than_a_slot_of_the_pool_is_refused_by_name() {
        let limits = Limits { memory_bytes_max: POOL_MEMORY_BYTES_MAX + 1, ..Limits::default() };
        let error = build_engine(&limits).expect_err("too large");
        assert_eq!(error.to_string(), "`memory_bytes_max` of 67108865 is more than the pool's 67108864");
    }

    #[test]
    fn the_engine_that_compiles_makes_what_the_engine_that_runs_can_load() {
        let limits = Limits::default();
        let running = build_engine(&limits).unwrap();
        let compiling = build_compiling_engine(limits.stack_bytes_max).unwrap();
        assert_eq!(fingerprint(&compiling), fingerprint(&running));
        assert_ne!(fingerprint(&Engine::new(&Config::new()).unwrap()), fingerprint(&running));
    }
}
