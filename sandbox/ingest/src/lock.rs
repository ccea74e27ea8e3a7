//! Locks of the identified zone: whoever holds the file holds the lock, and a process that
//! dies lets go of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::IngestError;

/// Takes a lock, waiting for whoever has it.
pub(crate) fn wait_for(path: &Path) -> Result<File, IngestError> {
    let file = opened(path)?;
    file.lock().map_err(|source| failed(path, source))?;
    Ok(file)
}

/// Takes a lock; `None` when somebody has it.
pub(crate) fn try_for(path: &Path) -> Result<Option<File>, IngestError> {
    let file = opened(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(path, source)),
    }
}

fn opened(path: &Path) -> Result<File, IngestError> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path);
    file.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "locking", source }
}
