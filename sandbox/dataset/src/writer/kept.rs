//! Going on with a version whose writer was killed, table by table. Nothing is gone on with
//! inside a table: its files were written under keys that died with their writer.

use std::path::Path;

use sekisho_vault::{Key, WrappedKey, unwrap, wrap};
use serde::{Deserialize, Serialize};

use super::folder::SealingFolder;
use super::{SealOptions, SealedTable, SealedWriter};
use crate::grant::TableKeys;
use crate::layout::Place;
use crate::manifest::TableKeyFile;
use crate::reader::sealed;
use crate::{DatasetError, ManifestTable, Profile};

/// What is kept of a table that is sealed whole: its entry in the manifest, its keys as its
/// readers get them, and the keys of its patient column, sealed for whoever goes on and has to
/// read back who is in it (OP-1). No key of another column is among what they open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTable {
    entry: ManifestTable,
    keys: TableKeyFile,
    footer: WrappedKey,
    patient: WrappedKey,
}

impl KeptTable {
    fn new(table: &SealedTable, place: &Place, keeper: &Key) -> Result<Self, DatasetError> {
        let (name, patient) = (&table.entry.name, table.entry.patient_column());
        let column = table.patient_keys.columns.get(patient);
        let column = column.ok_or_else(|| DatasetError::NotGranted(format!("column {patient}")))?;
        Ok(Self {
            footer: wrap(keeper, &place.kept_key(name, "footer"), &table.patient_keys.footer)?,
            patient: wrap(keeper, &place.kept_key(name, "patient"), column)?,
            entry: table.entry.clone(),
            keys: table.keys.clone(),
        })
    }

    fn restore(self, place: &Place, keeper: &Key) -> Result<SealedTable, DatasetError> {
        let name = &self.entry.name;
        let open = |part: &str, key: &WrappedKey| {
            let what = format!("the kept {part} key of {name}");
            unwrap(keeper, &place.kept_key(name, part), key).map_err(sealed(&what))
        };
        let patient = open("patient", &self.patient)?;
        let patient_keys = TableKeys {
            footer: open("footer", &self.footer)?,
            columns: [(self.entry.patient_column().to_owned(), patient)].into(),
        };
        Ok(SealedTable { entry: self.entry, keys: self.keys, patient_keys })
    }
}

impl SealedWriter {
    /// Goes on with a version that a killed writer [kept](Self::keep), whose persons so far
    /// were `patients`. What is not of a kept table is removed.
    ///
    /// # Errors
    /// [`DatasetError::Tampered`] names the file of a kept table that is not as it was.
    pub fn resume(
        root: &Path,
        profile: &Profile,
        options: &SealOptions,
        kept: Vec<KeptTable>,
        patients: Vec<u64>,
        keeper: &Key,
    ) -> Result<Self, DatasetError> {
        let mut this = Self::in_folder(profile, options, || {
            let listed = kept.iter().flat_map(|table| table.entry.listed_files());
            SealingFolder::resume(root, &profile.id, options.version.as_deref(), listed)
        })?;
        for table in kept {
            let name = table.entry.name.clone();
            this.tables.retain(|rows| rows.name() != name);
            this.sealed.insert(name, table.restore(&this.place, keeper)?);
        }
        this.patients = patients;
        this.patients.sort_unstable();
        Ok(this)
    }

    /// Flushes the tables sealed so far and says what [`resume`](Self::resume) needs of them.
    /// From now on a dropped writer leaves its folder.
    pub fn keep(&mut self, keeper: &Key) -> Result<Vec<KeptTable>, DatasetError> {
        self.folder.flush()?;
        self.folder.stays = true;
        let sealed = self.sealed.values();
        sealed.map(|table| KeptTable::new(table, &self.place, keeper)).collect()
    }

    /// Tokens of the persons in the tables sealed so far, each once, in order.
    #[must_use]
    pub fn patients(&self) -> &[u64] {
        &self.patients
    }

    /// Whether a table is sealed.
    #[must_use]
    pub fn is_sealed(&self, table: &str) -> bool {
        self.sealed.contains_key(table)
    }
}
