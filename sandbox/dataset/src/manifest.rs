use std::collections::BTreeMap;

use sekisho_vault::WrappedKey;
use serde::{Deserialize, Serialize};

use crate::{Kind, layout};

pub(crate) const MANIFEST_FORMAT: &str = "sekisho.dataset.v1";
pub(crate) const KEYS_FORMAT: &str = "sekisho.dataset-keys.v2";

/// The signed description of one version: every file with its hash, the schema, counts and
/// provenance. Holds no data values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `sekisho.dataset.v1`.
    pub format: String,
    /// Id of the data set.
    pub dataset: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Number of buckets of every table.
    pub buckets: u32,
    /// Distinct patients over all tables.
    pub patients: u64,
    /// The profile it was sealed under.
    pub profile: FileEntry,
    /// The wrapped keys.
    pub keys: FileEntry,
    /// The tables, in the profile's order.
    pub tables: Vec<ManifestTable>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// One sealed table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestTable {
    /// Name of the table.
    pub name: String,
    /// Rows in all buckets.
    pub rows: u64,
    /// Distinct patients with at least one row.
    pub patients: u64,
    /// Columns in file order, the patient column first.
    pub columns: Vec<ManifestColumn>,
    /// How many it holds of each year, in the form that may be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<Coverage>,
    /// What the public may count, in the form that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_counts: Option<QuickCounts>,
    /// How unique persons are by the table's quasi-identifiers, when it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniqueness: Option<UniquenessNote>,
    /// One file per bucket, in order.
    pub files: Vec<TableFile>,
    /// One dictionary per code column.
    pub dictionaries: Vec<DictionaryEntry>,
}

/// One column of a sealed table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestColumn {
    /// Name of the column.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Unit, when the whole column has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether values may be missing.
    pub nullable: bool,
    /// Share of rows without a value, in percent, in the form that may be shown.
    #[serde(default)]
    pub missing_percent: u8,
}

/// Persons by combinations of codes (CT-2). Combinations with fewer persons than the minimum
/// cell are left out like those that nobody has, the others rounded down to tens: whatever is
/// added or subtracted, nothing comes out that is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuickCounts {
    /// The columns, in the order of each cell's codes.
    pub columns: Vec<String>,
    /// The cells that may be shown, in the order of their codes.
    pub cells: Vec<QuickCell>,
}

/// One combination of codes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuickCell {
    /// A code for each column; empty where the value is missing.
    pub codes: Vec<String>,
    /// Persons, rounded down to tens.
    pub patients: u64,
}

/// What a table holds of one year. Rounded down to two leading digits; `None` where fewer
/// patients than the minimum cell stand behind it, or where that would give away another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Calendar year.
    pub year: i16,
    /// Distinct patients.
    pub patients: Option<u64>,
    /// Rows.
    pub rows: Option<u64>,
}

/// Size and hash of a file whose path follows from what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The Parquet file of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// Bucket, counted from 0.
    pub bucket: u32,
    /// Rows in it; may be 0.
    pub rows: u64,
    /// Size and hash.
    pub file: FileEntry,
}

/// The sealed dictionary of one code column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DictionaryEntry {
    /// The code column.
    pub column: String,
    /// Size and hash.
    pub file: FileEntry,
}

/// Where a version comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// When it was sealed, RFC 3339 in UTC.
    pub sealed_at: String,
    /// Program and version that sealed it.
    pub tool: String,
    /// How the source was obtained, such as `csv` or `generate-ehr seed=7`.
    pub method: String,
    /// The source of each table.
    pub sources: Vec<SourceNote>,
    /// What the rules of the profile did to each table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processing: Vec<ProcessingNote>,
}

/// What was done to one table: counts, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingNote {
    /// The table.
    pub table: String,
    /// Source columns that were removed.
    pub removed: Vec<String>,
    /// Values changed, by `column: rule`.
    pub changed: BTreeMap<String, u64>,
    /// What was found in free text and removed, by pattern.
    pub found_in_text: BTreeMap<String, u64>,
}

/// k-anonymity of a table (Sweeney 2002). Counts persons; a person's class is the set of
/// combinations of the quasi-identifiers that their rows show. Exact up to 2^20 classes and
/// 4,096 combinations of one person; whoever is beyond counts as unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniquenessNote {
    /// Persons.
    pub persons: u64,
    /// Different classes.
    pub classes: u64,
    /// Persons in the smallest class: k.
    pub smallest_class: u64,
    /// Persons whose class nobody shares.
    pub unique_persons: u64,
    /// Persons in classes smaller than the profile's minimum cell.
    pub persons_below_min_cell: u64,
}

/// The source of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceNote {
    /// The table.
    pub table: String,
    /// Rows read.
    pub rows: u64,
    /// Digest of the source file under the identified zone's secret, in hexadecimal: only
    /// that zone can check it, so it gives nobody else a way to confirm a guessed record.
    pub keyed_digest: String,
}

/// `keys.json`: each table's key sealed for its readers, everything else under the table's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    pub(crate) format: String,
    pub(crate) tables: BTreeMap<String, TableKeyFile>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableKeyFile {
    pub(crate) table_key: WrappedKey,
    pub(crate) footer: WrappedKey,
    pub(crate) columns: BTreeMap<String, WrappedKey>,
}

impl Manifest {
    /// A table by name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&ManifestTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl ManifestTable {
    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ManifestColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Its files with their paths inside the version's folder.
    pub(crate) fn listed_files(&self) -> impl Iterator<Item = (String, &FileEntry)> {
        let buckets = self.files.iter();
        let buckets =
            buckets.map(|file| (layout::bucket_file(&self.name, file.bucket), &file.file));
        let dictionaries = self.dictionaries.iter();
        buckets.chain(
            dictionaries
                .map(|entry| (layout::dictionary_file(&self.name, &entry.column), &entry.file)),
        )
    }

    /// Name of the patient column.
    #[must_use]
    pub fn patient_column(&self) -> &str {
        let patient = self.columns.iter().find(|column| column.kind == Kind::Patient);
        patient.map_or("", |column| column.name.as_str())
    }
}
