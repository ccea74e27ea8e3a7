use std::fs;
use std::path::{Path, PathBuf};

use sekisho_vault::{Context, Key, VaultError, create_private_file, open, seal};
use serde::{Deserialize, Serialize};

use crate::{IngestError, Pseudonyms};

const FILE: &str = "deletions.sealed";

/// The register of deletion requests (OP-2), sealed in the identified zone. Ids rest in it
/// as keyed tokens only.
#[derive(Debug)]
pub struct Deletions {
    path: PathBuf,
    key: Key,
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
    /// Opens the register of a zone; a zone without one has no requests yet.
    pub(crate) fn open(zone: &Path, key: Key) -> Result<Self, IngestError> {
        let path = zone.join(FILE);
        let requests = if fs::symlink_metadata(&path).is_ok() {
            // Not as a secret is read: those are small, and a register grows.
            let sealed = fs::read(&path).map_err(|source| IngestError::Io {
                path: path.clone(),
                doing: "reading the register",
                source,
            })?;
            let plain = open(&key, &context(), &sealed)?;
            serde_json::from_slice(&plain).map_err(|_| VaultError::CannotOpen)?
        } else {
            Vec::new()
        };
        Ok(Self { path, key, requests })
    }

    /// All requests, in the order they were recorded.
    #[must_use]
    pub fn requests(&self) -> &[DeletionRequest] {
        &self.requests
    }

    /// What the requests of an id space come to, under its key.
    pub(crate) fn keyed_digest(&self, names: &Pseudonyms) -> String {
        let mut all = Context::new("sekisho.deletion-requests");
        for request in self.requests.iter().filter(|request| request.id_space == names.space()) {
            all = all.number(request.token).text(&request.reference).text(&request.received_on);
        }
        names.keyed_digest(all.encode())
    }

    /// Records a request and writes the register anew, whole or not at all.
    pub fn add(
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
        if self.requests.contains(&request) {
            return Ok(());
        }
        self.requests.push(request);
        // Our own structs always serialise; an empty text would not open again.
        let plain = serde_json::to_vec(&self.requests).unwrap_or_default();
        let sealed = seal(&self.key, &context(), &plain)?;
        let new = self.path.with_extension("new");
        if fs::symlink_metadata(&new).is_ok() {
            fs::remove_file(&new).map_err(|source| io(&new, source))?;
        }
        create_private_file(&new, &sealed)?;
        fs::rename(&new, &self.path).map_err(|source| io(&self.path, source))
    }
}

fn context() -> Context {
    Context::new("sekisho.deletion-register.v1")
}

fn io(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "writing the register", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_2_a_register_of_many_requests_opens_again() {
        let zone = tempfile::tempdir().unwrap();
        let (key, names) =
            (Key::generate().unwrap(), Pseudonyms::new(Key::generate().unwrap(), "s"));
        let mut register = Deletions::open(zone.path(), key.clone()).unwrap();
        register.add(&names, b"0", "D-0", "2026-11-01").unwrap();
        let first = register.requests[0].clone();
        let many = (1..10_000).map(|token| DeletionRequest { token, ..first.clone() });
        register.requests.extend(many);
        register.add(&names, b"1", "D-1", "2026-11-01").unwrap();
        assert_eq!(Deletions::open(zone.path(), key).unwrap().requests().len(), 10_001);
    }

    #[test]
    fn op_2_requests_rest_sealed_and_without_ids() {
        let zone = tempfile::tempdir().unwrap();
        let (key, names) =
            (Key::generate().unwrap(), Pseudonyms::new(Key::generate().unwrap(), "s"));
        let mut register = Deletions::open(zone.path(), key.clone()).unwrap();
        register.add(&names, b"0001234567", "D-1", "2026-11-01").unwrap();
        register.add(&names, b"0001234567", "D-1", "2026-11-01").unwrap();
        let bytes = fs::read(zone.path().join(FILE)).unwrap();
        assert!(!bytes.windows(3).any(|part| part == b"D-1"));
        let again = Deletions::open(zone.path(), key).unwrap();
        assert_eq!(again.requests().len(), 1);
        assert!(!serde_json::to_string(again.requests()).unwrap().contains("0001234567"));
        assert!(Deletions::open(zone.path(), Key::generate().unwrap()).is_err());
    }
}
