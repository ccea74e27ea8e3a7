use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_dataset::{Kind, Profile};
use sekisho_vault::{create_private_dir, create_private_file};

use crate::IngestError;

const FOLDER: &str = "id-spaces";
/// Between an id space and the number of parts its ids are made of. No name holds it.
const PARTS: char = '@';

/// The id spaces that sources were taken in under, and the number of parts their ids have
/// there: an empty file named after both for each, so that two ingests at a time cannot lose
/// each other's.
#[derive(Debug)]
pub(crate) struct IdSpaces {
    folder: PathBuf,
}

impl IdSpaces {
    pub(crate) fn of(zone: &Path) -> Self {
        Self { folder: zone.join(FOLDER) }
    }

    /// Remembers the id space of a profile.
    pub(crate) fn add(&self, profile: &Profile) -> Result<(), IngestError> {
        create_private_dir(&self.folder)?;
        for parts in id_parts(profile) {
            let path = self.folder.join(format!("{}{PARTS}{parts}", profile.id_space));
            let known = || self.known().map(|known| holds(&known, &profile.id_space, parts));
            match create_private_file(&path, b"") {
                // It is there already, maybe since a moment ago.
                Err(_) if known()? => {}
                made => made?,
            }
        }
        Ok(())
    }

    /// All of them, by name, each with the numbers of parts; none before the first source. Of
    /// one that an older program took in under no number is known.
    pub(crate) fn known(&self) -> Result<BTreeMap<String, BTreeSet<usize>>, IngestError> {
        let failed = |source| {
            let (path, doing) = (self.folder.clone(), "listing the id spaces");
            IngestError::Io { path, doing, source }
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            entries => entries.map_err(failed)?,
        };
        let mut known: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let (id_space, parts) = name.split_once(PARTS).unwrap_or((&name, ""));
            known.entry(id_space.to_owned()).or_default().extend(parts.parse::<usize>());
        }
        Ok(known)
    }
}

/// Of how many source columns the ids of a profile's tables are made.
pub(crate) fn id_parts(profile: &Profile) -> BTreeSet<usize> {
    let columns = profile.tables.iter().flat_map(|table| &table.columns);
    let patients = columns.filter(|column| column.kind == Kind::Patient);
    patients.map(|column| column.sources.len()).collect()
}

fn holds(known: &BTreeMap<String, BTreeSet<usize>>, id_space: &str, parts: usize) -> bool {
    known.get(id_space).is_some_and(|numbers| numbers.contains(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_spaces_are_known_from_the_first_source_on() {
        let zone = tempfile::tempdir().unwrap();
        let spaces = IdSpaces::of(zone.path());
        assert!(spaces.known().unwrap().is_empty());
        let mut profile = crate::ehr::profile().unwrap();
        for id_space in ["ward", "checkup", "ward"] {
            profile.id_space = id_space.to_owned();
            spaces.add(&profile).unwrap();
        }
        // As an older program left it.
        create_private_file(&zone.path().join(FOLDER).join("old"), b"").unwrap();
        let known =
            |name: &str, parts: &[usize]| (name.to_owned(), parts.iter().copied().collect());
        let all = [known("checkup", &[1]), known("old", &[]), known("ward", &[1])];
        assert_eq!(spaces.known().unwrap(), BTreeMap::from(all));
    }
}
