//! The worker: leases runs from the gateway, unwraps exactly the granted keys, and starts one
//! jailed runner for each run.
//!
//! Start at [`serve`] (the loop), then `attend` (one run from lease to report), `ticket` and
//! `prepare` (what must hold before a runner starts).
//!
//! Invariants
//! - It connects outward only, by mutual TLS 1.3; nothing listens here.
//! - Nothing is unwrapped before the ticket's signature and life have been checked, and then
//!   only the columns the ticket names (design invariant 9).
//! - A lease that is lost ends its runner; a worker that dies loses nothing, for its leases
//!   run out at the gateway.
//! - Logs hold ids, codes and figures, never a guest's words or a value of the data.
//!
//! Must never depend on: any crate of the gateway, wasmtime or DataFusion by name.

mod attend;
mod bring_ins;
mod config;
mod gateway;
mod hold;
mod init;
mod keys;
mod prepare;
mod refusal;
mod serve;
mod site;
mod ticket;
mod trace;

pub use config::{Config, ConfigErrors};
pub use init::{InitError, Made, init};
pub use keys::RootKeys;
pub use prepare::prepare;
pub use refusal::Refusal;
pub use serve::serve;
pub use site::Site;
pub use ticket::{TICKET_LABEL, VerifiedTicket};
