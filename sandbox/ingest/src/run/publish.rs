use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, UInt64Array};
use arrow::datatypes::UInt64Type;
use sekisho_dataset::{
    CatalogueEntry, FileCheck, Profile, Sealed, SealedVersion, UniquenessNote, Unpublished,
    read_batches,
};
use serde::Serialize;

use super::Ingest;
use crate::intake::{Gate, Register};
use crate::rejects::Rejects;
use crate::whole::write_whole;
use crate::{DeletionNote, Deletions, IngestError, IntakeReport, ListNote, TableTotals, Totals};

/// A version made: what a steward needs to list it in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Id of the data set.
    pub dataset: String,
    /// Version, such as `v1`.
    pub version: String,
    /// SHA-256 of the signed manifest, in hexadecimal.
    pub manifest_sha256: String,
    /// Folder of the version.
    pub folder: PathBuf,
    /// File with the catalogue entry (JSON).
    pub catalogue: PathBuf,
    /// Distinct patients.
    pub patients: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Where the rows of each source went.
    pub totals: BTreeMap<String, Totals>,
    /// What was said of the lists of persons, when there was a source.
    pub lists: Vec<ListNote>,
    /// How unique persons are, by table with quasi-identifiers.
    pub uniqueness: BTreeMap<String, UniquenessNote>,
    /// The signed intake report, when there was a source.
    pub report: Option<PathBuf>,
    /// The sealed reject file, when rows were rejected.
    pub rejects: Option<PathBuf>,
    /// Tables that an attempt before this one had finished.
    pub resumed: Vec<String>,
}

/// What was said of persons before anything was read of them.
pub(super) struct Said {
    pub(super) lists: Vec<ListNote>,
    pub(super) notice_days: u32,
    pub(super) deletions: Deletions,
}

/// What became of the sources of one ingest.
pub(super) struct Taken {
    pub(super) gate: Gate,
    pub(super) said: Said,
    pub(super) totals: BTreeMap<String, Totals>,
    pub(super) rejects: Option<Rejects>,
    pub(super) resumed: Vec<String>,
}

/// A version that has its name, and what is to be told of its making.
pub(super) struct Published {
    sealed: Sealed,
    told: Told,
}

/// Nothing, when there was no source.
#[derive(Default)]
pub(super) struct Told {
    pub(super) totals: BTreeMap<String, Totals>,
    pub(super) lists: Vec<ListNote>,
    pub(super) report: Option<PathBuf>,
    pub(super) rejects: Option<PathBuf>,
    pub(super) resumed: Vec<String>,
}

impl Published {
    /// One that is found under its name.
    pub(super) fn found(version: &SealedVersion, told: Told) -> Self {
        let (folder, manifest) = (version.folder().to_owned(), version.manifest().clone());
        let catalogue = version.catalogue_entry();
        Self { sealed: Sealed { folder, manifest, catalogue }, told }
    }

    /// Writes the catalogue entry and tells of everything.
    pub(super) fn list(self) -> Result<Summary, IngestError> {
        let Self { sealed, told } = self;
        let catalogue = write_catalogue(&sealed.folder, &sealed.catalogue)?;
        let tables = sealed.manifest.tables.iter();
        Ok(Summary {
            rows: tables.clone().map(|table| (table.name.clone(), table.rows)).collect(),
            uniqueness: tables
                .filter_map(|table| Some((table.name.clone(), table.uniqueness?)))
                .collect(),
            dataset: sealed.manifest.dataset.clone(),
            version: sealed.manifest.version.clone(),
            manifest_sha256: sealed.catalogue.manifest_sha256.clone(),
            patients: sealed.manifest.patients,
            folder: sealed.folder,
            catalogue,
            totals: told.totals,
            lists: told.lists,
            report: told.report,
            rejects: told.rejects,
            resumed: told.resumed,
        })
    }
}

impl Ingest<'_> {
    /// Publishes a version that was sealed. What came from a source is first read back from
    /// the disk and held against the lists, and the report of that is signed (OP-1): there is
    /// no moment at which a version with somebody who should have stayed out, or without its
    /// report, can be found. A deletion request that was recorded meanwhile refuses the
    /// version; one that comes later waits until it is published (OP-2).
    pub(super) fn publish(
        &self,
        sealed: Unpublished,
        taken: Option<Taken>,
    ) -> Result<Published, IngestError> {
        let (mut told, mut register) = (Told::default(), None);
        if let Some(taken) = taken {
            let (written, unchanged) = match self.allowed(&sealed, &taken) {
                Ok(allowed) => allowed,
                Err(error) => {
                    if error.refuses_the_version() {
                        sealed.discard();
                    }
                    return Err(error);
                }
            };
            register = Some(unchanged);
            self.zone.id_spaces().add(sealed.version().profile())?;
            told = Told {
                report: Some(written.write(&sealed.folder(), self.zone.identity())?),
                rejects: taken.rejects.map(Rejects::finish).transpose()?,
                totals: taken.totals,
                lists: taken.said.lists,
                resumed: taken.resumed,
            };
        }
        let sealed = sealed.publish()?;
        drop(register);
        Ok(Published { sealed, told })
    }

    /// The report of a version that may be published, and the register that must not change
    /// until it is.
    fn allowed(
        &self,
        sealed: &Unpublished,
        taken: &Taken,
    ) -> Result<(IntakeReport, Register), IngestError> {
        let report = self.report(sealed, taken)?;
        Ok((report, self.unchanged(&taken.said.deletions, sealed.version().profile())?))
    }

    /// Locks the register of deletions, which must still say what was joined.
    fn unchanged(&self, joined: &Deletions, profile: &Profile) -> Result<Register, IngestError> {
        let register = self.zone.register()?;
        if joined.of(&profile.id_space).eq(register.deletions().of(&profile.id_space)) {
            return Ok(register);
        }
        Err(IngestError::DeletionsChanged)
    }

    fn report(&self, sealed: &Unpublished, taken: &Taken) -> Result<IntakeReport, IngestError> {
        let survivors = survivors(sealed, &taken.gate)?;
        if survivors > 0 {
            return Err(IngestError::Survivors { persons: survivors });
        }
        let (version, effects) = (sealed.version(), taken.gate.effects());
        let (manifest, profile) = (version.manifest(), version.profile());
        let deletions = taken.said.deletions.of(&profile.id_space);
        let tables = taken.totals.iter();
        Ok(IntakeReport {
            format: IntakeReport::format(),
            dataset: manifest.dataset.clone(),
            version: manifest.version.clone(),
            manifest_sha256: version.manifest_sha256().to_owned(),
            profile_sha256: profile.sha256(),
            profile_revision: profile.revision,
            id_space: profile.id_space.clone(),
            sealed_at: self.now.to_string(),
            tables: tables
                .map(|(table, totals)| TableTotals { table: table.clone(), totals: *totals })
                .collect(),
            lists: taken.said.lists.clone(),
            notice_days: taken.said.notice_days,
            deletions: deletions
                .map(|request| DeletionNote {
                    reference: request.reference.clone(),
                    received_on: request.received_on.clone(),
                    rows: effects.get(&request.reference).copied().unwrap_or_default(),
                })
                .collect(),
            excluded_persons: taken.gate.excluded(),
            survivors,
        })
    }
}

/// How many persons of a sealed version should have stayed out. Only these are remembered:
/// memory does not grow with rows.
fn survivors(sealed: &Unpublished, gate: &Gate) -> Result<u64, IngestError> {
    let version = sealed.version();
    let mut found = HashSet::new();
    for table in &version.manifest().tables {
        let opened = version.open_table(sealed.patient_keys(), &table.name, FileCheck::Sha256)?;
        for batch in read_batches(&opened, &[opened.patient_column()])? {
            let batch = batch?;
            let tokens: &UInt64Array = batch.column(0).as_primitive::<UInt64Type>();
            found.extend(gate.survivors(tokens.values().iter().copied()));
        }
    }
    Ok(found.len() as u64)
}

/// Writes a version's catalogue entry beside its folder, as `<version>.catalogue.json`, and
/// returns the path. It follows from the version, so it can be written again at any time.
pub fn write_catalogue(folder: &Path, entry: &CatalogueEntry) -> Result<PathBuf, IngestError> {
    let path = folder.with_extension("catalogue.json");
    // Our own structs with text keys always serialise.
    let json = serde_json::to_vec_pretty(entry).unwrap_or_default();
    write_whole(&path, &json, "writing the catalogue entry")?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use sekisho_dataset::{SealOptions, SealedWriter, dummy};
    use sekisho_vault::{FileVault, ReceivingKey};

    use super::*;
    use crate::{IdentifiedZone, ehr};

    /// Seals invented patients, one of whom the gate says should have stayed out.
    #[test]
    fn op_1_a_version_with_somebody_who_should_have_stayed_out_is_never_published() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let vault = Arc::new(FileVault::create(&at("vault")).unwrap());
        let receiving = ReceivingKey::create(&at("sealed"), &at("public"), vault).unwrap();
        let zone =
            IdentifiedZone::init(&at("identified"), jiff::civil::date(2026, 11, 28)).unwrap();
        let ingest = Ingest {
            zone: &zone,
            receiver: receiving.public(),
            out: &at("datasets"),
            options: SealOptions::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let profile = ehr::profile().unwrap();
        let publish = |survivor: bool| {
            let mut writer = SealedWriter::create(ingest.out, &profile, &ingest.options).unwrap();
            let mut gate = Gate::default();
            for table in dummy::generate(&profile, 40, 1).unwrap() {
                let tokens = table.rows.column(0).as_primitive::<UInt64Type>();
                gate.opted_out.extend(survivor.then(|| tokens.value(0)));
                writer.push(&table.name, &table.rows).unwrap();
            }
            let provenance = ingest.provenance("test".to_owned());
            let sealed = ingest.seal(writer, provenance, &mut crate::Silent).unwrap();
            let deletions = zone.deletions().unwrap();
            let said = Said { lists: Vec::new(), notice_days: 30, deletions };
            let (totals, rejects, resumed) = (BTreeMap::new(), None, Vec::new());
            let taken = Taken { gate, said, totals, rejects, resumed };
            ingest.publish(sealed, Some(taken))
        };
        let refused = publish(true).err().unwrap();
        assert_eq!(refused.code(), "ingest.survivors");
        let left = fs::read_dir(at("datasets/ehr")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lock"], "neither a version nor a report");
        assert!(publish(false).unwrap().told.report.unwrap().is_file());
    }
}
