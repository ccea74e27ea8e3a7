use std::collections::{BTreeMap, HashMap, HashSet};

use sekisho_dataset::{Rule, TableSpec};

/// Codes that enough persons have, by the place of their column in the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frequent(BTreeMap<usize, HashSet<String>>);

impl Frequent {
    pub(super) fn of(&self, column: usize) -> HashSet<String> {
        self.0.get(&column).cloned().unwrap_or_default()
    }
}

/// First pass over a table with [`Rule::Rare`]: which codes are frequent. Remembers fewer than
/// `below` persons of each code, so memory is bounded by codes, not rows.
pub(crate) struct Counter {
    columns: Vec<RareColumn>,
}

struct RareColumn {
    column: usize,
    place: usize,
    below: usize,
    persons: HashMap<String, HashSet<u64>>,
    frequent: HashSet<String>,
}

impl Counter {
    /// Whether a column of the table has the rule, so that its source is read twice.
    pub(crate) fn is_needed(table: &TableSpec) -> bool {
        table.columns.iter().any(|column| matches!(column.rule, Rule::Rare { .. }))
    }

    pub(crate) fn of(table: &TableSpec, headers: &[String]) -> Self {
        let columns = table
            .columns
            .iter()
            .enumerate()
            .filter_map(|(column, spec)| {
                let Rule::Rare { below, .. } = &spec.rule else { return None };
                let place = headers.iter().position(|header| header == spec.source())?;
                let (persons, frequent) = (HashMap::new(), HashSet::new());
                Some(RareColumn { column, place, below: *below as usize, persons, frequent })
            })
            .collect();
        Self { columns }
    }

    /// Counts one row of a person, which must be one that will be sealed: anybody else would
    /// make a code of a few look frequent.
    pub(crate) fn row(&mut self, fields: &[&str], token: u64) {
        for column in &mut self.columns {
            let code = fields.get(column.place).map_or("", |field| field.trim());
            if column.frequent.contains(code) {
                continue;
            }
            let persons = column.persons.entry(code.to_owned()).or_default();
            persons.insert(token);
            if persons.len() >= column.below {
                column.persons.remove(code);
                column.frequent.insert(code.to_owned());
            }
        }
    }

    pub(crate) fn frequent(self) -> Frequent {
        Frequent(self.columns.into_iter().map(|column| (column.column, column.frequent)).collect())
    }
}
