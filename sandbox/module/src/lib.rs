//! What a module says about itself (`analysis.toml`) and what can be seen of it without
//! running it.
//!
//! Start at [`Manifest::parse`] and [`inspect`]; [`Manifest::bind`] checks the parameters
//! of one run. The gateway uses them when a module is submitted, the command line before,
//! the engine again before it runs anything.
//!
//! Invariants
//! - A [`Manifest`] that exists is valid: every size is capped, every key domain finite.
//! - A component passes [`inspect`] only when everything it imports is on the allow-list of
//!   its world; the host links nothing else either (design invariant 2).
//! - Nothing here runs guest code.
//!
//! Must never depend on: wasmtime, a query engine, the gateway.

mod check;
mod error;
mod inspect;
mod manifest;
mod parameters;
mod raw;

pub use error::{ManifestError, ManifestErrors, ParameterError, Refusal};
pub use inspect::{FEATURES, MAX_COMPONENT_BYTES, ModuleReport, StaticFinding, inspect};
pub use manifest::{
    Aggregate, AggregateKind, CoefficientScale, CoefficientsSpec, ColumnInput, ColumnKind,
    Contributed, HistogramSpec, KeyDomain, KeySpec, Lookup, Manifest, OutputBody, OutputSpec,
    SurvivalSpec, TableColumnSpec, TableInput, TableRole, TableSpec, Ties, TotalKind, TotalSpec,
    World,
};
pub use parameters::{ParameterKind, ParameterSpec, Value};
