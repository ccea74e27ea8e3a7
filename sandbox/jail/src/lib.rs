//! The jail of a runner: what a process may still do once it holds plaintext and keys.
//!
//! Start at [`Confinement::enter`]; each control lives in its own file (`namespaces`, `files`,
//! `limits`, `syscalls`) and the record of what was applied in [`JailRecord`].
//!
//! Invariants
//! - Entering is one way and happens while the process has a single thread, so every later
//!   thread is confined too.
//! - Network isolation, file rules and the system call allow-list are required. A host that
//!   cannot give one is refused, unless configuration names that control as lowered, and then
//!   the record says so.
//! - Nothing here knows what the jailed process computes.
//!
//! Must never depend on: the engine, data sets, keys, or any crate of the gateway.

mod control;
mod enter;
mod error;
mod files;
mod limits;
mod namespaces;
mod record;
mod syscalls;

pub use control::{Control, Lowered};
pub use enter::{Confinement, shed_inherited};
pub use error::JailError;
pub use limits::{keys_are_read, swap_is_off};
pub use record::JailRecord;
