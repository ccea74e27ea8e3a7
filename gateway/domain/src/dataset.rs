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

/// What the producer's rules made of medical information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum InformationKind {
    /// 仮名加工医療情報.
    #[default]
    #[serde(rename = "pseudonymised_info")]
    Pseudonymised,
    /// 匿名加工医療情報.
    #[serde(rename = "anonymised_info")]
    Anonymised,
}

impl InformationKind {
    /// The glossary's identifier.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pseudonymised => "pseudonymised_info",
            Self::Anonymised => "anonymised_info",
        }
    }

    /// The kind with this identifier.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Pseudonymised, Self::Anonymised].into_iter().find(|kind| kind.name() == name)
    }
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
    /// What it became by the producer's rules.
    #[serde(default)]
    pub holds: InformationKind,
    /// Distinct patients below which no count is shown (最小集計単位).
    #[serde(default)]
    pub min_cell: u32,
    /// When the next version is expected, `YYYY-MM-DD`; empty when nobody said.
    #[serde(default)]
    pub next_update: String,
    /// Licence or legal ground.
    pub licence: String,
    /// Terms of use.
    #[serde(default)]
    pub terms: Bilingual,
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
    /// What it holds of each year.
    #[serde(default)]
    pub coverage: Vec<Coverage>,
}

/// What a table holds of one year; `None` where the minimum cell forbids a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Calendar year.
    pub year: i32,
    /// Distinct patients, rounded.
    pub patients: Option<u64>,
    /// Rows, rounded.
    pub rows: Option<u64>,
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
    /// Share of rows without a value, in percent.
    #[serde(default)]
    pub missing_percent: u32,
    /// Code system of its codes, empty when there is none.
    #[serde(default)]
    pub code_system: String,
    /// Description.
    pub description: Bilingual,
}
