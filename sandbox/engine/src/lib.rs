//! Runs one analysis: a component and its manifest over an opened view, to typed outputs with
//! the host's evidence and the disclosure findings.
//!
//! Start at [`compile`] and [`run`], then `per_patient.rs`, `rounds.rs` and `cohort.rs` (the
//! worlds), `sandbox.rs` (the wasmtime configuration), `scan.rs` (DataFusion over the view),
//! `query.rs` (the guest's SQL).
//!
//! Invariants
//! - A guest is linked to `sekisho:analysis` and to nothing else (design invariant 2).
//! - The same component, manifest, view and parameters give the same outputs, byte for byte
//!   (design invariant 9).
//! - Guest text reaches nobody unless the job says the data is dummy data (invariant 10).
//! - Nothing is written to disk: no spill, no cache (invariant 3).
//!
//! Must never depend on: the gateway, the network, files other than through [`Source`].

mod aggregate;
mod bindings;
mod cells;
mod cohort;
mod columns;
mod compile;
mod failure;
mod fresh;
mod job;
mod keyed;
mod limits;
mod lookup;
mod merge;
mod own_codes;
mod per_patient;
mod query;
mod regression;
mod rounds;
mod run;
mod sandbox;
mod scan;
mod source;
mod statistics;
mod survival;
mod totals;
mod view;

pub use compile::{Compiled, compile};
pub use job::{CompileOrder, Developer, Job, ProgressSink, RunFailure, RunReport, TracedCell};
pub use run::{run, trace};
pub use source::{Batches, Source, SourceColumn, SourceError};
