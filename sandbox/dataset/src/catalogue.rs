use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Kind, Manifest, Profile, Text};

/// What users may see of a version before any run: names, meanings and rounded sizes. Made
/// from the manifest and the profile alone, so it holds no value from the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Id of the data set.
    pub dataset: String,
    /// Version, such as `v1`.
    pub version: String,
    /// SHA-256 of the signed manifest, in hexadecimal: names exactly this version.
    pub manifest_sha256: String,
    /// Title.
    pub title: Text,
    /// What it holds.
    pub description: Text,
    /// Where it comes from.
    pub source: String,
    /// Under which licence or legal ground it is held.
    pub licence: String,
    /// Distinct patients, rounded down to two leading digits; 0 below 10.
    pub patients: u64,
    /// The tables.
    pub tables: Vec<CatalogueTable>,
    /// The profile's text, from which dummy data is made on a researcher's machine.
    pub profile_toml: String,
}

/// One table of a catalogue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueTable {
    /// Name.
    pub name: String,
    /// What a row is.
    pub description: Text,
    /// Rows, rounded down to two leading digits; 0 below 10.
    pub rows: u64,
    /// The columns, the patient column first.
    pub columns: Vec<CatalogueColumn>,
}

/// One column of a catalogue table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueColumn {
    /// Name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Unit, when the whole column has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether values may be missing.
    pub nullable: bool,
    /// What it means.
    pub description: Text,
    /// Declared codes and their meanings; empty when the list is open.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, Text>,
}

impl CatalogueEntry {
    pub(crate) fn new(manifest: &Manifest, manifest_sha256: &str, profile: &Profile) -> Self {
        let tables = profile.tables.iter().map(|table| CatalogueTable {
            name: table.name.clone(),
            description: table.description.clone(),
            rows: rounded(manifest.table(&table.name).map_or(0, |found| found.rows)),
            columns: table.columns.iter().map(column).collect(),
        });
        Self {
            dataset: manifest.dataset.clone(),
            version: manifest.version.clone(),
            manifest_sha256: manifest_sha256.to_owned(),
            title: profile.title.clone(),
            description: profile.description.clone(),
            source: profile.source.clone(),
            licence: profile.licence.clone(),
            patients: rounded(manifest.patients),
            tables: tables.collect(),
            profile_toml: profile.toml().to_owned(),
        }
    }
}

fn column(spec: &crate::ColumnSpec) -> CatalogueColumn {
    CatalogueColumn {
        name: spec.name.clone(),
        kind: spec.kind,
        unit: spec.unit.clone(),
        nullable: spec.nullable,
        description: spec.description.clone(),
        codes: spec.codes.clone(),
    }
}

/// Two leading digits, the rest zero; below 10 always 0. Two versions that differ by one
/// patient then almost never differ in their catalogue entries.
fn rounded(count: u64) -> u64 {
    let mut unit = 10;
    while count / unit >= 100 {
        unit *= 10;
    }
    count / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_two_digits() {
        let cases = [(0, 0), (9, 0), (10, 10), (228, 220), (999, 990), (1000, 1000)];
        for (exact, shown) in cases {
            assert_eq!(rounded(exact), shown);
        }
        assert_eq!(rounded(812_345), 810_000);
        assert_eq!(rounded(u64::MAX), 18_000_000_000_000_000_000);
    }
}
