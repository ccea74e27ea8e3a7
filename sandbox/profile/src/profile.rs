//! What a data set is made of, as declared by a steward in `policies/profiles/*.toml`.
//!
//! A profile is public: it names tables, columns, meanings, closed code lists and how dummy
//! data is drawn. It never holds a value taken from data.

mod coarser;
mod document;
mod dummy_spec;
mod items;
mod parse;
mod rule;
mod shifts;
mod together;
mod toml_reader;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use coarser::year_month;
pub use document::ProfileErrors;
pub use dummy_spec::{Draw, DummySpec};
pub use items::{Item, Items};
pub use parse::{date_days, is_name};
pub use rule::{AddressLevel, Precision, Removed, Rule, Undeclared};
pub use toml_reader::ProfileError;

/// A text in the two languages of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// What a column holds, and so how it is sealed and how a guest sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The person's keyed one-way token; sealed as `UInt64`. One per table.
    Patient,
    /// A category; sealed as a `UInt32` id into the column's sealed dictionary.
    Code,
    /// A whole number; sealed as `Int64`.
    #[default]
    Int,
    /// A measured number; sealed as `Float64`.
    Float,
    /// A day; sealed as `Date32`, days since 1970-01-01.
    Date,
}

impl Kind {
    /// The name used in profiles, manifests and catalogues.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Code => "code",
            Self::Int => "int",
            Self::Float => "float",
            Self::Date => "date",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the rules of a profile make of medical information (医療情報).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Information {
    /// 仮名加工医療情報.
    #[serde(rename = "pseudonymised_info")]
    Pseudonymised,
    /// 匿名加工医療情報.
    #[serde(rename = "anonymised_info")]
    Anonymised,
}

impl Information {
    /// The glossary's identifier.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pseudonymised => "pseudonymised_info",
            Self::Anonymised => "anonymised_info",
        }
    }
}

/// A data set as declared: its tables, where it comes from, what its columns mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Id of the data set, also its folder's name.
    pub id: String,
    /// Which ids of persons belong together: data sets with the same space give one person
    /// the same token. Defaults to `id`.
    pub id_space: String,
    /// Which database it is of, by the identifiers of the linkage matrix (連結可否表, LK-1).
    /// Defaults to the producer's own, [`OWN_DATABASE`].
    pub database: String,
    /// Counts up with every change of the profile.
    pub revision: u32,
    /// What it becomes by its rules.
    pub holds: Information,
    /// 最小集計単位: distinct patients below which a count is not shown.
    pub min_cell: u32,
    /// When the next version is expected, `YYYY-MM-DD` (CT-1).
    pub next_update: Option<String>,
    /// Terms of use.
    pub terms: Option<Text>,
    /// Inhabitants of areas by the start of an address, for [`Rule::Address`].
    pub populations: BTreeMap<String, u64>,
    /// Title shown in the catalogue.
    pub title: Text,
    /// What it holds.
    pub description: Text,
    /// Where it comes from.
    pub source: String,
    /// Under which licence or legal ground it is held.
    pub licence: String,
    /// Source texts that mean "missing" (the empty text if not given).
    pub missing: Vec<String>,
    /// The tables, each with exactly one patient column.
    pub tables: Vec<TableSpec>,
    toml: String,
}

/// One table of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// Name, also its folder's name.
    pub name: String,
    /// What a row is.
    pub description: Text,
    /// The columns as declared; the patient column comes first.
    pub columns: Vec<ColumnSpec>,
    /// Source columns that stay behind (DP-1).
    pub removed: Vec<Removed>,
    /// At most one row a person: a second one is an error of the source.
    pub one_row_a_person: bool,
    /// Record type in a file of several, such as `SY` in a receipt.
    pub record: Option<String>,
    /// Names of the fields by their place, for files without a header line.
    pub fields: Vec<String>,
    /// The date column that says when a row happened, for the years the catalogue shows.
    pub period: Option<String>,
    /// Code columns that the public may count persons by (CT-2); only with
    /// `one_row_a_person`.
    pub quick_counts: Vec<String>,
    /// FHIR R4 resource type it is made from, such as `Condition`.
    pub fhir: Option<String>,
    /// Smallest and largest number of dummy rows for one patient.
    pub dummy_rows: (u32, u32),
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSpec {
    /// Name in the sealed table.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Header of the source column, or [`ROW_NUMBER`]. Defaults to `name`. A patient column
    /// may be made of several (LK-2); others have exactly one.
    pub sources: Vec<String>,
    /// What becomes of its values.
    pub rule: Rule,
    /// Which code system the codes are of, such as `ICD-10`.
    pub code_system: Option<String>,
    /// Code systems by which a coding of a FHIR resource is chosen; those of `code_system`
    /// unless said otherwise.
    pub systems: Vec<String>,
    /// Smallest and largest value that can be right; dates in days since 1970-01-01.
    pub range: Option<(f64, f64)>,
    /// The earlier date column whose day this one's is never before.
    pub not_before: Option<String>,
    /// What its numbers mean by the code of an earlier column.
    pub items: Option<Items>,
    /// Whether others may know it of a person, alone or together with the other such columns.
    pub quasi_identifier: bool,
    /// Unit of an `int` or `float`, when there is one for the whole column.
    pub unit: Option<String>,
    /// The code column of the same table that holds the unit of each value: a value without
    /// its unit is wrong.
    pub unit_in: Option<String>,
    /// Whether values may be missing.
    pub nullable: bool,
    /// What it means.
    pub description: Text,
    /// Closed list of codes with their meanings; empty when the list is open.
    pub codes: BTreeMap<String, Text>,
    /// How dummy values are drawn; patient columns have none.
    pub dummy: Option<DummySpec>,
}

/// The database of a certified producer (次世代医療基盤法DB).
pub const OWN_DATABASE: &str = "jisedai";

/// Source name that stands for the number of the row in the file, counted from 1: for
/// sources that hold one row a person and no id.
pub const ROW_NUMBER: &str = "@row";

/// Longest code accepted, in bytes of UTF-8. Codes are short; a long text in their place is
/// free text that may name a person.
pub const MAX_CODE_BYTES: usize = 64;

impl Profile {
    /// Reads a profile, reporting every error with its line, not just the first. Unknown
    /// keys are errors.
    pub fn parse(toml: &str) -> Result<Self, ProfileErrors> {
        document::parse(toml)
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// SHA-256 of the text, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.toml.as_bytes()))
    }

    /// A table by name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableSpec> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Whether it moves dates by a secret of their person (DP-4).
    #[must_use]
    pub fn moves_dates(&self) -> bool {
        shifts::shift_days(&self.tables).is_some()
    }

    /// Whether dates of one person from both profiles, read together, would tell by how many
    /// days one of them moves them (DP-4): the other keeps days or months, be it in free text,
    /// or moves them differently.
    #[must_use]
    pub fn undoes_shift_of(&self, other: &Self) -> bool {
        let shifts = [self, other].map(|profile| shifts::shift_days(&profile.tables));
        let keeps = |profile: &Self| {
            profile.tables.iter().flat_map(|table| &table.columns).any(shifts::keeps_months)
        };
        match shifts {
            [Some(one), Some(two)] => one != two,
            [Some(_), None] => keeps(other),
            [None, Some(_)] => keeps(self),
            [None, None] => false,
        }
    }
}

impl ColumnSpec {
    /// Header of the (first) source column.
    #[must_use]
    pub fn source(&self) -> &str {
        self.sources.first().map_or(&self.name, String::as_str)
    }
}

impl TableSpec {
    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Name of the patient column.
    #[must_use]
    pub fn patient_column(&self) -> &str {
        // A parsed profile has exactly one patient column and puts it first.
        self.columns.first().map_or("", |column| column.name.as_str())
    }
}

#[cfg(test)]
mod tests;
