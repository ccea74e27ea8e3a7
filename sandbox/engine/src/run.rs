//! One run from the job to its checked outputs.

use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use sekisho_module::{Manifest, Value, World};
use sekisho_proto::v1;

use crate::bindings::types::Parameter;
use crate::failure::Failed;
use crate::limits::Limits;
use crate::lookup::Lookups;
use crate::own_codes::OwnCodes;
use crate::scan::{Scan, Scanner};
use crate::view::{self, Dictionaries, TableView};
use crate::{Compiled, Developer, Job, ProgressSink, RunFailure, RunReport, Source, TracedCell};
use crate::{cohort, per_patient, rounds};

const MOST_MESSAGES: usize = 20;

/// Runs one analysis to its end. Synchronous; takes the calling thread, and one more for the
/// guest in the cohort world.
///
/// # Errors
/// A [`RunFailure`] with the class that may leave the site and a stable code; messages only
/// when the job's data is dummy data.
#[allow(clippy::result_large_err, reason = "made once a run")]
pub fn run(job: Job, progress: &mut dyn ProgressSink) -> Result<RunReport, RunFailure> {
    carry_out(job, progress, None)
}

/// Runs a per-patient analysis again and gives, beside its report, the tokens of the patients
/// who contributed to one cell, in rising order. The host collects them; the guest sees no
/// more than in any run.
///
/// # Errors
/// As [`run`]; `trace_cohort` in the cohort world, where the host does not know who stands
/// behind a number, and `trace_no_cell` when the manifest declares no such cell, in the rounds
/// world always.
#[allow(clippy::result_large_err, reason = "made once a run")]
pub fn trace(
    job: Job,
    cell: &TracedCell,
    progress: &mut dyn ProgressSink,
) -> Result<(RunReport, Vec<u64>), RunFailure> {
    let mut tracer = Tracer { cell, tokens: Vec::new() };
    let report = carry_out(job, progress, Some(&mut tracer))?;
    tracer.tokens.sort_unstable();
    Ok((report, tracer.tokens))
}

/// Collects the tokens of the patients of one cell.
pub(crate) struct Tracer<'a> {
    pub(crate) cell: &'a TracedCell,
    pub(crate) tokens: Vec<u64>,
}

#[allow(clippy::result_large_err, reason = "made once a run")]
fn carry_out(
    job: Job,
    progress: &mut dyn ProgressSink,
    tracer: Option<&mut Tracer<'_>>,
) -> Result<RunReport, RunFailure> {
    let started = Instant::now();
    let dummy = job.dummy;
    let mut notes = Notes::default();
    let result = execute(job, started, &mut notes, progress, tracer);
    match result {
        Ok(outputs) => {
            let usage = notes.usage(started);
            Ok(RunReport { outputs, usage, developer: dummy.then_some(notes.developer) })
        }
        Err(failed) => Err(failed.told(notes, started, dummy)),
    }
}

fn execute(
    job: Job,
    started: Instant,
    notes: &mut Notes,
    sink: &mut dyn ProgressSink,
    tracer: Option<&mut Tracer<'_>>,
) -> Result<Vec<v1::CheckedOutput>, Failed> {
    let run = Prepared::new(job, started)?;
    let limits = run.limits;
    let made = match run.manifest.world {
        World::PerPatient => per_patient::run(run, notes, sink, tracer)?,
        World::Rounds if tracer.is_some() => {
            let detail = "what a reducer makes has no cells to trace";
            return Err(Failed::contract("trace_no_cell", detail));
        }
        World::Rounds => rounds::run(run, notes, sink)?,
        World::Cohort if tracer.is_some() => {
            let detail = "the host does not know who stands behind a cohort module's numbers";
            return Err(Failed::contract("trace_cohort", detail));
        }
        World::Cohort => cohort::run(run, notes, sink)?,
    };
    // Only now: in the cohort world the guest decides how much of its view it reads.
    if notes.patients < limits.cohort_floor {
        let detail =
            format!("{} patients, the agreement wants {}", notes.patients, limits.cohort_floor);
        return Err(Failed::limit("cohort_floor", detail));
    }
    let outputs: Vec<_> = made.into_iter().map(|made| made.check(limits.min_cell)).collect();
    let bytes: usize = outputs.iter().map(Message::encoded_len).sum();
    if bytes as u64 > limits.output_bytes {
        return Err(Failed::limit("output_bytes", format!("the outputs have {bytes} bytes")));
    }
    sink.tenths(10);
    Ok(outputs)
}

/// An output and what the host knows about it.
pub(crate) struct Made {
    pub(crate) output: v1::Output,
    pub(crate) evidence: v1::Evidence,
}

impl Made {
    fn check(self, min_cell: u32) -> v1::CheckedOutput {
        let findings = sekisho_disclosure::checks(&self.output, &self.evidence, min_cell);
        v1::CheckedOutput { output: Some(self.output), evidence: Some(self.evidence), findings }
    }
}

/// A job that fits its manifest and its view.
pub(crate) struct Prepared {
    pub(crate) module: Compiled,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) views: Vec<TableView>,
    pub(crate) limits: Limits,
    pub(crate) deadline: Instant,
    parameters: Vec<Value>,
    data: Arc<dyn Source>,
    dictionaries: Dictionaries,
    scanner: Scanner,
    total_rows: u64,
    told: u32,
}

impl Prepared {
    fn new(job: Job, started: Instant) -> Result<Self, Failed> {
        let limits = Limits::from(job.limits);
        let manifest = Manifest::parse(&job.manifest)
            .map_err(|e| Failed::contract("manifest", e.to_string()))?;
        let given: Vec<_> = job.parameters.into_iter().filter_map(given).collect();
        let parameters = manifest.bind(&given).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failed::contract("parameters", all.join("; "))
        })?;
        let mut dictionaries = Dictionaries::default();
        let lookups = Lookups::read(&job.bring_ins)?;
        let data: Arc<dyn Source> = Arc::new(OwnCodes::over(job.data, &job.order_key));
        let views = view::resolve(&manifest, &job.view, &*data, &lookups, &mut dictionaries)?;
        Ok(Self {
            module: job.module,
            manifest: Arc::new(manifest),
            deadline: started + limits.wall,
            limits,
            parameters,
            scanner: Scanner::new(Arc::clone(&data), &job.order_key)?,
            data,
            dictionaries,
            total_rows: views.iter().map(|v| v.rows).sum(),
            views,
            told: 0,
        })
    }

    pub(crate) fn scans(&mut self) -> Result<Vec<Scan>, Failed> {
        let (scanner, dictionaries) = (&self.scanner, &mut self.dictionaries);
        self.views.iter().map(|view| scanner.plan(view, dictionaries)).collect()
    }

    /// Takes out of the dictionaries what no row of the view has; planning reads them whole,
    /// so scans are planned before.
    pub(crate) fn narrow_dictionaries(&mut self) -> Result<(), Failed> {
        let (scanner, dictionaries) = (&self.scanner, &mut self.dictionaries);
        for view in &mut self.views {
            let held = scanner.held_codes(view, dictionaries, self.deadline)?;
            view.narrow(held, &*self.data, dictionaries)?;
        }
        Ok(())
    }

    pub(crate) fn buckets(&self) -> u32 {
        self.data.buckets()
    }

    pub(crate) fn guest_parameters(&self) -> Vec<Parameter> {
        let values = self.parameters.iter().map(|value| match value {
            Value::Number(v) => Parameter::Number(*v),
            Value::Integer(v) => Parameter::Integer(*v),
            Value::Text(v) => Parameter::Text(v.clone()),
            Value::Flag(v) => Parameter::Flag(*v),
        });
        values.collect()
    }

    /// Codes of a declared column, by name.
    pub(crate) fn dictionary(
        &mut self,
        table: &str,
        column: &str,
    ) -> Result<Arc<Vec<String>>, Failed> {
        self.dictionaries.of(&*self.data, table, column)
    }

    /// Codes of a declared column, by position; the manifest checked the positions.
    pub(crate) fn dictionary_at(
        &mut self,
        table: usize,
        column: usize,
    ) -> Result<Vec<String>, Failed> {
        let manifest = Arc::clone(&self.manifest);
        let named = manifest.tables.get(table).and_then(|t| Some((t, t.columns.get(column)?)));
        let (table, column) =
            named.ok_or_else(|| Failed::contract("unknown_dictionary", "not declared"))?;
        self.dictionary(&table.name, &column.name).map(|codes| codes.to_vec())
    }

    /// Tenths of the rows scanned, when they have grown since the last time; 10 is said only
    /// at the very end.
    pub(crate) fn progress(&mut self) -> Option<u32> {
        let scanned = self.scanner.scanned().saturating_mul(10);
        let tenths = scanned.checked_div(self.total_rows).unwrap_or(0).min(9);
        let tenths = u32::try_from(tenths).unwrap_or(9);
        (tenths > self.told).then(|| {
            self.told = tenths;
            tenths
        })
    }
}

/// A parameter without a value counts as not given.
fn given(parameter: v1::Parameter) -> Option<(String, Value)> {
    use v1::parameter::Value as Given;
    let value = match parameter.value? {
        Given::Number(v) => Value::Number(v),
        Given::Integer(v) => Value::Integer(v),
        Given::Text(v) => Value::Text(v),
        Given::Flag(v) => Value::Flag(v),
    };
    Some((parameter.name, value))
}

/// Figures of a run, and what its author may see over dummy data.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) rows_read: u64,
    pub(crate) patients: u64,
    fuel_used: u64,
    peak_memory_bytes: u64,
    pub(crate) developer: Developer,
}

impl Notes {
    /// Counts a patient's call at what it was allowed: what it took would tell of the patient.
    pub(crate) fn granted(&mut self, fuel: u64, memory_bytes: usize) {
        self.fuel_used = self.fuel_used.saturating_add(fuel);
        self.peak_memory_bytes = memory_bytes as u64;
    }

    /// What a call or run took, for the developer.
    pub(crate) fn took(&mut self, fuel: u64, memory_bytes: usize) {
        let Developer { fuel_used, peak_memory_bytes, .. } = &mut self.developer;
        *fuel_used = (*fuel_used).max(fuel);
        *peak_memory_bytes = (*peak_memory_bytes).max(memory_bytes as u64);
    }

    /// What a whole run took.
    pub(crate) fn used(&mut self, fuel: u64, memory_bytes: usize) {
        self.fuel_used = fuel;
        self.peak_memory_bytes = memory_bytes as u64;
        self.took(fuel, memory_bytes);
    }

    pub(crate) fn failed_patient(&mut self, message: String) {
        self.developer.failed_patients += 1;
        if self.developer.messages.len() < MOST_MESSAGES {
            self.developer.messages.push(message);
        }
    }

    pub(crate) fn usage(&self, started: Instant) -> v1::RunUsage {
        v1::RunUsage {
            rows_read: self.rows_read,
            patients: self.patients,
            fuel_used: self.fuel_used,
            peak_memory_bytes: self.peak_memory_bytes,
            wall_millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            jail: String::new(),
        }
    }
}
