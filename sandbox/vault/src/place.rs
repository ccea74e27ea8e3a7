use std::path::PathBuf;
use std::sync::Arc;

use crate::{FileVault, Pkcs11Place, Pkcs11Vault, RotatingVault, VaultError};

/// Where a site keeps a vault, of whichever kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultPlace {
    /// A [`FileVault`] in this folder.
    Folder(PathBuf),
    /// A [`Pkcs11Vault`] in this token.
    Token(Pkcs11Place),
}

impl VaultPlace {
    /// Makes a vault where there is none.
    pub fn create(&self) -> Result<Arc<dyn RotatingVault>, VaultError> {
        Ok(match self {
            Self::Folder(folder) => Arc::new(FileVault::create(folder)?),
            Self::Token(place) => Arc::new(Pkcs11Vault::create(place)?),
        })
    }

    /// Opens the vault that is there.
    pub fn open(&self) -> Result<Arc<dyn RotatingVault>, VaultError> {
        Ok(match self {
            Self::Folder(folder) => Arc::new(FileVault::open(folder)?),
            Self::Token(place) => Arc::new(Pkcs11Vault::open(place)?),
        })
    }
}
