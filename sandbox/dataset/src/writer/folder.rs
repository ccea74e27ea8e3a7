use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::layout::{self, is_version};
use crate::reader::{check_file, found_files, read_small};
use crate::{DatasetError, FileCheck, FileEntry, Profile};

const LOCK: &str = ".lock";
/// Leading dot and no version's shape: nobody takes a half-written folder for a version.
const SEALING: &str = ".sealing-";

/// The hidden folder a version is written to before it appears under its name in one
/// rename. Holds the data set's lock.
#[derive(Debug)]
pub(super) struct SealingFolder {
    dataset: PathBuf,
    version: String,
    hidden: PathBuf,
    /// Stays when this is dropped: published, or to be gone on with.
    pub(super) stays: bool,
    _lock: File,
}

impl SealingFolder {
    pub(super) fn create(
        root: &Path,
        dataset: &str,
        version: Option<&str>,
    ) -> Result<Self, DatasetError> {
        let mut this = Self::lock(root, dataset, version)?;
        if names(&this.dataset)?.iter().any(|name| version_of(name) == Some(&this.version)) {
            return Err(this.duplicate(dataset));
        }
        remove_leftovers(&this.dataset)?;
        let hidden = &this.hidden;
        fs::create_dir(hidden).map_err(DatasetError::io(hidden, "creating the folder"))?;
        this.stays = false;
        Ok(this)
    }

    /// Goes on with a folder that a killed writer left: `listed` files must be as they were,
    /// and what else lies there is removed.
    pub(super) fn resume<'a>(
        root: &Path,
        dataset: &str,
        version: Option<&str>,
        listed: impl Iterator<Item = (String, &'a FileEntry)>,
    ) -> Result<Self, DatasetError> {
        let this = Self::lock(root, dataset, version)?;
        let listed: BTreeMap<_, _> = listed.collect();
        if !fs::symlink_metadata(&this.hidden).is_ok_and(|found| found.is_dir()) {
            let name = format!("{SEALING}{}", this.version);
            return Err(DatasetError::tampered(&name, "the folder is missing"));
        }
        for path in found_files(&this.hidden)? {
            if !listed.contains_key(&path) {
                let path = this.hidden.join(path);
                fs::remove_file(&path).map_err(DatasetError::io(&path, "removing leftovers"))?;
            }
        }
        for (path, entry) in &listed {
            check_file(&this.hidden, path, entry, FileCheck::Sha256)?;
        }
        Ok(this)
    }

    /// Takes the data set's lock. The folder is not touched, nor when this is dropped.
    fn lock(root: &Path, dataset: &str, version: Option<&str>) -> Result<Self, DatasetError> {
        let folder = root.join(dataset);
        fs::create_dir_all(&folder).map_err(DatasetError::io(&folder, "creating the folder"))?;
        let lock = lock(&folder, dataset)?;
        let version = match version {
            Some(version) if is_version(version) => version.to_owned(),
            Some(version) => return Err(DatasetError::VersionName(version.to_owned())),
            None => next_version(&folder)?,
        };
        let hidden = folder.join(format!("{SEALING}{version}"));
        let this = Self { dataset: folder, version, hidden, stays: true, _lock: lock };
        if fs::symlink_metadata(this.published_path()).is_ok() {
            return Err(this.duplicate(dataset));
        }
        Ok(this)
    }

    fn duplicate(&self, dataset: &str) -> DatasetError {
        let (dataset, version) = (dataset.to_owned(), self.version.clone());
        DatasetError::DuplicateVersion { dataset, version }
    }

    /// Another text than that of the newest version's profile needs a higher revision: whoever
    /// reads two versions tells by it whether they mean the same. This guards against mistakes
    /// only: whose version the newest is, and whether its profile was changed, is not looked at.
    pub(super) fn check_revision(&self, profile: &Profile) -> Result<(), DatasetError> {
        let Some(newest) = newest(&self.dataset)? else { return Ok(()) };
        let version = format!("v{newest}");
        // A profile that cannot be read any more holds nobody back.
        let then = read_small(&self.dataset.join(&version), layout::PROFILE).ok();
        let then = then.and_then(|bytes| String::from_utf8(bytes).ok());
        let then = then.and_then(|toml| Profile::parse(&toml).ok());
        match then {
            Some(then)
                if then.sha256() != profile.sha256() && then.revision >= profile.revision =>
            {
                let (dataset, revision) = (profile.id.clone(), then.revision);
                Err(DatasetError::Revision { dataset, version, revision })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Where the version will be found.
    pub(super) fn published_path(&self) -> PathBuf {
        self.dataset.join(&self.version)
    }

    /// Where the version is being written.
    pub(super) fn path(&self) -> &Path {
        &self.hidden
    }

    /// Writes a whole file and flushes it.
    pub(super) fn write(&self, path: &str, content: &[u8]) -> Result<FileEntry, DatasetError> {
        let mut file = self.new_file(path)?;
        file.write_all(content).map_err(DatasetError::io(&self.hidden.join(path), "writing"))?;
        file.close()
    }

    /// Opens a new file whose content is hashed on its way to the disk.
    pub(super) fn new_file(&self, path: &str) -> Result<HashedFile, DatasetError> {
        let path = self.hidden.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(DatasetError::io(parent, "creating the folder"))?;
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o640).open(&path);
        let file = file.map_err(DatasetError::io(&path, "creating the file"))?;
        Ok(HashedFile { path, file, hash: Sha256::new(), bytes: 0 })
    }

    /// Flushes every folder: what was closed so far outlives a loss of power.
    pub(super) fn flush(&self) -> Result<(), DatasetError> {
        let entries = fs::read_dir(&self.hidden);
        for entry in entries.map_err(DatasetError::io(&self.hidden, "listing"))? {
            let path = entry.map_err(DatasetError::io(&self.hidden, "listing"))?.path();
            if path.is_dir() {
                flush(&path)?;
            }
        }
        flush(&self.hidden)?;
        flush(&self.dataset)
    }

    /// Flushes every folder and gives the version its name. A kill at any moment leaves
    /// either no version or the whole of it.
    pub(super) fn publish(mut self) -> Result<PathBuf, DatasetError> {
        self.flush()?;
        let published = self.published_path();
        // Fails when the name is taken: a version's folder is never empty.
        fs::rename(&self.hidden, &published)
            .map_err(DatasetError::io(&published, "publishing the version"))?;
        self.stays = true;
        flush(&self.dataset)?;
        Ok(published)
    }
}

impl Drop for SealingFolder {
    fn drop(&mut self) {
        if !self.stays {
            // Nothing to be done when it fails: the next writer removes it.
            let _ = fs::remove_dir_all(&self.hidden);
        }
    }
}

/// A file being written and hashed.
pub(super) struct HashedFile {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl HashedFile {
    /// Flushes to disk and tells size and hash.
    pub(super) fn close(self) -> Result<FileEntry, DatasetError> {
        self.file.sync_all().map_err(DatasetError::io(&self.path, "flushing"))?;
        Ok(FileEntry { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) })
    }
}

impl Write for HashedFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn lock(folder: &Path, dataset: &str) -> Result<File, DatasetError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o640).open(&path);
    let file = file.map_err(DatasetError::io(&path, "creating the file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatasetError::Busy { dataset: dataset.to_owned() }),
        Err(TryLockError::Error(source)) => Err(DatasetError::io(&path, "locking")(source)),
    }
}

/// Every name in a data set's folder.
fn names(folder: &Path) -> Result<Vec<String>, DatasetError> {
    let entries = fs::read_dir(folder).map_err(DatasetError::io(folder, "listing"))?;
    entries
        .map(|entry| {
            let entry = entry.map_err(DatasetError::io(folder, "listing"))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

/// The version that a name in a data set's folder speaks of: that of the version itself, or of
/// what lies beside it, such as its signed intake report. What was signed of a version stays,
/// whoever removed its folder, and its number is not given again.
fn version_of(name: &str) -> Option<&str> {
    let version = name.split_once('.').map_or(name, |(version, _)| version);
    is_version(version).then_some(version)
}

fn next_version(folder: &Path) -> Result<String, DatasetError> {
    let names = names(folder)?;
    let highest = highest(names.iter().filter_map(|name| version_of(name)));
    Ok(format!("v{}", highest.unwrap_or(0) + 1))
}

/// The number of the newest version that is there.
fn newest(folder: &Path) -> Result<Option<u32>, DatasetError> {
    let names = names(folder)?;
    Ok(highest(names.iter().map(String::as_str).filter(|name| is_version(name))))
}

fn highest<'a>(versions: impl Iterator<Item = &'a str>) -> Option<u32> {
    versions.filter_map(|version| version.strip_prefix('v')?.parse().ok()).max()
}

/// Removes what killed writers left; the lock says none is alive.
fn remove_leftovers(folder: &Path) -> Result<(), DatasetError> {
    for name in names(folder)?.iter().filter(|name| name.starts_with(SEALING)) {
        let path = folder.join(name);
        fs::remove_dir_all(&path).map_err(DatasetError::io(&path, "removing leftovers"))?;
    }
    Ok(())
}

fn flush(folder: &Path) -> Result<(), DatasetError> {
    let opened = File::open(folder).and_then(|folder| folder.sync_all());
    opened.map_err(DatasetError::io(folder, "flushing the folder"))
}
