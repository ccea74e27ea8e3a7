use std::fs;
use std::path::{Path, PathBuf};

use crate::private::check_private_dir;
use crate::{Context, Key, VaultError, WrappedKey, create_private_dir, key};

/// Whoever holds the key that wraps other keys: a file here, an HSM in production.
///
/// The wrapping key itself never leaves the vault.
pub trait KeyVault: Send + Sync {
    /// Seals a key for one context.
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError>;
    /// Opens a key sealed for the same context; fails closed on any difference.
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError>;
}

/// A key vault in a folder of its own (0700), the key in `root.key` (0600).
///
/// Fit for one machine and for tests: whoever can read the file has the key.
#[derive(Debug)]
pub struct FileVault {
    root: Key,
    folder: PathBuf,
}

const KEY_FILE: &str = "root.key";

impl FileVault {
    /// Makes a new vault with a fresh key. Fails when the folder already holds one.
    pub fn create(folder: &Path) -> Result<Self, VaultError> {
        create_private_dir(folder)?;
        let root = Key::generate()?;
        root.save(&folder.join(KEY_FILE))?;
        Ok(Self { root, folder: folder.to_owned() })
    }

    /// Opens an existing vault, refusing lax permissions and damaged key files.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        check_private_dir(folder)?;
        let root = Key::load(&folder.join(KEY_FILE))?;
        Ok(Self { root, folder: folder.to_owned() })
    }

    /// Whether the folder holds a vault's key file, whatever its state.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        fs::symlink_metadata(folder.join(KEY_FILE)).is_ok()
    }

    /// The folder it lives in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl KeyVault for FileVault {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        key::wrap(&self.root, context, key)
    }

    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        key::unwrap(&self.root, context, wrapped)
    }
}

/// A key vault that lives and dies with the process: for dummy data and tests.
#[derive(Debug)]
pub struct MemoryVault(Key);

impl MemoryVault {
    /// A vault with a fresh key.
    pub fn new() -> Result<Self, VaultError> {
        Key::generate().map(Self)
    }
}

impl KeyVault for MemoryVault {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        key::wrap(&self.0, context, key)
    }

    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        key::unwrap(&self.0, context, wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create_private_file;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn vault() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("vault");
        FileVault::create(&folder).unwrap();
        (dir, folder)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn reopened_vault_unwraps_what_it_wrapped_and_another_does_not() {
        let (_dir, folder) = vault();
        let (_dir2, other) = vault();
        let (key, context) = (Key::generate().unwrap(), Context::new("test"));
        let wrapped = FileVault::open(&folder).unwrap().wrap(&context, &key).unwrap();
        let back = FileVault::open(&folder).unwrap().unwrap(&context, &wrapped).unwrap();
        assert_eq!(back.danger_bytes(), key.danger_bytes());
        let refused = FileVault::open(&other).unwrap().unwrap(&context, &wrapped);
        assert!(matches!(refused, Err(VaultError::CannotOpen)));
    }

    #[test]
    fn new_vault_is_closed_to_others_and_never_overwritten() {
        let (_dir, folder) = vault();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(KEY_FILE))), (0o700, 0o600));
        assert!(matches!(FileVault::create(&folder), Err(VaultError::Io { .. })));
    }

    #[test]
    fn lax_permissions_are_refused() {
        let (_dir, folder) = vault();
        for mode in [0o640, 0o604, 0o660, 0o700] {
            set_mode(&folder.join(KEY_FILE), mode);
            assert!(matches!(FileVault::open(&folder), Err(VaultError::LaxPermissions { .. })));
        }
        set_mode(&folder.join(KEY_FILE), 0o600);
        set_mode(&folder, 0o750);
        assert!(matches!(FileVault::open(&folder), Err(VaultError::LaxPermissions { .. })));
    }

    #[test]
    fn linked_and_damaged_key_files_are_refused() {
        let (_dir, folder) = vault();
        let key = folder.join(KEY_FILE);
        let moved = folder.join("elsewhere");
        fs::rename(&key, &moved).unwrap();
        symlink(&moved, &key).unwrap();
        assert!(matches!(FileVault::open(&folder), Err(VaultError::NotPlain { .. })));
        fs::remove_file(&key).unwrap();
        create_private_file(&key, b"sekisho-key-v1 abcd").unwrap();
        assert!(matches!(FileVault::open(&folder), Err(VaultError::NotAKey)));
    }
}
