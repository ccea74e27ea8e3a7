//! Rows that could not be taken, kept for the steward who mends them: sealed, for they hold
//! identified data.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sekisho_vault::{Key, VaultError, Zeroizing, create_private_dir};
use serde::{Deserialize, Serialize};

use crate::parts::{self, Kind, Mark, Parts};
use crate::{IngestError, SourceError};

const FOLDER: &str = "rejects";
const KIND: Kind = Kind { magic: "sekisho-rejects-v2\n", purpose: "sekisho.rejects.v2" };
/// Plaintext of one sealed part.
const PART_BYTES: usize = 256 * 1024;

/// The reject file of one ingest, written part by part. It gets its name when its version does:
/// that of a version that exists is never written over.
pub(crate) struct Rejects {
    parts: Parts,
    folder: PathBuf,
    name: String,
    buffer: Zeroizing<Vec<u8>>,
    pub(crate) rows: u64,
}

/// How far it had been written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectsMark {
    name: String,
    parts: Mark,
    rows: u64,
}

/// One rejected row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The table.
    pub table: String,
    /// Line in the source, counted from 1.
    pub line: u64,
    /// What is wrong: code, column, reason.
    pub errors: Vec<(String, String, String)>,
    /// The row's fields as read, none when it could not be split into fields; before them,
    /// of a row that is a file of its own, that file's path in its folder.
    pub fields: Vec<String>,
}

impl Rejects {
    /// Starts the file for one version. Data sets under several roots may have versions of one
    /// name; the file of the second then gets a number.
    pub(crate) fn create(
        zone: &Path,
        key: Key,
        dataset: &str,
        version: &str,
    ) -> Result<Self, IngestError> {
        let folder = folder(zone)?;
        let numbers = std::iter::once(String::new()).chain((2..).map(|next| format!("-{next}")));
        let mut names = numbers.map(|number| format!("{dataset}-{version}{number}"));
        let name = names.find(|name| !exists(&finished(&folder, name))).unwrap_or_default();
        let parts = Parts::create(KIND, &unfinished(&folder, dataset), key, &name)?;
        Ok(Self::of(parts, folder, name, 0))
    }

    /// Goes on with the file of an attempt that was killed.
    pub(crate) fn go_on(
        zone: &Path,
        key: Key,
        dataset: &str,
        mark: &RejectsMark,
    ) -> Result<Self, IngestError> {
        let folder = folder(zone)?;
        let (path, named) = (unfinished(&folder, dataset), finished(&folder, &mark.name));
        if !exists(&path) && exists(&named) {
            // Killed after this got its name and before its version did.
            fs::rename(&named, &path).map_err(|source| failed(&named, source))?;
        }
        let parts = Parts::go_on(KIND, &path, key, &mark.name, &mark.parts)?;
        Ok(Self::of(parts, folder, mark.name.clone(), mark.rows))
    }

    fn of(parts: Parts, folder: PathBuf, name: String, rows: u64) -> Self {
        let buffer = Zeroizing::new(Vec::with_capacity(PART_BYTES + 4096));
        Self { parts, folder, name, buffer, rows }
    }

    pub(crate) fn add(
        &mut self,
        table: &str,
        line: u64,
        errors: &[SourceError],
        fields: &[&str],
    ) -> Result<(), IngestError> {
        let errors = errors.iter();
        let row = RejectedRow {
            table: table.to_owned(),
            line,
            errors: errors
                .map(|error| (error.code.to_owned(), error.column.clone(), error.reason.clone()))
                .collect(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&row).unwrap_or_default());
        if !self.buffer.is_empty() && self.buffer.len() + json.len() >= PART_BYTES {
            self.part(false)?;
        }
        self.buffer.extend_from_slice(&json);
        self.buffer.push(b'\n');
        self.rows += 1;
        Ok(())
    }

    /// Seals and flushes what there is so far.
    pub(crate) fn mark(&mut self) -> Result<RejectsMark, IngestError> {
        if !self.buffer.is_empty() {
            self.part(false)?;
        }
        Ok(RejectsMark { name: self.name.clone(), parts: self.parts.mark()?, rows: self.rows })
    }

    /// Seals what is left, and gives the file its name. One without its last part is cut.
    pub(crate) fn finish(mut self) -> Result<PathBuf, IngestError> {
        self.part(true)?;
        self.parts.mark()?;
        let named = finished(&self.folder, &self.name);
        // The name was free when this was begun, and the data set's lock is held since.
        let renamed = fs::rename(self.parts.path(), &named);
        let flushed = renamed.and_then(|()| File::open(&self.folder)?.sync_all());
        flushed.map_err(|source| failed(&named, source))?;
        Ok(named)
    }

    fn part(&mut self, last: bool) -> Result<(), IngestError> {
        self.parts.push(&self.buffer, last)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Opens a reject file; fails when it was cut, changed or renamed.
pub(crate) fn show(path: &Path, key: &Key) -> Result<Vec<RejectedRow>, IngestError> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let mut rows = Vec::new();
    parts::read(KIND, path, key, name, |_, plain| {
        for line in plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            rows.push(serde_json::from_slice(line).map_err(|_| VaultError::CannotOpen)?);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The file of a version that has its name; `None` when no row was rejected.
pub(crate) fn of_version(zone: &Path, mark: &RejectsMark) -> Option<PathBuf> {
    (mark.rows > 0).then(|| finished(&zone.join(FOLDER), &mark.name))
}

/// Removes what an ingest left that published nothing.
pub(crate) fn remove_unfinished(zone: &Path, dataset: &str) -> Result<(), IngestError> {
    let path = unfinished(&zone.join(FOLDER), dataset);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, error)),
        _ => Ok(()),
    }
}

fn folder(zone: &Path) -> Result<PathBuf, IngestError> {
    let folder = zone.join(FOLDER);
    create_private_dir(&folder)?;
    Ok(folder)
}

/// The file while it is written: one for a data set at most.
fn unfinished(folder: &Path, dataset: &str) -> PathBuf {
    folder.join(format!("{dataset}.part"))
}

fn finished(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sealed"))
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn failed(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "keeping rejected rows", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &str = KIND.magic;

    #[test]
    fn rejected_rows_come_back_and_cut_or_renamed_files_do_not() {
        let (zone, key) = (tempfile::tempdir().unwrap(), Key::generate().unwrap());
        let mut rejects = Rejects::create(zone.path(), key.clone(), "small", "v1").unwrap();
        let error = SourceError {
            code: "source.bad_date",
            line: 7,
            column: "seen".to_owned(),
            reason: "not a date".to_owned(),
        };
        for line in 0..2000 {
            let long = "内閣花子".repeat(20);
            rejects.add("visits", line, std::slice::from_ref(&error), &[&long, "x"]).unwrap();
        }
        let path = rejects.finish().unwrap();
        let rows = show(&path, &key).unwrap();
        assert_eq!((rows.len(), rows[1999].line), (2000, 1999));
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(12).any(|part| part == "内閣花子".as_bytes()));
        assert!(show(&path, &Key::generate().unwrap()).is_err());
        let other = path.with_file_name("small-v2.sealed");
        fs::write(&other, &bytes).unwrap();
        assert!(show(&other, &key).is_err(), "bound to its version");
        let first = u32::from_be_bytes(bytes[MAGIC.len()..MAGIC.len() + 4].try_into().unwrap());
        for cut in [MAGIC.len(), MAGIC.len() + 4 + first as usize, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert!(show(&path, &key).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_file_of_a_version_is_never_written_over() {
        let (zone, key) = (tempfile::tempdir().unwrap(), Key::generate().unwrap());
        let write = |line| {
            let mut rejects = Rejects::create(zone.path(), key.clone(), "small", "v1").unwrap();
            rejects.add("visits", line, &[], &["x"]).unwrap();
            rejects
        };
        let [first, second] = [1, 2].map(|line| write(line).finish().unwrap());
        let lines = |path: &Path| show(path, &key).unwrap()[0].line;
        assert_eq!((lines(&first), lines(&second)), (1, 2));
        // One that is not finished leaves no file under a name.
        drop(write(3));
        remove_unfinished(zone.path(), "small").unwrap();
        assert_eq!(fs::read_dir(first.parent().unwrap()).unwrap().count(), 2);
    }
}
