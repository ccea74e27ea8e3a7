//! What the columns of a table must be to one another.

use super::toml_reader::TableReader;
use super::{ColumnSpec, Draw, Kind, Rule};

/// Most combinations of codes that the public may ask about in one table.
const MOST_QUICK_CELLS: usize = 10_000;

pub(super) fn check_quick_counts(
    reader: &TableReader<'_, '_>,
    names: &[String],
    columns: &[ColumnSpec],
    one_row_a_person: bool,
) {
    if names.is_empty() {
        return;
    }
    if !one_row_a_person {
        let reason = "persons can be added up only where there is one_row_a_person";
        reader.bad("quick_counts", reason.to_owned());
    }
    let mut cells = 1_usize;
    for name in names {
        match columns.iter().find(|column| column.name == *name) {
            // A missing value is one more.
            Some(column) if !column.codes.is_empty() => {
                cells = cells.saturating_mul(column.codes.len() + 1);
            }
            _ => reader.bad("quick_counts", format!("`{name}` is no column of declared codes")),
        }
    }
    if cells > MOST_QUICK_CELLS {
        let reason = format!("{cells} combinations, at most {MOST_QUICK_CELLS} are counted");
        reader.bad("quick_counts", reason);
    }
}

pub(super) fn check_columns(reader: &TableReader<'_, '_>, columns: &[ColumnSpec]) {
    let patients = columns.iter().filter(|column| column.kind == Kind::Patient).count();
    if patients != 1 {
        reader.bad("columns", format!("wanted exactly one patient column, found {patients}"));
    }
    for (index, column) in columns.iter().enumerate() {
        let earlier = columns.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| other.name == column.name) {
            reader.bad("columns", format!("column `{}` stands twice", column.name));
        }
        check_draw(reader, column, earlier);
        if let Some(name) = &column.unit_in {
            check_units(reader, column, columns.iter().find(|other| other.name == *name));
        }
        if let Some(first) = &column.not_before {
            check_order(reader, column, earlier.iter().find(|other| other.name == *first));
        }
    }
}

/// A value can be drawn by what was drawn before it.
fn check_draw(reader: &TableReader<'_, '_>, column: &ColumnSpec, earlier: &[ColumnSpec]) {
    let find = |name: &String, kind| {
        earlier.iter().find(|other| other.name == *name && other.kind == kind)
    };
    match column.dummy.as_ref().map(|dummy| &dummy.draw) {
        Some(Draw::PerCode { of, cases, .. }) => match find(of, Kind::Code) {
            None => {
                let reason = format!("`{}`: `{of}` is no earlier code column", column.name);
                reader.bad("columns", reason);
            }
            Some(by) => {
                let unknown =
                    |code: &&String| !by.codes.is_empty() && !by.codes.contains_key(*code);
                for code in cases.keys().filter(unknown) {
                    let reason = format!("`{}`: `{code}` is no code of `{of}`", column.name);
                    reader.bad("columns", reason);
                }
            }
        },
        Some(Draw::DaysAfter { of, .. }) => {
            let known = find(of, Kind::Date);
            if known.is_none_or(|first| first.nullable && !column.nullable) {
                let reason = format!(
                    "`{}`: `{of}` is no earlier date column, or may be missing where this may not",
                    column.name
                );
                reader.bad("columns", reason);
            }
        }
        _ => {}
    }
}

/// Units stand in a code column that takes those of all items.
fn check_units(reader: &TableReader<'_, '_>, column: &ColumnSpec, units: Option<&ColumnSpec>) {
    let Some(units) = units.filter(|units| units.kind == Kind::Code) else {
        let reason = format!("`{}`: unit_in is no code column", column.name);
        return reader.bad("columns", reason);
    };
    let items = column.items.iter().flat_map(|items| items.by_code.values());
    for unit in items.map(|item| &item.unit) {
        if !unit.is_empty() && !units.codes.is_empty() && !units.codes.contains_key(unit) {
            let reason =
                format!("`{}`: the unit `{unit}` is no code of `{}`", column.name, units.name);
            reader.bad("columns", reason);
        }
    }
}

/// Rules must leave the order of two dates as it was: one rule for both does.
fn check_order(reader: &TableReader<'_, '_>, column: &ColumnSpec, first: Option<&ColumnSpec>) {
    let kept = |first: &ColumnSpec| {
        let keeps = matches!(first.rule, Rule::Keep | Rule::DateTo(_) | Rule::DateShift { .. });
        first.kind == Kind::Date && keeps && first.rule == column.rule
    };
    if !first.is_some_and(kept) {
        let reason = format!(
            "`{}`: not_before wants an earlier date column under the same rule",
            column.name
        );
        reader.bad("columns", reason);
    }
}
