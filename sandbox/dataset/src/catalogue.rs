use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Coverage, Information, Kind, Manifest, ManifestTable, Profile, QuickCounts, Rule, Text,
};

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
    /// What it became by its rules.
    pub holds: Information,
    /// Which database it is of, by the identifiers of the linkage matrix (LK-1).
    pub database: String,
    /// Data sets of one space give one person the same token.
    pub id_space: String,
    /// Distinct patients below which no count is shown.
    pub min_cell: u32,
    /// When the next version is expected, `YYYY-MM-DD` (CT-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<String>,
    /// Terms of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Text>,
    /// Distinct patients, rounded down to two leading digits; 0 below 10 and below the
    /// minimum cell.
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
    /// Rows, rounded down to two leading digits; 0 below 10 and when fewer patients than the
    /// minimum cell stand behind them.
    pub rows: u64,
    /// How many it holds of each year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<Coverage>,
    /// What the public may count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_counts: Option<QuickCounts>,
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
    /// Share of rows without a value, in percent; rounded so that fewer patients than the
    /// minimum cell never show.
    #[serde(default)]
    pub missing_percent: u8,
    /// Which code system its codes are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_system: Option<String>,
    /// Whether its codes are keyed tokens of identifiers, which read differently in every
    /// project, so that no row filter can name it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token: bool,
    /// What it means.
    pub description: Text,
    /// Declared codes and their meanings; empty when the list is open.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, Text>,
}

impl CatalogueEntry {
    pub(crate) fn new(manifest: &Manifest, manifest_sha256: &str, profile: &Profile) -> Self {
        let tables = profile.tables.iter().map(|table| {
            let sealed = manifest.table(&table.name);
            CatalogueTable {
                name: table.name.clone(),
                description: table.description.clone(),
                rows: sealed
                    .map_or(0, |sealed| shown(sealed.rows, sealed.patients, profile.min_cell)),
                coverage: sealed.map(|sealed| sealed.coverage.clone()).unwrap_or_default(),
                quick_counts: sealed.and_then(|sealed| sealed.quick_counts.clone()),
                columns: table.columns.iter().map(|spec| column(spec, sealed)).collect(),
            }
        });
        Self {
            dataset: manifest.dataset.clone(),
            version: manifest.version.clone(),
            manifest_sha256: manifest_sha256.to_owned(),
            title: profile.title.clone(),
            description: profile.description.clone(),
            source: profile.source.clone(),
            licence: profile.licence.clone(),
            holds: profile.holds,
            database: profile.database.clone(),
            id_space: profile.id_space.clone(),
            min_cell: profile.min_cell,
            next_update: profile.next_update.clone(),
            terms: profile.terms.clone(),
            patients: shown(manifest.patients, manifest.patients, profile.min_cell),
            tables: tables.collect(),
            profile_toml: profile.toml().to_owned(),
        }
    }
}

fn column(spec: &crate::ColumnSpec, sealed: Option<&ManifestTable>) -> CatalogueColumn {
    let sealed = sealed.and_then(|table| table.column(&spec.name));
    CatalogueColumn {
        name: spec.name.clone(),
        kind: spec.kind,
        unit: spec.unit.clone(),
        nullable: spec.nullable,
        missing_percent: sealed.map_or(0, |column| column.missing_percent),
        code_system: spec.code_system.clone(),
        token: matches!(spec.rule, Rule::Token { .. }),
        description: spec.description.clone(),
        codes: spec.codes.clone(),
    }
}

/// A count as it may be shown when so many patients stand behind it (CT-2).
fn shown(count: u64, patients: u64, min_cell: u32) -> u64 {
    if patients < u64::from(min_cell) { 0 } else { rounded(count) }
}

/// Two leading digits, the rest zero; below 10 always 0. Two versions that differ by one
/// patient then almost never differ in their catalogue entries.
pub(crate) fn rounded(count: u64) -> u64 {
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
        assert_eq!((shown(900, 9, 10), shown(900, 10, 10), shown(15, 15, 20)), (0, 900, 0));
        assert_eq!(rounded(812_345), 810_000);
        assert_eq!(rounded(u64::MAX), 18_000_000_000_000_000_000);
    }
}
