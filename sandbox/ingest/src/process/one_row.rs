use std::collections::HashSet;

use sekisho_dataset::TableSpec;

use super::FieldError;
use super::value::Value;

/// Finds second rows of one person in a table that holds one a person. Holds the tokens seen,
/// so its memory grows with persons only.
pub(super) struct OneRow {
    source: String,
    persons: HashSet<u64>,
}

impl OneRow {
    /// `None` for a table that may hold several rows of one person.
    pub(super) fn of(table: &TableSpec) -> Option<Self> {
        table.one_row_a_person.then(|| Self {
            source: table.columns.first().map_or("", |column| column.source()).to_owned(),
            persons: HashSet::new(),
        })
    }

    /// A second row of a person is an error.
    pub(super) fn add(&mut self, values: &[Value]) -> Result<(), FieldError> {
        let Some(Value::Token(token)) = values.first() else { return Ok(()) };
        if self.persons.insert(*token) {
            return Ok(());
        }
        let reason = "this person has a row already, the table holds one a person".to_owned();
        let column = self.source.clone();
        Err(FieldError { code: "source.duplicate_person", column, reason })
    }
}
