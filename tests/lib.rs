//! The tests of the whole: one integration binary in `it/`, hostile and public data
//! beside it. Start with `it/main.rs`.
//!
//! Invariant: nothing here asserts on the prose of an error. Must never be depended on.

use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
