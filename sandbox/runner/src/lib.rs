//! One run in one jailed process: the process itself and the supervisor that starts it. A module
//! is compiled before in a jailed process of its own.
//!
//! Start at [`supervise`] (the worker's side) and [`runner_main`] (the jailed side); `frame`
//! and `message` are the pipe between them, `local` the same run for a developer's machine.
//!
//! Invariants
//! - Keys and code are sent only after the runner has said that its jail is in force.
//! - The supervisor takes nothing on trust: every frame is bounded, counted and expected, and
//!   what is not ends the run.
//! - A run over real data prints nothing: no standard error, no guest text, no panic text.
//! - The runner never outlives its supervisor, and the supervisor leaves no process behind.
//!
//! Must never depend on: the network, the gateway, or any store.

mod cancel;
mod child;
mod code;
mod conversation;
mod data;
mod error;
mod frame;
mod local;
mod message;
mod outcome;
#[cfg(feature = "probe")]
#[doc(hidden)]
pub mod probe;
mod process;
mod runners;
mod sealing;
mod spec;
mod supervise;
mod trace;

pub use cancel::Cancel;
pub use child::runner_main;
pub use error::RunnerError;
pub use local::{LocalReport, LocalRun, run_locally};
pub use outcome::{Developer, Failure, Outcome, Success};
pub use runners::Runners;
pub use sealing::{module_context, output_context};
pub use sekisho_jail::{Control, Lowered};
pub use spec::{RUNNER_SUBCOMMAND, RunData, RunSpec, RunnerCommand};
pub use supervise::{check_host, supervise};
