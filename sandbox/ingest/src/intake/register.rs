use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sekisho_vault::{
    Context, Key, VaultError, create_private_file, open, replace_private_file, seal,
};
use serde::{Deserialize, Serialize};

use super::{DeletionNote, IntakeReport};
use crate::{IngestError, Pseudonyms, lock};

const FILE: &str = "deletions.sealed";
const LOCK: &str = "deletions.lock";

/// The deletion requests of a register (OP-2), as they were when it was read. Ids rest in it
/// as keyed tokens only.
#[derive(Debug)]
pub struct Deletions {
    requests: Vec<DeletionRequest>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionRequest {
    /// The id space it is about.
    pub id_space: String,
    /// The person's token.
    pub token: u64,
    /// The steward's reference, such as a case number.
    pub reference: String,
    /// When it was received, `YYYY-MM-DD`.
    pub received_on: String,
}

impl Deletions {
    /// Makes the empty register of a zone.
    ///
    /// # Errors
    /// [`VaultError`] when it has one, which is kept.
    pub(crate) fn create(zone: &Path, key: &Key) -> Result<(), IngestError> {
        Ok(create_private_file(&zone.join(FILE), &sealed(key, &[])?)?)
    }

    /// Whether a zone has a register.
    pub(crate) fn exists(zone: &Path) -> bool {
        fs::symlink_metadata(zone.join(FILE)).is_ok()
    }

    /// Reads the register of a zone. Every zone has one, from its first day on.
    pub(crate) fn open(zone: &Path, key: &Key) -> Result<Self, IngestError> {
        let path = zone.join(FILE);
        // Not as a secret is read: those are small, and a register grows.
        let sealed = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => IngestError::RegisterMissing { file: path.clone() },
            _ => IngestError::Io { path: path.clone(), doing: "reading the register", source },
        })?;
        let plain = open(key, &context(), &sealed)?;
        let requests = serde_json::from_slice(&plain).map_err(|_| VaultError::CannotOpen)?;
        Ok(Self { requests })
    }

    /// All requests, in the order they were recorded.
    #[must_use]
    pub fn requests(&self) -> &[DeletionRequest] {
        &self.requests
    }

    /// Those about persons of one id space.
    pub(crate) fn of(&self, id_space: &str) -> impl Iterator<Item = &DeletionRequest> {
        self.requests.iter().filter(move |request| request.id_space == id_space)
    }

    /// Refuses a register that lacks requests which reports beside earlier versions of a data
    /// set say were joined: one that was put back from before them. Nothing is taken from it
    /// in any other way, so it begins with what each report names of its id space.
    ///
    /// # Errors
    /// [`IngestError::RegisterRolledBack`].
    pub(crate) fn check_begins_as_in(
        &self,
        reports: &[(PathBuf, IntakeReport)],
    ) -> Result<(), IngestError> {
        for (file, report) in reports {
            let mut here = self.of(&report.id_space);
            let same = |note: &DeletionNote| {
                here.next().is_some_and(|request| {
                    (&request.reference, &request.received_on)
                        == (&note.reference, &note.received_on)
                })
            };
            if !report.deletions.iter().all(same) {
                return Err(IngestError::RegisterRolledBack { report: file.clone() });
            }
        }
        Ok(())
    }

    /// What the requests of an id space come to, under its key.
    pub(crate) fn keyed_digest(&self, names: &Pseudonyms) -> String {
        let mut all = Context::new("sekisho.deletion-requests");
        for request in self.of(names.space()) {
            all = all.number(request.token).text(&request.reference).text(&request.received_on);
        }
        names.keyed_digest(all.encode())
    }
}

/// The register while nobody else can change it: requests recorded at the same time wait for
/// each other.
#[derive(Debug)]
pub(crate) struct Register {
    path: PathBuf,
    key: Key,
    deletions: Deletions,
    _lock: File,
}

impl Register {
    /// Takes the register's lock, waiting for it, and reads it.
    pub(crate) fn lock(zone: &Path, key: Key) -> Result<Self, IngestError> {
        let lock = lock::wait_for(&zone.join(LOCK))?;
        let deletions = Deletions::open(zone, &key)?;
        Ok(Self { path: zone.join(FILE), key, deletions, _lock: lock })
    }

    /// What it holds.
    pub(crate) fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    /// Records a request and writes the register anew, whole or not at all. Once this returns
    /// the request outlives a loss of power.
    pub(crate) fn add(
        &mut self,
        names: &Pseudonyms,
        id: &[u8],
        reference: &str,
        received_on: &str,
    ) -> Result<(), IngestError> {
        let request = DeletionRequest {
            id_space: names.space().to_owned(),
            token: names.person(id).0,
            reference: reference.to_owned(),
            received_on: received_on.to_owned(),
        };
        let requests = &mut self.deletions.requests;
        if requests.contains(&request) {
            return Ok(());
        }
        requests.push(request);
        Ok(replace_private_file(&self.path, &sealed(&self.key, requests)?)?)
    }
}

fn sealed(key: &Key, requests: &[DeletionRequest]) -> Result<Vec<u8>, IngestError> {
    // Our own structs always serialise; an empty text would not open again.
    let plain = serde_json::to_vec(requests).unwrap_or_default();
    Ok(seal(key, &context(), &plain)?)
}

fn context() -> Context {
    Context::new("sekisho.deletion-register.v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_2_a_register_of_many_requests_opens_again() {
        let zone = tempfile::tempdir().unwrap();
        let (key, names) =
            (Key::generate().unwrap(), Pseudonyms::new(Key::generate().unwrap(), "s"));
        Deletions::create(zone.path(), &key).unwrap();
        let mut register = Register::lock(zone.path(), key.clone()).unwrap();
        register.add(&names, b"0", "D-0", "2026-11-01").unwrap();
        let first = register.deletions.requests[0].clone();
        let many = (1..10_000).map(|token| DeletionRequest { token, ..first.clone() });
        register.deletions.requests.extend(many);
        register.add(&names, b"1", "D-1", "2026-11-01").unwrap();
        assert_eq!(Deletions::open(zone.path(), &key).unwrap().requests().len(), 10_001);
    }

    #[test]
    fn op_2_requests_rest_sealed_and_without_ids() {
        let zone = tempfile::tempdir().unwrap();
        let (key, names) =
            (Key::generate().unwrap(), Pseudonyms::new(Key::generate().unwrap(), "s"));
        Deletions::create(zone.path(), &key).unwrap();
        let mut register = Register::lock(zone.path(), key.clone()).unwrap();
        register.add(&names, b"0001234567", "D-1", "2026-11-01").unwrap();
        register.add(&names, b"0001234567", "D-1", "2026-11-01").unwrap();
        let bytes = fs::read(zone.path().join(FILE)).unwrap();
        assert!(!bytes.windows(3).any(|part| part == b"D-1"));
        let again = Deletions::open(zone.path(), &key).unwrap();
        assert_eq!(again.requests().len(), 1);
        assert!(!serde_json::to_string(again.requests()).unwrap().contains("0001234567"));
        assert!(Deletions::open(zone.path(), &Key::generate().unwrap()).is_err());
    }

    #[test]
    fn op_2_requests_recorded_at_the_same_time_are_all_kept() {
        let zone = tempfile::tempdir().unwrap();
        let (key, names) =
            (Key::generate().unwrap(), Pseudonyms::new(Key::generate().unwrap(), "s"));
        Deletions::create(zone.path(), &key).unwrap();
        let record = |id: String| {
            let mut register = Register::lock(zone.path(), key.clone()).unwrap();
            register.add(&names, id.as_bytes(), &id, "2026-11-01").unwrap();
        };
        std::thread::scope(|scope| {
            for steward in 0..4 {
                let record = &record;
                scope.spawn(move || {
                    (0..25).for_each(|number| record(format!("D-{steward}-{number}")));
                });
            }
        });
        assert_eq!(Deletions::open(zone.path(), &key).unwrap().requests().len(), 100);
    }
}
