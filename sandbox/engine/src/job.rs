use std::sync::Arc;

use sekisho_bring_in::Files;
use sekisho_proto::v1;
use sekisho_vault::Key;

use crate::{Compiled, Source};

/// A module to be compiled.
#[derive(Clone, Debug)]
pub struct CompileOrder {
    /// The WebAssembly component.
    pub component: Vec<u8>,
    /// The text of its `analysis.toml`.
    pub manifest: String,
    /// The limits of the runs it is compiled for.
    pub limits: v1::RunLimits,
    /// The data will be dummy data: the developer may see messages.
    pub dummy: bool,
}

/// Everything one run needs. Built inside the jail; nothing in it is looked up elsewhere.
pub struct Job {
    /// The module, compiled with the same manifest and limits.
    pub module: Compiled,
    /// The text of its `analysis.toml`.
    pub manifest: String,
    /// Values for declared parameters; the rest take their defaults.
    pub parameters: Vec<v1::Parameter>,
    /// The view: tables, columns and row filters granted to the run.
    pub view: Vec<v1::GrantedTable>,
    /// Brought-in tables in which the module may look codes up.
    pub bring_ins: Vec<Files>,
    /// The opened dataset version.
    pub data: Arc<dyn Source>,
    /// Upper bounds; a zero means the default of the field (see `limits.rs`).
    pub limits: v1::RunLimits,
    /// Key of the order in which a cohort guest sees the patients, and of the codes that
    /// stand in for identifiers; the project's own.
    pub order_key: Key,
    /// The data is dummy data: the developer may see messages, backtraces and figures.
    pub dummy: bool,
}

/// Hears of the progress of a run, as coarse as it may leave (design invariant 10).
pub trait ProgressSink {
    /// Tenths of the rows scanned, 0 to 10, never falling.
    fn tenths(&mut self, tenths: u32);
}

impl ProgressSink for () {
    fn tenths(&mut self, _: u32) {}
}

/// What a finished run gives.
#[derive(Debug)]
pub struct RunReport {
    /// One per declared output, in declared order, ready to seal.
    pub outputs: Vec<v1::CheckedOutput>,
    /// Figures for the watch; `jail` is left empty for the runner to fill in.
    pub usage: v1::RunUsage,
    /// Only when the job's data is dummy data.
    pub developer: Option<Developer>,
}

/// One cell of one output, as printed: whose patients are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedCell {
    /// Name of the output.
    pub output: String,
    /// Labels of the cell's keys, in declared order.
    pub key: Vec<String>,
}

/// Why a run did not finish.
#[derive(Debug, thiserror::Error)]
#[error("the run failed: {code}")]
pub struct RunFailure {
    /// The class that leaves the site.
    pub class: v1::FailureClass,
    /// Stable code made by the host, for the log of the pseudonymised zone.
    pub code: &'static str,
    /// Figures up to the failure.
    pub usage: v1::RunUsage,
    /// Only when the job's data is dummy data.
    pub developer: Option<Developer>,
}

/// Detail for the author of a module, made only over dummy data.
#[derive(Clone, Debug, Default)]
pub struct Developer {
    /// What went wrong, with backtraces; at most 20 entries.
    pub messages: Vec<String>,
    /// Patients whose call failed, so that their default contribution was taken.
    pub failed_patients: u64,
    /// Most fuel one call used (per-patient) or the run used (cohort).
    pub fuel_used: u64,
    /// Largest linear memory, bytes.
    pub peak_memory_bytes: u64,
}
