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

/// Numbers from here on are no longer whole ones of their own (2^53).
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// The code and the pattern of a value that looks like one of a person or a day. Of a number
/// its whole part can, however it is written.
pub(crate) fn looks(field: &str, kind: Kind) -> Option<(&'static str, &'static str)> {
    let pattern = match kind {
        Kind::Code => sekisho_identifying::value(field),
        Kind::Integer | Kind::Number => number_looks(field),
    };
    match pattern? {
        DATE => Some(("date_value", DATE)),
        pattern => Some(("identifying_value", pattern)),
    }
}

/// The pattern of a number's whole part: as it is written, where zeros may stand in front, or
/// as it is read; behind a plus also as a telephone number, which may lack its first zero.
fn number_looks(field: &str) -> Option<&'static str> {
    let unsigned = field.trim_start_matches(['+', '-']);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let written = unsigned.get(..digits).unwrap_or_default();
    let value = field.parse::<f64>().ok().filter(|value| value.abs() < WHOLE);
    let read = value.map_or_else(String::new, |value| format!("{}", value.abs().trunc()));
    let mut shapes = vec![written.to_owned(), read.clone()];
    if field.starts_with('+') {
        shapes.extend([format!("+{read}"), format!("0{read}")]);
    }
    shapes.iter().find_map(|shape| sekisho_identifying::value(shape))
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
