use crate::{
    Context, Generation, Key, KeyUnwrapper, KeyVault, KeyWrapper, VaultError, WrappedKey,
    file_vault,
};

/// A key vault that lives and dies with the process: for dummy data and tests. It has one
/// generation and counts nothing.
#[derive(Debug)]
pub struct MemoryVault(Key);

impl MemoryVault {
    /// A vault with a fresh key.
    pub fn new() -> Result<Self, VaultError> {
        Key::generate().map(Self)
    }
}

impl KeyWrapper for MemoryVault {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        file_vault::wrap_under(&self.0, Generation::FIRST, context, key)
    }
}

impl KeyUnwrapper for MemoryVault {
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        file_vault::unwrap_under(&self.0, context, wrapped)
    }
}

impl KeyVault for MemoryVault {}
