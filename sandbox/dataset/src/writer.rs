//! Seals one version of a data set: collect rows, sort by patient, encrypt, sign, publish.
//!
//! Rows wait in memory as plain columns (8 bytes a number, 4 bytes a code) until there are
//! [`WAITING_BYTES`] of them; then those of the largest table go to disk as a sorted run,
//! sealed under a key that is never written, and are merged at the end; of many runs some are
//! merged before, so that few are open at once. So memory grows with
//! patients (8 bytes each and table) and with distinct codes, not with rows.

mod columns;
mod facts;
mod files;
mod folder;
mod kept;
mod merge;
mod quick;
mod run;
mod sorted;
mod uniqueness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, RecordBatch, UInt64Array};
use sekisho_vault::{Key, KeyWrapper, SigningIdentity};

use crate::grant::TableKeys;
use crate::layout::{self, Place};
use crate::manifest::{KEYS_FORMAT, KeyFile, MANIFEST_FORMAT, TableKeyFile};
use crate::{
    CatalogueEntry, DatasetError, GrantedKeys, Manifest, ManifestColumn, ManifestTable, Profile,
    Provenance, SealedVersion, TableSpec,
};
use folder::SealingFolder;
pub use kept::KeptTable;
use sorted::TableRows;

/// Buckets of a version unless said otherwise: enough for the cores of one worker.
pub const DEFAULT_BUCKETS: u32 = 8;

/// Most bytes of rows that wait in memory.
const WAITING_BYTES: usize = 64 << 20;

/// Most sorted runs of one size that are merged at once: each holds an open file and some of
/// its rows in memory.
const FAN_IN: usize = 32;

/// How a version is to be sealed.
#[derive(Clone, Debug)]
pub struct SealOptions {
    /// Name of the version, `v` and a number; the next free number if `None`.
    pub version: Option<String>,
    /// Number of buckets, a power of two from 1 to 4096; the same for a whole site.
    pub buckets: u32,
}

impl Default for SealOptions {
    fn default() -> Self {
        Self { version: None, buckets: DEFAULT_BUCKETS }
    }
}

/// A version just sealed.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its folder.
    pub folder: PathBuf,
    /// What was signed.
    pub manifest: Manifest,
    /// What users may see of it.
    pub catalogue: CatalogueEntry,
}

/// A version sealed whole under a hidden name. Nobody finds it before
/// [`publish`](Self::publish). [Discarded](Self::discard) it is gone; dropped it is too, unless
/// its writer was asked to keep what it had.
#[derive(Debug)]
pub struct Unpublished {
    folder: SealingFolder,
    version: SealedVersion,
    patient_keys: GrantedKeys,
}

impl Unpublished {
    /// The version, to be read back from the disk it was written to.
    #[must_use]
    pub fn version(&self) -> &SealedVersion {
        &self.version
    }

    /// The keys of the patient columns just written, from memory: whoever seals can read
    /// back who is in it (OP-1), without being able to open any other version.
    #[must_use]
    pub fn patient_keys(&self) -> &GrantedKeys {
        &self.patient_keys
    }

    /// The folder it will have.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.published_path()
    }

    /// Removes the version: it must never be published.
    pub fn discard(mut self) {
        self.folder.stays = false;
    }

    /// Gives the version its name, in one rename.
    pub fn publish(self) -> Result<Sealed, DatasetError> {
        let (manifest, catalogue) =
            (self.version.manifest().clone(), self.version.catalogue_entry());
        Ok(Sealed { folder: self.folder.publish()?, manifest, catalogue })
    }
}

/// Collects the rows of one version and seals them, all tables at the end or one after the
/// other. Dropped before [`finish`](Self::finish) it leaves nothing behind, unless it was
/// asked to [`keep`](Self::keep) what it has; killed, it leaves a hidden folder that the next
/// writer removes or goes on with.
#[derive(Debug)]
pub struct SealedWriter {
    profile: Profile,
    place: Place,
    buckets: u32,
    /// Those that take rows.
    tables: Vec<TableRows>,
    /// Those that are sealed, by name.
    sealed: BTreeMap<String, SealedTable>,
    /// Tokens of the persons in sealed tables, each once, in order.
    patients: Vec<u64>,
    /// Most bytes of rows that wait in memory.
    pub(crate) waiting_bytes: usize,
    /// Most sorted runs that are merged at once.
    pub(crate) fan_in: usize,
    /// Largest sealed dictionary, in bytes.
    pub(crate) most_codes: u64,
    folder: SealingFolder,
}

impl SealedWriter {
    /// Starts a version under `<root>/<profile.id>/`. Takes the data set's lock: one writer
    /// at a time.
    pub fn create(
        root: &Path,
        profile: &Profile,
        options: &SealOptions,
    ) -> Result<Self, DatasetError> {
        Self::in_folder(profile, options, || {
            SealingFolder::create(root, &profile.id, options.version.as_deref())
        })
    }

    fn in_folder(
        profile: &Profile,
        options: &SealOptions,
        folder: impl FnOnce() -> Result<SealingFolder, DatasetError>,
    ) -> Result<Self, DatasetError> {
        if !options.buckets.is_power_of_two() || options.buckets > 4096 {
            return Err(DatasetError::Buckets(options.buckets));
        }
        let folder = folder()?;
        folder.check_revision(profile)?;
        Ok(Self {
            profile: profile.clone(),
            place: Place { dataset: profile.id.clone(), version: folder.version().to_owned() },
            buckets: options.buckets,
            tables: profile.tables.iter().map(TableRows::new).collect(),
            sealed: BTreeMap::new(),
            patients: Vec::new(),
            waiting_bytes: WAITING_BYTES,
            fan_in: FAN_IN,
            most_codes: layout::MAX_DICTIONARY_BYTES,
            folder,
        })
    }

    /// The version being sealed.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.place.version
    }

    /// Adds rows to a table, in any order of tables and patients. The batch has the
    /// [`source_schema`](crate::source_schema) of the table.
    pub fn push(&mut self, table: &str, batch: &RecordBatch) -> Result<(), DatasetError> {
        let rows = self.tables.iter_mut().find(|rows| rows.name() == table);
        rows.ok_or_else(|| unknown(table))?.push(batch)?;
        if self.tables.iter().map(TableRows::bytes).sum::<usize>() > self.waiting_bytes
            && let Some(largest) = self.tables.iter_mut().max_by_key(|rows| rows.bytes())
        {
            largest.spill(self.buckets, self.fan_in, self.folder.path())?;
        }
        Ok(())
    }

    /// Seals a table whose rows were all pushed; from then on it takes no more. `wrapper`
    /// seals the table's key for whoever is to read it. `progress` is told how many of how
    /// many files are done.
    pub fn seal_table(
        &mut self,
        table: &str,
        wrapper: &dyn KeyWrapper,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), DatasetError> {
        let (mut done, total) = (0, u64::from(self.buckets));
        self.seal_rows(table, wrapper, &mut || {
            done += 1;
            progress(done, total);
        })
    }

    fn seal_rows(
        &mut self,
        table: &str,
        wrapper: &dyn KeyWrapper,
        step: &mut dyn FnMut(),
    ) -> Result<(), DatasetError> {
        let place = self.tables.iter().position(|rows| rows.name() == table);
        let (Some(place), Some(spec)) = (place, self.profile.table(table)) else {
            return Err(unknown(table));
        };
        let rows = self.tables.remove(place);
        let keys = FreshKeys::generate(spec)?;
        let (min_cell, most_codes) = (self.profile.min_cell, self.most_codes);
        let seal = files::TableSeal { place: &self.place, spec, keys: &keys, min_cell, most_codes };
        let (entry, tokens) = seal.write(rows, self.buckets, &self.folder, step)?;
        let sealed = SealedTable {
            patient_keys: keys.narrow(entry.patient_column()),
            keys: keys.wrap(wrapper, &self.place, spec)?,
            entry,
        };
        self.sealed.insert(table.to_owned(), sealed);
        self.patients.extend(tokens);
        self.patients.sort_unstable();
        self.patients.dedup();
        Ok(())
    }

    /// Seals what was pushed and publishes it.
    pub fn finish(
        self,
        provenance: Provenance,
        wrapper: &dyn KeyWrapper,
        identity: &SigningIdentity,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Sealed, DatasetError> {
        self.seal(provenance, wrapper, identity, progress)?.publish()
    }

    /// Seals the tables that are not sealed yet, and signs the version. `progress` is told
    /// how many of how many files of those are done.
    pub fn seal(
        mut self,
        provenance: Provenance,
        wrapper: &dyn KeyWrapper,
        identity: &SigningIdentity,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Unpublished, DatasetError> {
        // A table may be empty: a hospital without an allergy, a person who opted out.
        let sealed_rows = self.sealed.values().any(|table| table.entry.rows > 0);
        if !sealed_rows && self.tables.iter().all(|rows| rows.rows() == 0) {
            return Err(DatasetError::Empty { dataset: self.place.dataset });
        }
        let total = self.tables.len() as u64 * u64::from(self.buckets);
        let mut done = 0;
        let mut step = || {
            done += 1;
            progress(done, total);
        };
        let waiting: Vec<_> = self.tables.iter().map(|rows| rows.name().to_owned()).collect();
        for table in waiting {
            self.seal_rows(&table, wrapper, &mut step)?;
        }
        let (mut tables, mut keys) = (Vec::new(), BTreeMap::new());
        let mut patient_keys = BTreeMap::new();
        for spec in &self.profile.tables {
            let sealed = self.sealed.remove(&spec.name).ok_or_else(|| unknown(&spec.name))?;
            tables.push(sealed.entry);
            keys.insert(spec.name.clone(), sealed.keys);
            patient_keys.insert(spec.name.clone(), sealed.patient_keys);
        }
        let key_file = KeyFile { format: KEYS_FORMAT.to_owned(), tables: keys };
        let patient_keys = GrantedKeys { place: self.place.clone(), tables: patient_keys };
        let manifest = Manifest {
            format: MANIFEST_FORMAT.to_owned(),
            dataset: self.place.dataset,
            version: self.place.version,
            buckets: self.buckets,
            patients: self.patients.len() as u64,
            profile: self.folder.write(layout::PROFILE, self.profile.toml().as_bytes())?,
            keys: self.folder.write(layout::KEYS, &json(&key_file))?,
            tables,
            provenance,
        };
        let signed = json(&manifest);
        self.folder.write(layout::MANIFEST, &signed)?;
        let signature = identity.sign(layout::MANIFEST_LABEL, &signed);
        self.folder.write(layout::SIGNATURE, hex::encode(signature).as_bytes())?;
        let version = SealedVersion::read(self.folder.path(), &identity.verifying())?;
        Ok(Unpublished { folder: self.folder, version, patient_keys })
    }
}

/// A table sealed whole.
#[derive(Debug)]
struct SealedTable {
    entry: ManifestTable,
    keys: TableKeyFile,
    /// What its persons are read back with.
    patient_keys: TableKeys,
}

fn unknown(table: &str) -> DatasetError {
    DatasetError::Unknown(format!("table {table} that takes rows"))
}

/// The fresh keys of one table.
pub(crate) struct FreshKeys {
    pub(crate) footer: Key,
    pub(crate) columns: BTreeMap<String, Key>,
}

impl FreshKeys {
    fn generate(spec: &TableSpec) -> Result<Self, DatasetError> {
        let mut columns = BTreeMap::new();
        for column in &spec.columns {
            columns.insert(column.name.clone(), Key::generate()?);
        }
        Ok(Self { footer: Key::generate()?, columns })
    }

    /// Those that one column is read with.
    fn narrow(&self, column: &str) -> TableKeys {
        let wanted = self.columns.iter().filter(|(name, _)| *name == column);
        TableKeys {
            footer: self.footer.clone(),
            columns: wanted.map(|(name, key)| (name.clone(), key.clone())).collect(),
        }
    }

    /// Seals them under a fresh key of the table, and that for its readers.
    fn wrap(
        &self,
        wrapper: &dyn KeyWrapper,
        place: &Place,
        spec: &TableSpec,
    ) -> Result<TableKeyFile, DatasetError> {
        let table_key = Key::generate()?;
        let wrap = |context, key| sekisho_vault::wrap(&table_key, &context, key);
        let mut columns = BTreeMap::new();
        for (name, key) in &self.columns {
            columns.insert(name.clone(), wrap(place.column_key(&spec.name, name), key)?);
        }
        Ok(TableKeyFile {
            table_key: wrapper.wrap(&place.table_key(&spec.name), &table_key)?,
            footer: wrap(place.footer_key(&spec.name), &self.footer)?,
            columns,
        })
    }
}

pub(crate) fn manifest_columns(spec: &TableSpec, missing_percent: &[u8]) -> Vec<ManifestColumn> {
    let column = |(column, missing): (&crate::ColumnSpec, &u8)| ManifestColumn {
        name: column.name.clone(),
        kind: column.kind,
        unit: column.unit.clone(),
        nullable: column.nullable,
        missing_percent: *missing,
    };
    spec.columns.iter().zip(missing_percent).map(column).collect()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Our own structs with text keys always serialise; an empty file would not verify.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The patients of a batch's rows: its first column.
fn tokens(batch: &RecordBatch) -> Option<&UInt64Array> {
    batch.columns().first()?.as_any().downcast_ref()
}
