//! The cohort world: the guest pulls batches of the view and emits typed outputs. Its numbers
//! are its own claims; the evidence says so.

mod emit;
mod host;
mod unseen;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use sekisho_module::World;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store, Trap};

use crate::bindings::cohort::{Cohort, CohortPre};
use crate::failure::Failed;
use crate::query::{Memory, Queries};
use crate::run::{Made, Notes, Prepared};
use crate::sandbox::Bounds;
use crate::{Compiled, ProgressSink, compile};
pub(crate) use emit::Emitted;
use host::Host;
#[cfg(test)]
pub(crate) use host::Numbers;
pub(crate) use host::Seen;
#[allow(unreachable_pub, reason = "the generated bindings name them in public signatures")]
pub use host::{Query, Reader};

/// Stack of the guest's thread: the guest's own stack and room for the host's imports.
const THREAD_STACK_BYTES: usize = 8 << 20;

/// Runs the guest once. It has a thread of its own; the caller's thread reports progress and
/// ends the run at its deadline.
pub(crate) fn run(
    mut run: Prepared,
    notes: &mut Notes,
    sink: &mut dyn ProgressSink,
) -> Result<Vec<Made>, Failed> {
    let engine = compile::engine(World::Cohort, run.limits)?;
    let ready = link(&engine, &mut run.module)?;
    let scans = run.scans()?;
    run.narrow_dictionaries()?;
    let deadline = run.deadline;
    let fuel = run.limits.cohort_fuel;
    let (tell, hear) = mpsc::channel();
    let memory = Memory::of(run.limits.memory_bytes);
    let host = Host {
        bounds: Bounds::sharing(run.limits.memory_bytes, Arc::clone(&memory)),
        queries: Queries::new(memory),
        emitted: Emitted::new(&run),
        seen: Seen::new(run.limits),
        run,
        scans,
        resources: ResourceTable::new(),
        opened: 0,
        progress: tell,
        failed: None,
    };
    let ended = thread::scope(|scope| {
        let guest = thread::Builder::new()
            .name("guest".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, || call(&engine, &ready, host, fuel))
            .map_err(|e| Failed::environment("thread", e.to_string()))?;
        pump(&hear, sink, deadline, &engine);
        guest.join().map_err(|_| Failed::environment("host_panic", "the host panicked"))
    })?;
    notes.rows_read = ended.rows_read;
    notes.patients = ended.patients;
    notes.used(ended.fuel_used, ended.peak_memory);
    ended.made
}

fn link(engine: &Engine, module: &mut Compiled) -> Result<CohortPre<Host>, Failed> {
    let refused = |e: wasmtime::Error| Failed::contract("component", format!("{e:#}"));
    let component = module.load(engine)?;
    let mut linker = Linker::new(engine);
    Cohort::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).map_err(refused)?;
    let linked = linker.instantiate_pre(&component).map_err(refused)?;
    CohortPre::new(linked).map_err(refused)
}

/// What is left of a guest. The host's side is gone with its end of the progress channel,
/// which is how the caller's thread knows.
struct Ended {
    made: Result<Vec<Made>, Failed>,
    rows_read: u64,
    patients: u64,
    peak_memory: usize,
    fuel_used: u64,
}

fn call(engine: &Engine, ready: &CohortPre<Host>, host: Host, fuel: Option<u64>) -> Ended {
    // Room for the rows of outputs as the guest holds them; what is kept is counted again.
    let answer_bytes = usize::try_from(host.run.limits.output_bytes).unwrap_or(usize::MAX);
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.bounds);
    store.set_hostcall_fuel(answer_bytes.saturating_mul(4).saturating_add(1 << 16));
    let result = match fuel {
        Some(fuel) => store.set_fuel(fuel),
        None => {
            store.set_epoch_deadline(1);
            Ok(())
        }
    };
    let result = result
        .and_then(|()| ready.instantiate(&mut store))
        .and_then(|instance| instance.call_run(&mut store));
    let fuel_used = fuel.map_or(0, |given| given.saturating_sub(store.get_fuel().unwrap_or(0)));
    let mut host = store.into_data();
    let result = match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(text)) => Err(Failed::module("guest_error", text)),
        Err(error) => Err(host.failed.take().unwrap_or_else(|| classify(&error, &host.bounds))),
    };
    Ended {
        rows_read: host.seen.rows(),
        patients: host.seen.patients(),
        peak_memory: host.bounds.peak_memory,
        fuel_used,
        made: result.and_then(|()| host.finish()),
    }
}

/// What ended a guest that the host's imports did not end.
fn classify(error: &wasmtime::Error, bounds: &Bounds) -> Failed {
    let detail = format!("{error:?}");
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failed::limit("fuel", detail),
        Some(Trap::Interrupt) => Failed::limit("wall_time", detail),
        Some(Trap::StackOverflow) => Failed::limit("stack", detail),
        _ if bounds.refused => Failed::limit("memory", detail),
        Some(_) => Failed::module("trap", detail),
        // wasmtime gives this one no type: hostcall fuel, in plain words.
        None if detail.contains("too much data is being copied") => {
            Failed::limit("output_bytes", detail)
        }
        None => Failed::contract("component", detail),
    }
}

/// Reports progress until the guest's thread ends; at the deadline, interrupts it.
fn pump(
    hear: &Receiver<u32>,
    sink: &mut dyn ProgressSink,
    deadline: std::time::Instant,
    engine: &Engine,
) {
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        match hear.recv_timeout(left) {
            Ok(tenths) => sink.tenths(tenths),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                engine.increment_epoch();
                // The imports look at the deadline themselves; nothing else is left to do.
                while let Ok(tenths) = hear.recv() {
                    sink.tenths(tenths);
                }
                return;
            }
        }
    }
}
