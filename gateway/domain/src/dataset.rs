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

/// One dataset version, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetVersion {
    /// Dataset.
    pub dataset_id: String,
    /// Its version.
    pub version: String,
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
    /// Which database it is of, by the identifiers of the linkage matrix (LK-1).
    #[serde(default)]
    pub database: String,
    /// Datasets of one space give one person the same token (LK-2).
    #[serde(default)]
    pub id_space: String,
    /// Distinct patients below which no count is shown (最小集計単位).
    #[serde(default)]
    pub min_cell: u32,
    /// When the next version is expected, `YYYY-MM-DD`; empty when nobody said.
    #[serde(default)]
    pub next_update: String,
    /// When the gateway noticed that the announced version is late (CT-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_since: Option<Timestamp>,
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

impl Dataset {
    /// Whether the day for which a newer version was announced is over, in Japan.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        const DAY_SECONDS: i64 = 86_400;
        let day = Timestamp::start_of_day_in_japan(&self.next_update);
        day.is_some_and(|day| day.plus_seconds(DAY_SECONDS) <= now)
    }
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
    /// What the public may count.
    #[serde(default)]
    pub quick_counts: Option<QuickCounts>,
}

/// Persons by combinations of codes, rounded down to tens; combinations with few persons are
/// left out (簡易データベース, CT-2). Every answer is a sum of these cells, so no question and
/// no difference of answers can tell more than they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickCounts {
    /// Code columns, in the order of each cell's codes.
    pub columns: Vec<String>,
    /// The cells.
    pub cells: Vec<QuickCell>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickCell {
    /// A code for each column; empty where the value is missing.
    pub codes: Vec<String>,
    /// Persons, rounded down to tens.
    pub patients: u64,
}

impl QuickCounts {
    /// Persons who have all of these codes; `None` when one of the columns cannot be asked
    /// about.
    #[must_use]
    pub fn count(&self, chosen: &[(String, String)]) -> Option<u64> {
        let place = |(column, code): &(String, String)| {
            let place = self.columns.iter().position(|name| name == column)?;
            Some((place, code.clone()))
        };
        let chosen: Vec<_> = chosen.iter().map(place).collect::<Option<_>>()?;
        let fits = |cell: &&QuickCell| {
            chosen.iter().all(|(place, code)| cell.codes.get(*place) == Some(code))
        };
        Some(self.cells.iter().filter(fits).map(|cell| cell.patients).sum())
    }
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
    /// Whether its codes are keyed tokens of identifiers, which read differently in every
    /// project.
    #[serde(default)]
    pub token: bool,
    /// Description.
    pub description: Bilingual,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> QuickCounts {
        let cell = |sex: &str, age: &str, patients| QuickCell {
            codes: vec![sex.to_owned(), age.to_owned()],
            patients,
        };
        QuickCounts {
            columns: vec!["sex".to_owned(), "age".to_owned()],
            cells: vec![cell("1", "40-49", 120), cell("1", "50-59", 80), cell("2", "40-49", 50)],
        }
    }

    fn chosen(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(column, code)| ((*column).to_owned(), (*code).to_owned())).collect()
    }

    #[test]
    fn ct_2_answers_are_sums_of_what_is_published_anyway() {
        let counts = counts();
        assert_eq!(counts.count(&[]), Some(250));
        assert_eq!(counts.count(&chosen(&[("sex", "1")])), Some(200));
        assert_eq!(counts.count(&chosen(&[("sex", "2"), ("age", "40-49")])), Some(50));
        assert_eq!(counts.count(&chosen(&[("sex", "2"), ("age", "50-59")])), Some(0));
        assert_eq!(counts.count(&chosen(&[("sex", "1"), ("sex", "2")])), Some(0));
        assert_eq!(counts.count(&chosen(&[("town", "1")])), None);
    }
}
