use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_vault::{create_private_dir, create_private_file};

use crate::IngestError;

const FOLDER: &str = "id-spaces";

/// The id spaces that sources were taken in under: an empty file of that name for each, so
/// that two ingests at a time cannot lose each other's.
#[derive(Debug)]
pub(crate) struct IdSpaces {
    folder: PathBuf,
}

impl IdSpaces {
    pub(crate) fn of(zone: &Path) -> Self {
        Self { folder: zone.join(FOLDER) }
    }

    /// Remembers the id space of a profile.
    pub(crate) fn add(&self, id_space: &str) -> Result<(), IngestError> {
        create_private_dir(&self.folder)?;
        match create_private_file(&self.folder.join(id_space), b"") {
            // It is there already, maybe since a moment ago.
            Err(_) if self.known()?.contains(id_space) => Ok(()),
            made => Ok(made?),
        }
    }

    /// All of them, by name; none before the first source.
    pub(crate) fn known(&self) -> Result<BTreeSet<String>, IngestError> {
        let failed = |source| {
            let (path, doing) = (self.folder.clone(), "listing the id spaces");
            IngestError::Io { path, doing, source }
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BTreeSet::new());
            }
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_, _>>().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_spaces_are_known_from_the_first_source_on() {
        let zone = tempfile::tempdir().unwrap();
        let spaces = IdSpaces::of(zone.path());
        assert!(spaces.known().unwrap().is_empty());
        for id_space in ["ward", "checkup", "ward"] {
            spaces.add(id_space).unwrap();
        }
        assert_eq!(spaces.known().unwrap().into_iter().collect::<Vec<_>>(), ["checkup", "ward"]);
    }
}
