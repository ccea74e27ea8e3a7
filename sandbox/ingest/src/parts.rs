//! Files of the identified zone that grow part by part, each part sealed with the hash of
//! everything before it and whether it is the last: a file that was cut, changed, renamed or
//! put together of others does not open. Of two files of one name no part fits into the other,
//! for the first of each is sealed under a nonce of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sekisho_vault::{Context, Key, VaultError, open, seal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::IngestError;

/// What such a file is for.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// First line.
    pub(crate) magic: &'static str,
    /// Purpose its parts are sealed for.
    pub(crate) purpose: &'static str,
}

/// One being written.
pub(crate) struct Parts {
    kind: Kind,
    key: Key,
    name: String,
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
}

/// How far a file had been written, to go on from there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    bytes: u64,
    sha256: String,
}

impl Parts {
    /// Starts a file, replacing what stands there. `name` is what its parts are bound to.
    pub(crate) fn create(
        kind: Kind,
        path: &Path,
        key: Key,
        name: &str,
    ) -> Result<Self, IngestError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(|source| failed(path, source))?;
        let (path, name) = (path.to_owned(), name.to_owned());
        let (hash, bytes) = (Sha256::new(), 0);
        let mut this = Self { kind, key, name, path, file, hash, bytes };
        this.write(kind.magic.as_bytes())?;
        Ok(this)
    }

    /// Goes on after a mark; what was written later is cut off. Parts get fresh nonces.
    pub(crate) fn go_on(
        kind: Kind,
        path: &Path,
        key: Key,
        name: &str,
        mark: &Mark,
    ) -> Result<Self, IngestError> {
        let tampered = || IngestError::ResumeTampered { file: path.to_owned() };
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(tampered()),
            file => file.map_err(|source| failed(path, source))?,
        };
        let hash = hash_of((&file).take(mark.bytes)).map_err(|source| failed(path, source))?;
        // A file that is shorter has another hash.
        if hex::encode(hash.clone().finalize()) != mark.sha256 {
            return Err(tampered());
        }
        let cut = file.set_len(mark.bytes).and_then(|()| file.seek(SeekFrom::Start(mark.bytes)));
        cut.map_err(|source| failed(path, source))?;
        let (path, name) = (path.to_owned(), name.to_owned());
        Ok(Self { kind, key, name, path, file, hash, bytes: mark.bytes })
    }

    /// Seals one part.
    pub(crate) fn push(&mut self, plain: &[u8], last: bool) -> Result<(), IngestError> {
        let context = context(self.kind, &self.name, &self.hash, last);
        let sealed = seal(&self.key, &context, plain)?;
        let size = u32::try_from(sealed.len()).map_err(|_| VaultError::TooLarge)?;
        self.write(&size.to_be_bytes())?;
        self.write(&sealed)
    }

    /// Flushes to disk and says how far the file is written.
    pub(crate) fn mark(&self) -> Result<Mark, IngestError> {
        self.file.sync_all().map_err(|source| failed(&self.path, source))?;
        let sha256 = hex::encode(self.hash.clone().finalize());
        Ok(Mark { bytes: self.bytes, sha256 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), IngestError> {
        self.file.write_all(bytes).map_err(|source| failed(&self.path, source))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Opens a whole file, part by part.
pub(crate) fn read(
    kind: Kind,
    path: &Path,
    key: &Key,
    name: &str,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let file = File::open(path).map_err(|source| failed(path, source))?;
    let mut left = file.metadata().map_err(|source| failed(path, source))?.len();
    let mut file = BufReader::new(file);
    let mut bytes = |size: u64, error: VaultError| {
        left = left.checked_sub(size).ok_or(error)?;
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| VaultError::TooLarge)?];
        file.read_exact(&mut bytes).map_err(|source| failed(path, source))?;
        Ok::<_, IngestError>((bytes, left))
    };
    let (magic, mut left) = bytes(kind.magic.len() as u64, VaultError::NotAnEnvelope)?;
    if magic != kind.magic.as_bytes() {
        return Err(VaultError::NotAnEnvelope.into());
    }
    let (mut hash, mut part) = (Sha256::new_with_prefix(magic), 0);
    while part == 0 || left > 0 {
        let (prefix, _) = bytes(4, VaultError::CannotOpen)?;
        let size = prefix.as_slice().try_into().map_err(|_| VaultError::CannotOpen)?;
        let (sealed, after) = bytes(u64::from(u32::from_be_bytes(size)), VaultError::CannotOpen)?;
        take(part, &open(key, &context(kind, name, &hash, after == 0), &sealed)?)?;
        hash.update(prefix);
        hash.update(sealed);
        (left, part) = (after, part + 1);
    }
    Ok(())
}

fn hash_of(mut from: impl io::Read) -> io::Result<Sha256> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let read = from.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(chunk) if read > 0 => hash.update(chunk),
            _ => return Ok(hash),
        }
    }
}

fn context(kind: Kind, name: &str, before: &Sha256, last: bool) -> Context {
    let place = if last { "last" } else { "more" };
    Context::new(kind.purpose).text(name).bytes(&before.clone().finalize()).text(place)
}

fn failed(path: &Path, source: io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "using the sealed file", source }
}
