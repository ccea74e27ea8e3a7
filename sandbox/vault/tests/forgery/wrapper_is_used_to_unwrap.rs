//! A writer that was given a wrapper looks into keys that others wrapped.

use sekisho_vault::{Context, Key, KeyWrapper, VaultError, WrappedKey};

fn open(wrapper: &dyn KeyWrapper, wrapped: &WrappedKey) -> Result<Key, VaultError> {
    wrapper.unwrap(&Context::new("dataset"), wrapped)
}

fn main() {}
