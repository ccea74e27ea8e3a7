//! Where vaults of each kind live in the tests.

use std::path::{Path, PathBuf};

use sekisho_vault::{FileVault, RotatingVault, VaultError};
use tempfile::TempDir;

/// A place for one vault, which can be made there once and opened many times.
pub(crate) trait Place {
    /// Runs a test in an environment fit for this kind; `name` is the test's own.
    fn run(name: &str, test: fn(&dyn Place))
    where
        Self: Sized;

    /// Another place of the same kind.
    fn another(&self) -> Box<dyn Place>;

    fn create(&self) -> Result<Box<dyn RotatingVault>, VaultError>;

    /// What a restarted process does.
    fn open(&self) -> Result<Box<dyn RotatingVault>, VaultError>;

    /// The folder with the record of uses.
    fn records(&self) -> &Path;
}

/// A file vault in a folder.
pub(crate) struct Folder {
    path: PathBuf,
    _dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { path: dir.path().join("vault"), _dir: dir }
    }
}

impl Place for Folder {
    fn run(_: &str, test: fn(&dyn Place)) {
        test(&Self::new());
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new())
    }

    fn create(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(FileVault::create(&self.path)?))
    }

    fn open(&self) -> Result<Box<dyn RotatingVault>, VaultError> {
        Ok(Box::new(FileVault::open(&self.path)?))
    }

    fn records(&self) -> &Path {
        &self.path
    }
}
