use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sekisho_dataset::{TableSpec, UniquenessNote};

use super::FieldError;
use super::value::Value;

/// How many persons share their quasi-identifiers, in a table with one row a person: the k
/// of k-anonymity (Sweeney 2002). Holds a hash and a count for each class and the tokens
/// seen, so its memory grows with persons only.
pub(super) struct Uniqueness {
    quasi: Vec<usize>,
    patient: usize,
    min_cell: u32,
    source: String,
    persons: HashSet<u64>,
    classes: HashMap<u64, u64>,
}

impl Uniqueness {
    /// `None` for a table that may hold several rows of one person.
    pub(super) fn of(table: &TableSpec, min_cell: u32) -> Option<Self> {
        let quasi = table.columns.iter().enumerate();
        let quasi = quasi.filter(|(_, column)| column.quasi_identifier).map(|(at, _)| at);
        table.one_row_a_person.then(|| Self {
            quasi: quasi.collect(),
            patient: 0,
            min_cell,
            source: table.columns.first().map_or("", |column| column.source()).to_owned(),
            persons: HashSet::new(),
            classes: HashMap::new(),
        })
    }

    /// Counts a row; a second one of the same person is an error.
    pub(super) fn add(&mut self, values: &[Value]) -> Result<(), FieldError> {
        let Some(Value::Token(token)) = values.get(self.patient) else { return Ok(()) };
        if !self.persons.insert(*token) {
            let reason = "this person has a row already, the table holds one a person".to_owned();
            let column = self.source.clone();
            return Err(FieldError { code: "source.duplicate_person", column, reason });
        }
        let mut class = DefaultHasher::new();
        for value in self.quasi.iter().filter_map(|at| values.get(*at)) {
            value.hash(&mut class);
        }
        *self.classes.entry(class.finish()).or_default() += 1;
        Ok(())
    }

    /// `None` when no column is a quasi-identifier.
    pub(super) fn report(&self) -> Option<UniquenessNote> {
        if self.quasi.is_empty() {
            return None;
        }
        let in_classes = |size: &dyn Fn(u64) -> bool| {
            self.classes.values().filter(|persons| size(**persons)).sum::<u64>()
        };
        Some(UniquenessNote {
            persons: self.persons.len() as u64,
            classes: self.classes.len() as u64,
            smallest_class: self.classes.values().min().copied().unwrap_or_default(),
            unique_persons: in_classes(&|persons| persons == 1),
            persons_below_min_cell: in_classes(&|persons| persons < u64::from(self.min_cell)),
        })
    }
}
