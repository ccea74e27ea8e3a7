//! The `sekisho` command line: what researchers, reviewers, stewards and the security
//! watch type.
//!
//! Start at [`main`], then `cli.rs` for the commands and `nouns/` for one file per
//! noun; `gateway.rs` connects, `ceremony.rs` signs decisions, `render.rs` draws
//! outputs.
//!
//! Invariants
//! - The session's private key is made here and never leaves the profile folder.
//! - A decision is signed only after its hash was computed here.
//! - With `--json` standard output carries JSON and nothing else.
//! - Files of a fetched bundle are written below the folder named, nowhere else.
//!
//! Must never depend on a gateway crate other than the log's verifier, nor on a store.

mod analysis;
mod bring_in;
mod ceremony;
mod cli;
mod dummy;
mod error;
mod exit;
mod gateway;
mod loopback;
mod nouns;
mod pages;
mod parameters;
mod profile;
mod render;
mod screen;

pub use cli::main;
