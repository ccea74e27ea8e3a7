//! The log (監査証跡, LG-1, LG-2): typed events as leaves of an RFC 6962 Merkle tree,
//! signed checkpoints, proofs, and a verifier that needs nothing but an export.
//!
//! Start with [`event`] (what is recorded), then [`leaf`] (its one byte form), [`log`]
//! (the tree) and [`checkpoint`] (what is signed). [`export`], [`verify`] and [`witness`]
//! are the other side: they find out when the log was rewritten.
//!
//! Invariants: an event has exactly one byte form; a leaf is hashed as the bytes that are
//! stored, never as something decoded and encoded again; a tree of an older size can be
//! proved at any time. Free of I/O, of threads and of clocks. Must never depend on another
//! crate of ours but the domain.

pub mod checkpoint;
pub mod event;
pub mod export;
pub mod hash;
pub mod leaf;
pub mod log;
pub mod note;
pub mod proof;
pub mod verify;
pub mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointSigner};
pub use event::{
    Actor, Event, EventKind, LogStream, RuleCited, RunUsage, SealedOutput, SessionEnd,
};
pub use export::{ExportError, ExportLine};
pub use hash::{Hash, TreeHead};
pub use leaf::LeafError;
pub use log::{LogError, MerkleLog};
pub use note::{NoteError, VerifierKey};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use verify::{Finding, Verified, Verifier, verify_export};
pub use witness::{Witness, WitnessError};
