//! The contract: package `sekisho.v1`, generated from the files in
//! `sekisho/v1/*.proto`. Start with `run.proto`, then `worker.proto`.
//!
//! Invariant: no logic lives here. Must never depend on another crate of ours.

/// Messages, clients and servers of package `sekisho.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "generated; the documentation is in the proto files"
)]
pub mod v1 {
    tonic::include_proto!("sekisho.v1");
}

/// The serialised `FileDescriptorSet` of the package: reflection, and tests that
/// enumerate every method.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/sekisho_v1_descriptor.bin"));
