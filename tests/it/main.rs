//! The one integration binary. Each module is one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything here is a test"
)]

mod at_scale;
mod bring_in;
mod calls;
mod canary;
mod cancel;
mod catalogue;
mod closing;
mod crash;
mod deployment;
mod direction;
mod generated_docs;
mod linkage;
mod provider;
mod quotas;
mod refusals;
mod reidentification;
mod requirements;
mod same_bytes;
mod sandboxed;
mod story;
mod support;
mod vault_keys;
mod view;
