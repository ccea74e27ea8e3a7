//! Columns of a table that a researcher brought in, looked up by a column of codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use sekisho_bring_in::{Files, Table, Values};
use sekisho_module::{ColumnKind, Lookup};

use crate::failure::Failed;

/// The tables brought into the project that the job carries.
pub(crate) struct Lookups(BTreeMap<String, Table>);

/// A looked-up column, ready to be put beside the rows.
pub(crate) struct LookedUp {
    /// Kind of its values.
    pub(crate) kind: ColumnKind,
    /// Its value for each id of the dictionary it is looked up by; null where the table has
    /// neither the code nor a value. Codes are ids of `dictionary`.
    pub(crate) values: ArrayRef,
    /// The sorted distinct codes of the whole column; empty when it is none of codes.
    pub(crate) dictionary: Vec<String>,
}

impl Lookups {
    /// Reads the tables with every check of the way in, as the engine trusts no one's word.
    pub(crate) fn read(files: &[Files]) -> Result<Self, Failed> {
        let mut tables = BTreeMap::new();
        for files in files {
            let table = files
                .read()
                .map_err(|refused| Failed::contract("bring_in", refused.to_string()))?;
            let name = table.description().table.clone();
            if tables.insert(name, table).is_some() {
                let message = "two brought-in tables have one name";
                return Err(Failed::contract("bring_in_twice", message));
            }
        }
        Ok(Self(tables))
    }

    /// Looks every code of a dictionary up.
    pub(crate) fn look_up(
        &self,
        lookup: Lookup<'_>,
        dictionary: &[String],
    ) -> Result<LookedUp, Failed> {
        let missing = |what: String| {
            Failed::contract("not_brought_in", format!("no {what} was brought into the project"))
        };
        let Lookup { table: name, column, .. } = lookup;
        let table = self.0.get(name).ok_or_else(|| missing(format!("table {name}")))?;
        let values =
            table.values(column).ok_or_else(|| missing(format!("column {name}.{column}")))?;
        let rows: Vec<_> = dictionary.iter().map(|code| table.lookup(code)).collect();
        Ok(match values {
            Values::Code(codes) => {
                let mut all: Vec<String> = codes.iter().flatten().cloned().collect();
                all.sort();
                all.dedup();
                let id = |code: String| u32::try_from(all.binary_search(&code).ok()?).ok();
                let ids = of(&rows, codes).map(|code| code.and_then(id));
                let values: ArrayRef = Arc::new(ids.collect::<UInt32Array>());
                LookedUp { kind: ColumnKind::Code, values, dictionary: all }
            }
            Values::Integer(integers) => {
                let values: ArrayRef = Arc::new(of(&rows, integers).collect::<Int64Array>());
                LookedUp { kind: ColumnKind::Int, values, dictionary: Vec::new() }
            }
            Values::Number(numbers) => {
                let values: ArrayRef = Arc::new(of(&rows, numbers).collect::<Float64Array>());
                LookedUp { kind: ColumnKind::Float, values, dictionary: Vec::new() }
            }
        })
    }
}

fn of<T: Clone>(rows: &[Option<usize>], values: &[Option<T>]) -> impl Iterator<Item = Option<T>> {
    rows.iter().map(|row| values.get((*row)?).cloned().flatten())
}
