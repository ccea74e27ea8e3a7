use std::collections::BTreeMap;
use std::fmt;

use toml::de::DeTable;

use super::parse::{self, is_name};
use super::toml_reader::{Errors, ProfileError, TableReader};
use super::{Information, OWN_DATABASE, Profile, TableSpec, shifts};

/// Fewest persons of a cell (最小集計単位) that a profile may allow to be shown.
const LEAST_CELL: u32 = 10;
/// Largest revision and minimum cell.
const MOST: u32 = 1_000_000;

/// Everything wrong with a profile, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileErrors(pub Vec<ProfileError>);

impl fmt::Display for ProfileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the profile has {} error(s)", self.0.len())?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ProfileErrors {}

pub(super) fn parse(toml: &str) -> Result<Profile, ProfileErrors> {
    let errors = Errors::new(toml);
    let (document, syntax) = DeTable::parse_recoverable(toml);
    if !syntax.is_empty() {
        for error in syntax {
            let span = error.span().unwrap_or(0..0);
            errors.add("profile.syntax", &span, "", error.message().to_owned());
        }
        return Err(ProfileErrors(errors.into_sorted()));
    }
    let reader = TableReader::new(document.get_ref(), 0..0, String::new(), &errors);
    let profile = read(&reader, toml);
    let found = errors.into_sorted();
    if found.is_empty() { Ok(profile) } else { Err(ProfileErrors(found)) }
}

fn read(reader: &TableReader<'_, '_>, toml: &str) -> Profile {
    let id = reader.text("id");
    let id_space = reader.optional_text("id_space").unwrap_or_else(|| id.clone());
    let database = reader.optional_text("database").unwrap_or_else(|| OWN_DATABASE.to_owned());
    for (key, value) in [("id", &id), ("id_space", &id_space), ("database", &database)] {
        if !value.is_empty() && !is_name(value) {
            let reason = "wanted a lower-case letter, then letters, digits or _, at most 63";
            reader.bad(key, reason.to_owned());
        }
    }
    let missing = reader.optional_texts("missing").unwrap_or_else(|| vec![String::new()]);
    let readers = reader.tables("tables");
    let tables: Vec<TableSpec> = readers.iter().map(parse::table).collect();
    shifts::check(&readers, &tables);
    for (index, table) in tables.iter().enumerate() {
        if tables.iter().take(index).any(|other| other.name == table.name) {
            reader.bad("tables", format!("table `{}` stands twice", table.name));
        }
    }
    let profile = Profile {
        id,
        id_space,
        database,
        revision: revision(reader),
        holds: information(reader),
        min_cell: min_cell(reader),
        next_update: next_update(reader),
        terms: reader.has("terms").then(|| parse::text(reader, "terms")),
        populations: populations(reader),
        title: parse::text(reader, "title"),
        description: parse::text(reader, "description"),
        source: reader.text("source"),
        licence: reader.text("licence"),
        missing,
        tables,
        toml: toml.to_owned(),
    };
    reader.refuse_unknown();
    profile
}

fn revision(reader: &TableReader<'_, '_>) -> u32 {
    whole_number(reader, "revision", 1)
}

/// Smaller cells than the gateway's smallest would say in the catalogue what no run may.
fn min_cell(reader: &TableReader<'_, '_>) -> u32 {
    whole_number(reader, "min_cell", LEAST_CELL)
}

/// A whole number from `least`, which it is when it is not said, to [`MOST`].
fn whole_number(reader: &TableReader<'_, '_>, key: &'static str, least: u32) -> u32 {
    let number = reader.optional_number(key).unwrap_or(least.into());
    if number.fract() != 0.0 || !(f64::from(least)..=f64::from(MOST)).contains(&number) {
        reader.bad(key, format!("wanted a whole number from {least} to {MOST}"));
    }
    number as u32
}

fn information(reader: &TableReader<'_, '_>) -> Information {
    match reader.optional_text("holds").as_deref() {
        None | Some("pseudonymised_info") => Information::Pseudonymised,
        Some("anonymised_info") => Information::Anonymised,
        Some(_) => {
            reader.bad("holds", "wanted pseudonymised_info or anonymised_info".to_owned());
            Information::Pseudonymised
        }
    }
}

fn next_update(reader: &TableReader<'_, '_>) -> Option<String> {
    let date = reader.optional_text("next_update")?;
    if parse::date_days(&date).is_none() {
        reader.bad("next_update", "wanted a date YYYY-MM-DD".to_owned());
    }
    Some(date)
}

fn populations(reader: &TableReader<'_, '_>) -> BTreeMap<String, u64> {
    let Some(table) = reader.optional_table("populations") else { return BTreeMap::new() };
    let entry = |(name, value): (String, _)| {
        let number = table.as_number(&name, value)?;
        if number < 0.0 || number.fract() != 0.0 {
            table.bad(&name, "wanted a number of inhabitants".to_owned());
        }
        Some((name, number as u64))
    };
    table.entries().filter_map(entry).collect()
}
