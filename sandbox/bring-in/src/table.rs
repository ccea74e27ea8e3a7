use std::collections::HashMap;

use crate::Description;

/// A table that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(crate) description: Description,
    /// One for each column, the key's included.
    pub(crate) values: Vec<Values>,
    /// Row of each key.
    pub(crate) by_key: HashMap<String, usize>,
    /// Line of each row in the file.
    pub(crate) lines: Vec<u64>,
}

/// The values of one column, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Codes.
    Code(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Finite numbers.
    Number(Vec<Option<f64>>),
}

impl Table {
    /// What it says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Number of rows; at least 1.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The row whose key the code is, as written: neither case nor width is made alike.
    #[must_use]
    pub fn lookup(&self, code: &str) -> Option<usize> {
        self.by_key.get(code).copied()
    }

    /// The values of a column by its name.
    #[must_use]
    pub fn values(&self, column: &str) -> Option<&Values> {
        let at = self.description.columns.iter().position(|c| c.name == column)?;
        self.values.get(at)
    }
}
