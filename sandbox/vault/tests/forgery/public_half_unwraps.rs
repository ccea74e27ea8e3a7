//! Ingest holds the public half and asks it to open a key.

use sekisho_vault::{Context, Key, ReceivingPublic, VaultError, WrappedKey};

fn open(public: &ReceivingPublic, wrapped: &WrappedKey) -> Result<Key, VaultError> {
    sekisho_vault::KeyUnwrapper::unwrap(public, &Context::new("dataset"), wrapped)
}

fn main() {}
