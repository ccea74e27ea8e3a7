//! The per-patient world: a fresh instance for every patient, so that nothing can pass from
//! one to the next, and the host's aggregation of what they contribute.

use std::time::Instant;

use sekisho_module::World;
use sekisho_proto::v1::Evidence;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, Trap};

use crate::aggregate::Aggregates;
use crate::bindings::per_patient::{PerPatient, PerPatientPre};
use crate::bindings::types::{Contribution, Parameter, Table};
use crate::failure::Failed;
use crate::merge::Patients;
use crate::run::{Made, Notes, Prepared, Tracer};
use crate::sandbox::Bounds;
use crate::{ProgressSink, cells, compile};

/// Bytes a guest's answer may take while it is read.
const ANSWER_BYTES: usize = 1 << 20;

/// Runs the guest over every patient of the view.
pub(crate) fn run(
    mut run: Prepared,
    notes: &mut Notes,
    sink: &mut dyn ProgressSink,
    mut tracer: Option<&mut Tracer<'_>>,
) -> Result<Vec<Made>, Failed> {
    run.limits.check_cells(cells::declared(&run.manifest))?;
    let guest = Guest::load(&mut run)?;
    let mut aggregates = Aggregates::new(&run.manifest);
    if let Some(tracer) = &tracer {
        aggregates
            .watch(&tracer.cell.output, &tracer.cell.key)
            .map_err(|missing| Failed::contract("trace_no_cell", missing.to_string()))?;
    }
    let parameters = run.guest_parameters();
    let scans = run.scans()?;
    let views = std::mem::take(&mut run.views);
    for bucket in 0..run.buckets() {
        let mut patients = Patients::open(&views, &scans, bucket)?;
        while let Some((token, tables)) = patients.next()? {
            notes.patients += 1;
            notes.rows_read += tables.iter().map(|t| u64::from(t.rows)).sum::<u64>();
            run.limits.check_rows(notes.rows_read)?;
            let answered = guest.answer(&tables, &parameters, notes)?;
            let taken = answered.and_then(|answer| {
                aggregates.accept(&answer).map_err(|malformed| malformed.to_string())
            });
            let watched = taken.unwrap_or_else(|message| {
                notes.failed_patient(message);
                aggregates.accept_default()
            });
            if let (true, Some(tracer)) = (watched, &mut tracer) {
                tracer.tokens.push(token);
            }
            if Instant::now() >= run.deadline {
                return Err(Failed::limit("wall_time", "the deadline passed"));
            }
            if let Some(tenths) = run.progress() {
                sink.tenths(tenths);
            }
        }
    }
    finish(aggregates, run.limits.min_cell, notes.rows_read, tracer.as_deref())
}

/// The outputs; those who were traced must be as many as were counted.
fn finish(
    aggregates: Aggregates,
    min_cell: u32,
    rows_read: u64,
    tracer: Option<&Tracer<'_>>,
) -> Result<Vec<Made>, Failed> {
    let watched = aggregates.watched();
    let made = aggregates.finish(min_cell);
    if let (Some(tracer), Some((output, cell))) = (tracer, watched) {
        let counted = made.get(output).and_then(|(_, known)| known.cell_patients.get(cell));
        if counted.copied() != Some(tracer.tokens.len() as u64) {
            let message = "the patients traced are not those counted";
            return Err(Failed::environment("trace_count", message));
        }
    }
    let made = made.into_iter();
    Ok(made
        .map(|(output, evidence)| Made { output, evidence: Evidence { rows_read, ..evidence } })
        .collect())
}

/// The compiled component, ready to be instantiated once per patient.
struct Guest {
    engine: Engine,
    ready: PerPatientPre<Bounds>,
    memory_bytes: usize,
    fuel: u64,
}

impl Guest {
    fn load(run: &mut Prepared) -> Result<Self, Failed> {
        let memory_bytes = run.limits.patient_memory_bytes;
        let engine = compile::engine(World::PerPatient, run.limits)?;
        let refused = |e: wasmtime::Error| Failed::contract("component", format!("{e:#}"));
        let component = run.module.load(&engine)?;
        let linker = Linker::new(&engine);
        let linked = linker.instantiate_pre(&component).map_err(refused)?;
        let ready = PerPatientPre::new(linked).map_err(refused)?;
        let guest = Self { engine, ready, memory_bytes, fuel: run.limits.fuel_per_patient };
        guest.fits()?;
        Ok(guest)
    }

    /// Tells what no patient can mend, an export of another type or more memory than a
    /// patient may have, from a guest that traps.
    fn fits(&self) -> Result<(), Failed> {
        let mut store = self.store()?;
        let misfit = |e: wasmtime::Error| Failed::contract("component", format!("{e:#}"));
        let instance = match self.ready.instance_pre().instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() => return Ok(()),
            Err(error) => return Err(misfit(error)),
        };
        PerPatient::new(&mut store, &instance).map(|_| ()).map_err(misfit)
    }

    /// One call in a fresh instance. What the guest does wrong is this patient's alone; an
    /// instance that cannot be made ends the run, lest patients be dropped in silence.
    fn answer(
        &self,
        tables: &[Table],
        parameters: &[Parameter],
        notes: &mut Notes,
    ) -> Result<Result<Vec<Contribution>, String>, Failed> {
        let mut store = self.store()?;
        let answer = match self.ready.instantiate(&mut store) {
            Ok(instance) => instance.call_contribute(&mut store, tables, parameters),
            Err(error) if error.is::<Trap>() => Err(error),
            Err(error) => return Err(Failed::environment("instance", format!("{error:#}"))),
        };
        let left = store.get_fuel().unwrap_or(0);
        notes.took(self.fuel.saturating_sub(left), store.data().peak_memory);
        notes.granted(self.fuel, self.memory_bytes);
        Ok(answer.map_err(|error| match store.data().refused {
            true => format!("a memory growth was refused, then: {error:?}"),
            false => format!("{error:?}"),
        }))
    }

    fn store(&self) -> Result<Store<Bounds>, Failed> {
        let mut store = Store::new(&self.engine, Bounds::new(self.memory_bytes));
        store.limiter(|bounds| bounds);
        store.set_hostcall_fuel(ANSWER_BYTES);
        store.set_fuel(self.fuel).map_err(|e| Failed::environment("sandbox", e.to_string()))?;
        Ok(store)
    }
}
