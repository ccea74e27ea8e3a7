use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::private::{check_private_dir, io};
use crate::uses::{UseCounters, generations_in};
use crate::wrapped::{Parts, associated_data};
use crate::{
    Context, Generation, GenerationStatus, Key, KeyUnwrapper, KeyVault, KeyWrapper, RotatingVault,
    VaultError, WrappedKey, create_private_dir, envelope,
};

/// A key vault in a folder of its own (0700), each generation's key in
/// `root-<generation>.key` (0600) beside the count of its uses.
///
/// Fit for one machine and for tests: whoever can read the files has the keys. Several
/// processes may use one folder at a time; each sees the others' rotations.
#[derive(Debug)]
pub struct FileVault {
    counters: UseCounters,
    roots: RwLock<BTreeMap<Generation, Key>>,
}

impl FileVault {
    /// Makes a new vault with a fresh key. Fails when the folder already holds one.
    pub fn create(folder: &Path) -> Result<Self, VaultError> {
        create_private_dir(folder)?;
        let vault = Self { counters: UseCounters::new(folder), roots: RwLock::default() };
        let lock = vault.counters.lock()?;
        if Self::exists(folder) {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(io(folder, "creating the vault", source));
        }
        vault.add_generation()?;
        drop(lock);
        Ok(vault)
    }

    /// Opens an existing vault, refusing lax permissions and damaged key files.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        check_private_dir(folder)?;
        let vault = Self { counters: UseCounters::new(folder), roots: RwLock::default() };
        vault.look_again()?;
        Ok(vault)
    }

    /// Whether the folder holds a vault's key file, whatever its state.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        generations_in(folder, ".key").is_ok_and(|found| !found.is_empty())
    }

    /// The folder it lives in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.counters.folder()
    }

    /// Makes a generation whose number was never used here. The caller holds the lock.
    fn add_generation(&self) -> Result<Generation, VaultError> {
        let keys = generations_in(self.folder(), ".key")?;
        let highest = keys.into_iter().chain(self.counters.recorded()?).max();
        let next = highest.map_or(Some(Generation::FIRST), Generation::next);
        let next = next.ok_or(VaultError::NotAKey)?;
        // The key last: a generation without a record of its uses never comes into being.
        self.counters.begin(next)?;
        Key::generate()?.save(&self.key_file(next))?;
        self.look_again()?;
        Ok(next)
    }

    /// Loads what other processes added and drops what was removed; gives the current
    /// generation.
    fn look_again(&self) -> Result<Generation, VaultError> {
        let found = generations_in(self.folder(), ".key")?;
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        roots.retain(|known, _| found.contains(known));
        for generation in &found {
            if !roots.contains_key(generation) {
                roots.insert(*generation, Key::load(&self.key_file(*generation))?);
            }
        }
        let none = || std::io::ErrorKind::NotFound.into();
        found.last().copied().ok_or_else(|| io(self.folder(), "opening the vault", none()))
    }

    fn with_root<T>(
        &self,
        generation: Generation,
        work: impl FnOnce(&Key) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        work(roots.get(&generation).ok_or(VaultError::UnknownGeneration { generation })?)
    }

    fn knows(&self, generation: Generation) -> bool {
        self.with_root(generation, |_| Ok(())).is_ok()
    }

    fn key_file(&self, generation: Generation) -> PathBuf {
        self.folder().join(format!("root-{generation}.key"))
    }
}

impl KeyWrapper for FileVault {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        let current = self.look_again()?;
        self.counters.spend(current)?;
        self.with_root(current, |root| wrap_under(root, current, context, key))
    }
}

impl KeyUnwrapper for FileVault {
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        let generation = Parts::of(wrapped)?.generation;
        if !self.knows(generation) {
            self.look_again()?;
        }
        self.with_root(generation, |root| unwrap_under(root, context, wrapped))
    }
}

impl KeyVault for FileVault {}

impl RotatingVault for FileVault {
    fn rotate(&self) -> Result<Generation, VaultError> {
        let _lock = self.counters.lock()?;
        self.add_generation()
    }

    fn status(&self) -> Result<Vec<GenerationStatus>, VaultError> {
        let current = self.look_again()?;
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        let generations = roots.keys().copied();
        Ok(generations.map(|generation| self.counters.status(generation, current)).collect())
    }
}

/// Seals a key under one root key.
pub(crate) fn wrap_under(
    root: &Key,
    generation: Generation,
    context: &Context,
    key: &Key,
) -> Result<WrappedKey, VaultError> {
    let associated = associated_data(generation, context);
    let (nonce, sealed) = envelope::encrypt(root, &associated, key.danger_bytes())?;
    let sealed = sealed.as_slice().try_into().map_err(|_| VaultError::NotAKey)?;
    Ok(Parts { generation, nonce, sealed }.join())
}

/// Opens what [`wrap_under`] sealed.
pub(crate) fn unwrap_under(
    root: &Key,
    context: &Context,
    wrapped: &WrappedKey,
) -> Result<Key, VaultError> {
    let parts = Parts::of(wrapped)?;
    let associated = associated_data(parts.generation, context);
    let bytes = envelope::decrypt(root, &parts.nonce, &associated, &parts.sealed)?;
    Key::danger_from_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create_private_file;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    const KEY_FILE: &str = "root-1.key";

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
    fn new_vault_is_closed_to_others_and_never_overwritten() {
        let (_dir, folder) = vault();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
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

    #[test]
    fn other_processes_see_a_rotation_and_a_removed_generation() {
        let (_dir, folder) = vault();
        let (one, other) = (FileVault::open(&folder).unwrap(), FileVault::open(&folder).unwrap());
        let (key, context) = (Key::generate().unwrap(), Context::new("test"));
        let first = one.wrap(&context, &key).unwrap();
        let second = one.rotate().unwrap();
        let wrapped = one.wrap(&context, &key).unwrap();
        assert_eq!(other.unwrap(&context, &wrapped).unwrap().danger_bytes(), key.danger_bytes());
        let wrapped = other.wrap(&context, &key).unwrap();
        assert_eq!(wrapped.generation(), Some(second));
        fs::remove_file(folder.join(KEY_FILE)).unwrap();
        other.wrap(&context, &key).unwrap();
        let error = other.unwrap(&context, &first).unwrap_err();
        assert_eq!(error.code(), "vault.unknown_generation");
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let (_dir, folder) = vault();
        let vault = FileVault::open(&folder).unwrap();
        let second = vault.rotate().unwrap();
        fs::remove_file(folder.join("root-2.key")).unwrap();
        assert!(vault.rotate().unwrap() > second);
    }

    #[test]
    fn a_kill_between_record_and_key_leaves_the_vault_as_it_was() {
        let (_dir, folder) = vault();
        let vault = FileVault::open(&folder).unwrap();
        vault.counters.begin(Generation::new(2).unwrap()).unwrap();
        let (key, context) = (Key::generate().unwrap(), Context::new("test"));
        let wrapped = vault.wrap(&context, &key).unwrap();
        assert_eq!(wrapped.generation(), Some(Generation::FIRST));
        assert_eq!(vault.status().unwrap().len(), 1);
    }
}
