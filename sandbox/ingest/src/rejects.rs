//! Rows that could not be taken, kept for the steward who mends them: sealed, for they hold
//! identified data.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sekisho_vault::{Context, Key, VaultError, Zeroizing, create_private_dir, open, seal};
use serde::{Deserialize, Serialize};

use crate::{IngestError, SourceError};

const FOLDER: &str = "rejects";
const MAGIC: &[u8] = b"sekisho-rejects-v1\n";
/// Plaintext of one sealed part.
const PART_BYTES: usize = 256 * 1024;

/// The reject file of one ingest, written part by part.
pub(crate) struct Rejects {
    key: Key,
    name: String,
    path: PathBuf,
    file: File,
    buffer: Zeroizing<Vec<u8>>,
    parts: u64,
    pub(crate) rows: u64,
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
    /// Starts the file for one version, replacing that of an earlier attempt.
    pub(crate) fn create(zone: &Path, key: Key, name: &str) -> Result<Self, IngestError> {
        let folder = zone.join(FOLDER);
        create_private_dir(&folder)?;
        let path = folder.join(format!("{name}.sealed"));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut file = file.map_err(|source| io(&path, source))?;
        file.write_all(MAGIC).map_err(|source| io(&path, source))?;
        let buffer = Zeroizing::new(Vec::with_capacity(PART_BYTES + 4096));
        Ok(Self { key, name: name.to_owned(), path, file, buffer, parts: 0, rows: 0 })
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

    /// Seals what is left. A file without its last part is cut.
    pub(crate) fn finish(mut self) -> Result<PathBuf, IngestError> {
        self.part(true)?;
        self.file.sync_all().map_err(|source| io(&self.path, source))?;
        Ok(self.path)
    }

    fn part(&mut self, last: bool) -> Result<(), IngestError> {
        let sealed = seal(&self.key, &context(&self.name, self.parts, last), &self.buffer)?;
        self.parts += 1;
        self.buffer.clear();
        let size = u32::try_from(sealed.len()).map_err(|_| VaultError::TooLarge)?;
        let written = self.file.write_all(&size.to_be_bytes());
        written.and_then(|()| self.file.write_all(&sealed)).map_err(|source| io(&self.path, source))
    }
}

/// Opens a reject file; fails when it was cut, changed or renamed.
pub(crate) fn show(path: &Path, key: &Key) -> Result<Vec<RejectedRow>, IngestError> {
    let bytes = fs::read(path).map_err(|source| io(path, source))?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(VaultError::NotAnEnvelope)?;
    let (mut rows, mut part) = (Vec::new(), 0);
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        let (sealed, after) = after.split_at_checked(size).ok_or(VaultError::CannotOpen)?;
        let plain = open(key, &context(name, part, after.is_empty()), sealed)?;
        for line in plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            rows.push(serde_json::from_slice(line).map_err(|_| VaultError::CannotOpen)?);
        }
        (rest, part) = (after, part + 1);
    }
    if part == 0 || !rest.is_empty() { Err(VaultError::CannotOpen.into()) } else { Ok(rows) }
}

fn context(name: &str, part: u64, last: bool) -> Context {
    let place = if last { "last" } else { "more" };
    Context::new("sekisho.rejects.v1").text(name).number(part).text(place)
}

fn io(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "using the reject file", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_rows_come_back_and_cut_or_renamed_files_do_not() {
        let (zone, key) = (tempfile::tempdir().unwrap(), Key::generate().unwrap());
        let mut rejects = Rejects::create(zone.path(), key.clone(), "small-v1").unwrap();
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
}
