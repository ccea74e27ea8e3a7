//! What is done with bytes that nobody vouches for, as targets of a fuzzer: one function each,
//! given any bytes, that panics when a promise is broken.
//!
//! `tests/quick.rs` drives them with fixed seeds in every test run; `make fuzz` with libFuzzer
//! (`libfuzzer/`, a workspace of its own), which follows what the bytes make the code do.
//!
//! Must never depend on: the engine or the worker, which would make an instrumented build take
//! a quarter of an hour; modules are fuzzed in `sandbox/engine/tests/it/smith.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything here is for tests"
)]

pub mod lot;
pub mod manifest;
pub mod output;
pub mod sealed_file;
pub mod ticket;

/// A target: its name, what it does with bytes, and inputs to begin with.
pub struct Target {
    /// Name of its program.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that get far.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "ticket", run: ticket::run, seeds: ticket::seeds },
    Target { name: "sealed_file", run: sealed_file::run, seeds: sealed_file::seeds },
    Target { name: "output", run: output::run, seeds: output::seeds },
];

/// What the ticket's source knows of the worker.
#[derive(Debug)]
#[allow(dead_code, reason = "nobody looks at what stands in it")]
enum Refusal {
    Signature,
    Unreadable(&'static str),
    Expired,
    NotYet,
}
