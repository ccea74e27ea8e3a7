//! The wasmtime configuration: what a guest may use, and what stops it.
//!
//! Fuel bounds a patient's call and, when the job sets it, a cohort run: it makes the cut-off
//! reproducible, which matters where a cut-off becomes a default contribution and so part of a
//! result. A cohort run that is cut off has no result, so its default is the epoch deadline: on
//! ten million rows fuel cost about a fifth more for a plain scan, and up to twice the time for
//! a guest that computes.

use std::sync::Arc;

use sekisho_module::FEATURES;
use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    ResourceLimiter, Strategy, WasmBacktraceDetails,
};

use crate::query::Memory;

/// How the compute of a guest is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// Every instruction costs fuel: the cut-off is the same on every machine.
    Fuel,
    /// The guest looks at the deadline at loop heads and function entries.
    Epoch,
}

/// Bytes of stack of a guest.
const STACK_BYTES: usize = 512 * 1024;
/// Elements of a guest's tables.
const TABLE_ELEMENTS: usize = 20_000;
/// Places for instances.
const SLOTS: u32 = 2;
/// Core instances of one component: the module, and the shims wit-component adds.
const CORE_INSTANCES: u32 = 40;

pub(crate) fn engine(meter: Meter, memory_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(&config(meter, memory_bytes))
}

/// The whole configuration. What cargo features compile out (async, garbage collection,
/// profiling, caches) has no switch here; the golden test shows that it is off.
pub(crate) fn config(meter: Meter, memory_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // Compilation uses the runner's one thread: the jail needs no clone for it.
        .parallel_compilation(false)
        .consume_fuel(meter == Meter::Fuel)
        .epoch_interruption(meter == Meter::Epoch)
        .max_wasm_stack(STACK_BYTES)
        // An image would be an in-memory file, which the jail refuses; data segments are copied.
        .memory_init_cow(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false)
        .debug_info(false)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(memory_bytes)));
    // All off first: an update of wasmtime must not switch on what nobody has reviewed.
    config.wasm_features(WasmFeatures::all(), false).wasm_features(FEATURES, true);
    config
}

/// One component instance lives at a time. Giving memory back in batches would save a quarter
/// of the cost of a patient, but asks for `process_madvise`, which the jail does not allow.
fn pool(memory_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * CORE_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(SLOTS)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_memory_size(memory_bytes)
        .total_tables(4 * SLOTS)
        .max_tables_per_component(4)
        .max_tables_per_module(1)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(0)
        .table_keep_resident(0)
        .decommit_batch_size(1)
        .max_unused_warm_slots(SLOTS)
        // Has had a bug that let one instance see memory of another. Memory protection keys,
        // which had one too, are not compiled in.
        .pagemap_scan(Enabled::No);
    pool
}

/// Bounds memory growth and remembers the largest memory.
pub(crate) struct Bounds {
    memory_bytes: usize,
    /// What else the run holds, where that counts as well.
    shared: Option<Arc<Memory>>,
    pub(crate) peak_memory: usize,
    /// A growth was refused: tells exhaustion from other traps.
    pub(crate) refused: bool,
}

impl Bounds {
    pub(crate) fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes, shared: None, peak_memory: 0, refused: false }
    }

    /// Shares its limit with the queries of the run.
    pub(crate) fn sharing(memory_bytes: usize, memory: Arc<Memory>) -> Self {
        Self { shared: Some(memory), ..Self::new(memory_bytes) }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_bytes
            && self.shared.as_ref().is_none_or(|memory| memory.grow_guest(desired));
        if granted {
            self.peak_memory = self.peak_memory.max(desired);
        } else {
            self.refused = true;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests;
