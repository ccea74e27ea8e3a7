//! Whether the secret by which a profile moves a person's dates stays one.

use super::toml_reader::TableReader;
use super::{ColumnSpec, Kind, Precision, Rule, TableSpec};

/// Refuses what would tell by how many days a person's dates are moved (DP-4), with the code
/// `profile.mixed_dates`: days of the same profile that stay, another shift, or what remains
/// of a moved date under a second rule. `readers` are those of the tables.
pub(super) fn check(readers: &[TableReader<'_, '_>], tables: &[TableSpec]) {
    let Some(days) = shift_days(tables) else { return };
    for (reader, table) in readers.iter().zip(tables) {
        for column in reader.optional_tables("columns") {
            let name = column.optional_text("name").unwrap_or_default();
            let Some(reason) = table.column(&name).and_then(|spec| wrong(spec, table, days)) else {
                continue;
            };
            column.refuse("profile.mixed_dates", "rule", format!("`{name}` {reason}"));
        }
    }
}

/// Most days by which the tables' dates are moved; `None` when they are not.
pub(super) fn shift_days(tables: &[TableSpec]) -> Option<u32> {
    let mut columns = tables.iter().flat_map(|table| &table.columns);
    columns.find_map(|column| match column.rule {
        Rule::DateShift { days } => Some(days),
        _ => None,
    })
}

/// Whether a column tells days as they were.
fn keeps_days(column: &ColumnSpec) -> bool {
    column.kind == Kind::Date && column.rule == Rule::Keep
}

/// Whether a column of a profile that moves no dates tells days or months as they were.
pub(super) fn keeps_months(column: &ColumnSpec) -> bool {
    keeps_days(column) || matches!(column.rule, Rule::DateTo(Precision::Month) | Rule::FreeText)
}

fn wrong(spec: &ColumnSpec, table: &TableSpec, days: u32) -> Option<&'static str> {
    let moved = |other: &ColumnSpec| {
        matches!(other.rule, Rule::DateShift { .. }) && other.source() == spec.source()
    };
    match spec.rule {
        Rule::Keep if keeps_days(spec) => {
            Some("stays as it is while other dates are moved: the difference would tell the shift")
        }
        Rule::DateShift { days: other } if other != days => {
            Some("is moved by another number of days than other dates")
        }
        Rule::DateTo(Precision::Month | Precision::Year) if table.columns.iter().any(moved) => {
            Some("is made of a date that another column moves")
        }
        _ => None,
    }
}
