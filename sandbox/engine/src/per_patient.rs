//! The per-patient world: a fresh instance for every patient, so that nothing can pass from
//! one to the next, and the host's aggregation of what they contribute.

use std::time::Instant;

use sekisho_proto::v1::Evidence;

use crate::aggregate::Aggregates;
use crate::bindings::per_patient::PerPatientPre;
use crate::failure::Failed;
use crate::fresh::Fresh;
use crate::merge::Patients;
use crate::run::{Made, Notes, Prepared, Tracer};
use crate::sandbox::Bounds;
use crate::{ProgressSink, cells};

/// Runs the guest over every patient of the view.
pub(crate) fn run(
    mut run: Prepared,
    notes: &mut Notes,
    sink: &mut dyn ProgressSink,
    mut tracer: Option<&mut Tracer<'_>>,
) -> Result<Vec<Made>, Failed> {
    run.limits.check_cells(cells::declared(&run.manifest))?;
    let guest = Fresh::<PerPatientPre<Bounds>>::load(&mut run)?;
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
            let answered = guest
                .call(notes, |guest, store| guest.call_contribute(store, &tables, &parameters))?;
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
