use crate::{Context, Generation, GenerationStatus, Key, VaultError, WrappedKey};

/// Who can seal keys. On its own it cannot open what it sealed.
pub trait KeyWrapper: Send + Sync {
    /// Seals a key for one context.
    ///
    /// # Errors
    /// [`VaultError::RotateFirst`] when the current root key may seal no more.
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError>;
}

/// Who can open sealed keys.
pub trait KeyUnwrapper: Send + Sync {
    /// Opens a key sealed for the same context; fails closed on any difference.
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError>;
}

/// Whoever holds the key that wraps other keys: a file, or a token such as an HSM.
///
/// The wrapping key itself never leaves the vault.
pub trait KeyVault: KeyWrapper + KeyUnwrapper {
    /// Seals a wrapped key anew under the current generation: what a rotation does with
    /// every key it finds, while what these keys seal stays as it is.
    ///
    /// # Errors
    /// Those of [`KeyUnwrapper::unwrap`] and [`KeyWrapper::wrap`].
    fn rewrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<WrappedKey, VaultError> {
        self.wrap(context, &self.unwrap(context, wrapped)?)
    }
}

/// A vault whose root key has generations: for the few who look after it.
pub trait RotatingVault: KeyVault {
    /// Makes a new generation and wraps under it from now on. What older ones wrapped still
    /// opens.
    fn rotate(&self) -> Result<Generation, VaultError>;

    /// Every generation it has, oldest first.
    fn status(&self) -> Result<Vec<GenerationStatus>, VaultError>;
}
