//! What an ingest leaves of the tables it has finished, so that one that is killed can be gone
//! on with: a file of the identified zone, sealed, written anew after each table.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho_dataset::{KeptTable, Manifest, ProcessingNote, Provenance, SealedVersion, SourceNote};
use sekisho_vault::{Key, VaultError, Zeroizing, create_private_dir};
use serde::{Deserialize, Serialize};

use crate::intake::Gate;
use crate::parts::{self, Kind, Parts};
use crate::rejects::RejectsMark;
use crate::{IdentifiedZone, IngestError, PatientTokens, Totals, lock};

const FOLDER: &str = "resume";
const KIND: Kind = Kind { magic: "sekisho-resume-v2\n", purpose: "sekisho.resume.v2" };
/// Persons of one sealed part: about a megabyte.
const PART_PERSONS: usize = 60_000;

/// What everything was made of, by name: digests, under the zone's key where they are of
/// something about persons.
pub(super) type Inputs = BTreeMap<String, String>;

/// The journal of one data set, under its lock: the zone has one journal and one reject file
/// in writing for a data set, whatever folder its versions go to.
pub(super) struct Journal<'a> {
    zone: &'a IdentifiedZone,
    dataset: &'a str,
    _lock: File,
}

/// All that is written but the persons: counts, hashes, and keys that the zone's key or the
/// receiver's opens.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) version: String,
    /// When the first attempt was begun: the day that notices are counted to.
    pub(super) begun_at: Timestamp,
    pub(super) inputs: Inputs,
    pub(super) tables: Vec<DoneTable>,
    pub(super) kept: Vec<KeptTable>,
    /// Rows a deletion request kept out, by its reference.
    pub(super) effects: BTreeMap<String, u64>,
    pub(super) rejects: Option<RejectsMark>,
}

impl Record {
    /// Whether this version was made by it.
    pub(super) fn made(&self, manifest: &Manifest) -> bool {
        let Provenance { sealed_at, sources, .. } = &manifest.provenance;
        let own = self.tables.iter().map(|table| &table.source);
        *sealed_at == self.begun_at.to_string() && sources.iter().eq(own)
    }
}

/// What is to be said of a table that is read and sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoneTable {
    pub(super) totals: Totals,
    pub(super) source: SourceNote,
    pub(super) note: ProcessingNote,
}

/// An ingest that was begun and not ended.
pub(super) struct Begun {
    pub(super) record: Record,
    pub(super) persons: Vec<Person>,
    /// The version, when it had its name already.
    pub(super) published: Option<SealedVersion>,
}

/// A person met, by token.
pub(super) struct Person {
    pub(super) token: u64,
    /// The next 64 bits, which tell two persons with one token apart.
    pub(super) check: u64,
    /// Has rows in a sealed table.
    pub(super) sealed: bool,
    /// Stayed out.
    pub(super) excluded: bool,
}

impl<'a> Journal<'a> {
    /// Takes the lock, for as long as the ingest goes on.
    ///
    /// # Errors
    /// [`IngestError::Busy`] when another ingest has it.
    pub(super) fn lock(zone: &'a IdentifiedZone, dataset: &'a str) -> Result<Self, IngestError> {
        let folder = zone.folder().join(FOLDER);
        create_private_dir(&folder)?;
        let lock = lock::try_for(&folder.join(format!("{dataset}.lock")))?;
        let busy = || IngestError::Busy { dataset: dataset.to_owned() };
        Ok(Self { zone, dataset, _lock: lock.ok_or_else(busy)? })
    }

    /// What was left; `None` when nothing was.
    pub(super) fn read(&self) -> Result<Option<Begun>, IngestError> {
        let path = self.path();
        if fs::symlink_metadata(&path).is_err() {
            return Ok(None);
        }
        let (mut record, mut persons) = (None, Vec::new());
        let read = parts::read(KIND, &path, self.key(), self.dataset, |part, plain| {
            if part == 0 {
                record = serde_json::from_slice(plain).ok();
            } else {
                persons.extend(plain.as_chunks().0.iter().map(Person::of));
            }
            Ok(())
        });
        match (read, record) {
            (Ok(()), Some(record)) => Ok(Some(Begun { record, persons, published: None })),
            (Err(error @ IngestError::Io { .. }), _) => Err(error),
            _ => Err(IngestError::ResumeTampered { file: path }),
        }
    }

    /// Writes it anew, whole or not at all. `patients` are those in sealed tables, in order.
    pub(super) fn write(
        &self,
        record: &Record,
        tokens: &PatientTokens,
        gate: &Gate,
        patients: &[u64],
    ) -> Result<(), IngestError> {
        let (path, folder) = (self.path(), self.zone.folder().join(FOLDER));
        let new = path.with_extension("new");
        let mut file = Parts::create(KIND, &new, self.key().clone(), self.dataset)?;
        let record = Zeroizing::new(serde_json::to_vec(record).map_err(|_| VaultError::TooLarge)?);
        file.push(&record, false)?;
        let mut part = Zeroizing::new(Vec::with_capacity(PART_PERSONS * Person::BYTES));
        for (token, check) in tokens.seen() {
            let sealed = patients.binary_search(&token).is_ok();
            let excluded = gate.has_excluded(token);
            part.extend_from_slice(&Person { token, check, sealed, excluded }.bytes());
            if part.len() == PART_PERSONS * Person::BYTES {
                file.push(&part, false)?;
                part.clear();
            }
        }
        file.push(&part, true)?;
        file.mark()?;
        let renamed = fs::rename(&new, &path).and_then(|()| File::open(&folder)?.sync_all());
        renamed.map_err(|source| failed(&path, source))
    }

    /// There is nothing to go on with any more.
    pub(super) fn remove(&self) -> Result<(), IngestError> {
        let path = self.path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&path, error)),
            _ => Ok(()),
        }
    }

    /// The data set it is of.
    pub(super) fn dataset(&self) -> &str {
        self.dataset
    }

    /// Opens what the journal keeps of keys.
    pub(super) fn key(&self) -> &Key {
        self.zone.sealing()
    }

    fn path(&self) -> PathBuf {
        self.zone.folder().join(FOLDER).join(format!("{}.sealed", self.dataset))
    }
}

impl Person {
    const BYTES: usize = 17;

    fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (token, rest) = bytes.split_at_mut(8);
        let (check, flags) = rest.split_at_mut(8);
        token.copy_from_slice(&self.token.to_be_bytes());
        check.copy_from_slice(&self.check.to_be_bytes());
        flags.fill(u8::from(self.sealed) | u8::from(self.excluded) << 1);
        bytes
    }

    fn of(bytes: &[u8; Self::BYTES]) -> Self {
        let number =
            |bytes: &[u8]| bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        let (numbers, flags) = bytes.split_at(16);
        let (token, check) = numbers.split_at(8);
        let flag = |bit: u8| flags.iter().any(|flags| flags & bit > 0);
        Self { token: number(token), check: number(check), sealed: flag(1), excluded: flag(2) }
    }
}

fn failed(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "writing the journal", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_read_as_they_were_written() {
        for (sealed, excluded) in [(false, false), (true, false), (false, true), (true, true)] {
            let person = Person { token: u64::MAX - 7, check: 1 << 40 | 3, sealed, excluded };
            let back = Person::of(&person.bytes());
            assert_eq!((back.token, back.check), (person.token, person.check));
            assert_eq!((back.sealed, back.excluded), (sealed, excluded));
        }
    }
}
