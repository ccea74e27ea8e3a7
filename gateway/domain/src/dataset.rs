//! A dataset version as the catalogue describes it (データカタログ, CT-1).

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Text in both languages of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bilingual {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// One immutable dataset version. Describes; holds no value of any row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Identifier such as `lung`.
    pub dataset_id: String,
    /// Version such as `v1`.
    pub version: String,
    /// Title.
    pub title: Bilingual,
    /// Description.
    pub description: Bilingual,
    /// Tables.
    pub tables: Vec<DatasetTable>,
    /// Distinct patients, rounded to two significant digits.
    pub patients_rounded: u64,
    /// Licence or terms.
    pub licence: String,
    /// Profile as TOML: enough for dummy data.
    pub profile_toml: String,
    /// SHA-256 of the signed manifest, hexadecimal.
    pub manifest_sha256: String,
    /// When the catalogue learned of it.
    pub registered_at: Timestamp,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetTable {
    /// Name.
    pub name: String,
    /// Description.
    pub description: Bilingual,
    /// Columns.
    pub columns: Vec<DatasetColumn>,
    /// Rows, rounded to two significant digits.
    pub rows_rounded: u64,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetColumn {
    /// Name.
    pub name: String,
    /// patient, code, int, float or date.
    pub kind: String,
    /// Unit, empty when there is none.
    pub unit: String,
    /// Whether values may be missing.
    pub nullable: bool,
    /// Description.
    pub description: Bilingual,
}
