//! Whether a table may say something about a person (RI-1): what its values look like, and
//! whether a column tells its rows apart as a person's number would.

use std::collections::BTreeSet;

use sekisho_identifying::DATE;

use crate::finding::Findings;
use crate::{Kind, Table, Values};

/// Rows from which distinct values are counted.
const ROWS_TO_COUNT: usize = 20;
/// Of this many values in a hundred, more must not be distinct.
const DISTINCT_PERCENT: usize = 90;
/// Numbers as large as this are rather numbers of something than amounts.
const NUMBERED: u32 = 1_000_000;

/// The code and the pattern of a value that looks like one of a person or a day. Of numbers,
/// only whole ones can.
pub(crate) fn looks(field: &str, kind: Kind) -> Option<(&'static str, &'static str)> {
    if kind != Kind::Code && !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match sekisho_identifying::value(field)? {
        DATE => Some(("date_value", DATE)),
        pattern => Some(("identifying_value", pattern)),
    }
}

/// Columns beside the key that tell the rows apart: `near_unique`.
pub(crate) fn told_apart(table: &Table, findings: &mut Findings) {
    for (column, values) in table.description.columns.iter().zip(&table.values) {
        if column.name != table.description.key && nearly_unique(values) {
            let message = "nearly every row has a value of its own, as numbers of persons have";
            findings.add_identifying("near_unique", None, Some(&column.name), message);
        }
    }
}

fn nearly_unique(values: &Values) -> bool {
    match values {
        Values::Code(values) => mostly_distinct(values.iter().flatten()),
        Values::Integer(values) => {
            let given = values.iter().flatten();
            let numbered = |v: &i64| v.unsigned_abs() >= NUMBERED.into();
            given.clone().all(numbered) && mostly_distinct(given)
        }
        Values::Number(values) => {
            let given = values.iter().flatten();
            let numbered = |v: &f64| v.abs() >= NUMBERED.into() && v.fract() == 0.0;
            given.clone().all(numbered) && mostly_distinct(given.map(|v| v.to_bits()))
        }
    }
}

fn mostly_distinct<T: Ord>(values: impl Iterator<Item = T> + Clone) -> bool {
    let rows = values.clone().count();
    let distinct = values.collect::<BTreeSet<_>>().len();
    rows >= ROWS_TO_COUNT && distinct * 100 > rows * DISTINCT_PERCENT
}
