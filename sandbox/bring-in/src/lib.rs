//! A researcher's own table (持込み): one key column of codes and what is to be looked up by
//! them. Read from a description in TOML and a CSV file, and refused when it may hold anything
//! about a person.
//!
//! Start at [`read`]. The command line uses it before anything is sent, the gateway when a
//! table is brought in, the engine again before it looks anything up.
//!
//! Invariants
//! - A [`Table`] that exists passed every check: its size is bounded, its keys are distinct,
//!   and no column or value looks like one that names a person (RI-1).
//! - A [`Finding`] says where and what it looks like, never the value itself.
//! - The same bytes give the same table and the same findings.
//!
//! The checks are patterns. A person who wants to hide a number behind an innocent name can;
//! that is why a steward reviews what passes.
//!
//! Must never depend on: a dataset, a vault, the gateway.

mod description;
mod finding;
mod people;
mod rows;
mod table;

pub use description::{Column, Description, Kind, MAX_COLUMNS, MAX_DESCRIPTION};
pub use finding::{Finding, MAX_FINDINGS, Refused};
pub use rows::{MAX_ROWS, MAX_TABLE, MAX_VALUE_CHARS};
pub use table::{Table, Values};

/// A table as it is brought in and sealed: its two files, unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The description, TOML.
    pub description: Vec<u8>,
    /// The rows, CSV.
    pub csv: Vec<u8>,
}

impl Files {
    /// As [`read`].
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(&self) -> Result<Table, Refused> {
        read(&self.description, &self.csv)
    }

    /// Length of both files, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.description.len() + self.csv.len()
    }
}

/// Reads and checks a table: its description (TOML) and its rows (CSV, RFC 4180, one header
/// line, UTF-8 with or without a byte-order mark; an empty value is a missing one).
///
/// # Errors
/// Everything that was found at once; what cannot be read at all hides what comes after it.
pub fn read(description: &[u8], csv: &[u8]) -> Result<Table, Refused> {
    rows::read(Description::parse(description)?, csv)
}

#[cfg(test)]
mod tests;
