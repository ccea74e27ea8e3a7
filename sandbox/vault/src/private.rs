use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::VaultError;

/// Larger secrets than this are a mistake; the limit also stops `/dev/zero` and the like.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Behind the name of a file that is being created.
const HIDDEN: &str = ".new-";

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
/// no file or the whole of it, and perhaps a hidden one, which the next attempt removes.
pub fn create_private_file(path: &Path, content: &[u8]) -> Result<(), VaultError> {
    remove_leftovers(path)?;
    let mut hidden = path.as_os_str().to_owned();
    // A name of its own, so that nobody's half-written file is ever linked as ours: numbers
    // of processes come again, and two machines that share a folder have the same ones.
    let mut own = [0; 8];
    getrandom::fill(&mut own).map_err(|_| VaultError::Randomness)?;
    hidden.push(format!("{HIDDEN}{}", hex::encode(own)));
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
    let removed = remove_if_there(hidden);
    linked.map_err(|source| io(path, "creating the file", source))?;
    removed?;
    sync_parent(path)
}

/// Removes what killed attempts at this file left: it may hold a key. An attempt of another
/// process that is not killed then fails, and whoever removed its file goes on.
fn remove_leftovers(path: &Path) -> Result<(), VaultError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let prefix = [name.as_encoded_bytes(), HIDDEN.as_bytes()].concat();
    let parent = parent(path);
    let entries = fs::read_dir(parent).map_err(|source| io(parent, "listing", source))?;
    for entry in entries {
        let found = entry.map_err(|source| io(parent, "listing", source))?.file_name();
        let own = found.as_encoded_bytes().strip_prefix(prefix.as_slice());
        // Nothing else ends like this: the number of a process, or eight bytes.
        if own.is_some_and(|own| !own.is_empty() && own.iter().all(u8::is_ascii_hexdigit)) {
            remove_if_there(&parent.join(found))?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io(path, "removing", error))
        }
        _ => Ok(()),
    }
}

/// Replaces a file in one step with one that only its owner may read (0600). A kill at any
/// moment leaves the old content or the new. Callers must not run at the same time.
pub fn replace_private_file(path: &Path, content: &[u8]) -> Result<(), VaultError> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(".next");
    let hidden = Path::new(&hidden);
    remove_if_there(hidden)?;
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

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_parent(path: &Path) -> Result<(), VaultError> {
    let parent = parent(path);
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| io(parent, "flushing the folder", source))
}

pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> VaultError {
    VaultError::Io { path: path.to_owned(), doing, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_attempt_left_of_a_secret_is_removed_and_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("root.key");
        let leftover = |end: &str| dir.path().join(format!("root.key.new-{end}"));
        let own = std::process::id().to_string();
        for end in [own.as_str(), "1", "00ff00ff00ff00ff"] {
            fs::write(leftover(end), b"secret").unwrap();
        }
        let other = dir.path().join("other.key.new-1");
        let foreign = leftover("est.pem");
        for kept in [&other, &foreign] {
            fs::write(kept, b"kept").unwrap();
        }
        create_private_file(&key, b"whole").unwrap();
        assert_eq!(read_private_file(&key).unwrap().as_slice(), b"whole");
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        assert_eq!(left, [other, key.clone(), foreign]);
        fs::write(leftover(&own), b"secret").unwrap();
        assert!(create_private_file(&key, b"another").is_err(), "never overwritten");
        assert!(!leftover(&own).exists(), "nor left when the file is there already");
        assert_eq!(read_private_file(&key).unwrap().as_slice(), b"whole");
    }
}
