use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::VaultError;

/// Larger secrets than this are a mistake; the limit also stops `/dev/zero` and the like.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Creates a folder that only its owner may enter (0700). An existing folder is accepted
/// when it is already that strict.
pub fn create_private_dir(path: &Path) -> Result<(), VaultError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_private_dir(path),
        Err(source) => Err(io(path, "creating the folder", source)),
    }
}

/// Creates a new file that only its owner may read (0600) and flushes it to disk. Fails
/// when the file exists: secrets are never overwritten. A kill at any moment leaves either
/// no file or the whole of it.
pub fn create_private_file(path: &Path, content: &[u8]) -> Result<(), VaultError> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".new-{}", std::process::id()));
    let hidden = Path::new(&hidden);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(hidden)
        .map_err(|source| io(hidden, "creating the file", source))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    // Linking, unlike renaming, fails when the name is taken.
    let linked = written.and_then(|()| fs::hard_link(hidden, path));
    let removed = fs::remove_file(hidden);
    linked.map_err(|source| io(path, "creating the file", source))?;
    removed.map_err(|source| io(hidden, "removing", source))?;
    sync_parent(path)
}

/// Replaces a file in one step with one that only its owner may read (0600). A kill at any
/// moment leaves the old content or the new. Callers must not run at the same time.
pub fn replace_private_file(path: &Path, content: &[u8]) -> Result<(), VaultError> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(".next");
    let hidden = Path::new(&hidden);
    match fs::remove_file(hidden) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io(hidden, "removing", error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(hidden);
    let mut file = file.map_err(|source| io(hidden, "creating the file", source))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| fs::rename(hidden, path));
    renamed.map_err(|source| io(path, "replacing the file", source))?;
    sync_parent(path)
}

/// Reads a secret file, refusing symbolic links and permissions wider than 0600.
pub fn read_private_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let link = fs::symlink_metadata(path).map_err(|source| io(path, "looking up", source))?;
    let file = File::open(path).map_err(|source| io(path, "opening", source))?;
    let opened = file.metadata().map_err(|source| io(path, "looking up", source))?;
    // The opened file must be the one looked up, or a link was put in between.
    let same = link.ino() == opened.ino() && link.dev() == opened.dev();
    if !link.is_file() || !same || opened.len() > MAX_SECRET_BYTES {
        return Err(VaultError::NotPlain { path: path.to_owned() });
    }
    refuse_lax(path, opened.mode(), 0o600)?;
    // Sized up front: a growing buffer would leave unwiped copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES as usize + 1));
    file.take(MAX_SECRET_BYTES)
        .read_to_end(&mut content)
        .map_err(|source| io(path, "reading", source))?;
    Ok(content)
}

pub(crate) fn check_private_dir(path: &Path) -> Result<(), VaultError> {
    let found = fs::symlink_metadata(path).map_err(|source| io(path, "looking up", source))?;
    if !found.is_dir() {
        return Err(VaultError::NotPlain { path: path.to_owned() });
    }
    refuse_lax(path, found.mode(), 0o700)
}

fn refuse_lax(path: &Path, mode: u32, wanted: u32) -> Result<(), VaultError> {
    let mode = mode & 0o7777;
    if mode & !wanted == 0 {
        return Ok(());
    }
    Err(VaultError::LaxPermissions { path: path.to_owned(), mode, wanted })
}

fn sync_parent(path: &Path) -> Result<(), VaultError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| io(parent, "flushing the folder", source))
}

pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> VaultError {
    VaultError::Io { path: path.to_owned(), doing, source }
}
