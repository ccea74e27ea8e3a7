//! Write an analysis that travels to the data.
//!
//! Put `analysis.toml` beside `Cargo.toml`, name it to [`analysis!`], and write one function.
//! The macro reads the manifest when the crate is compiled: tables become structs, outputs
//! become methods, and what does not fit the manifest does not compile.
//!
//! Per-patient world, the default: a function of one patient's records.
//! ```ignore
//! sekisho_analysis::analysis!("analysis.toml");
//!
//! fn contribute(patient: &Patient, _: &Parameters, out: &mut Outputs) {
//!     for row in &patient.lung {
//!         if let (Some(time), Some(status)) = (row.time, row.status) {
//!             out.overall(time as f64, status == 1);
//!         }
//!     }
//! }
//! ```
//!
//! Cohort world: `fn run(view: &View, parameters: &Parameters, out: &mut Outputs) ->
//! Result<(), String>`, which reads batches, or asks SQL of the view, and fills tables.
//! ```ignore
//! for rows in view.query("SELECT site, count(DISTINCT patient) AS n FROM visits GROUP BY 1", &[])? {
//!     let (site, n) = (rows.codes("site")?, rows.ints("n")?);
//! }
//! ```
//!
//! Rounds world: `fn contribute(patient: &Patient, parameters: &Parameters, state: &[f64],
//! to: &mut Contributions)` and `fn reduce(parameters: &Parameters, round: u32, state: &[f64],
//! totals: &Totals) -> Step<Results>`; [`rounds`] has models that need no more than a call in each.
//!
//! All are plain functions of plain structs, so they are tested natively with `cargo test`;
//! only the wasm build carries the glue to the host.

mod answer;
#[cfg(target_family = "wasm")]
mod bump;
mod column;
mod contribution;
mod regression;
mod survival;

pub mod rates;
pub mod rounds;

pub use answer::{Answer, Argument, Rows, Told, Values};
#[cfg(target_family = "wasm")]
pub use bump::Bump;
pub use column::{Column, Value};
pub use contribution::Contribution;
pub use regression::{Coefficient, Fit};
/// Reads `analysis.toml`, given relative to the crate's folder, and declares `Parameters`,
/// `Outputs` (in the rounds world `Contributions`, `Totals` and `Results`), and one struct per table with `Patient` or `View` around them.
pub use sekisho_analysis_macros::analysis;
pub use survival::Moment;

#[doc(hidden)]
pub use answer::Pull;
#[doc(hidden)]
pub use wit_bindgen;
