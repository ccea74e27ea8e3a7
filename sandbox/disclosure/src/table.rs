use std::collections::BTreeMap;

use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::{Cell, ColumnRole, Table, TableColumn, TableRow};

use crate::rules::{Findings, Judged, judge};

/// Labels under which tables usually carry a total.
const TOTALS: [&str; 6] = ["total", "all", "overall", "全体", "合計", "総数"];
const DIGITS: usize = 4;

pub(crate) fn check(table: &Table, least: u64, findings: &mut Findings) {
    let has = |role| table.columns.iter().any(|c| c.role() == role);
    if !has(ColumnRole::PatientCount) {
        findings.add("no_patient_count", "the whole output");
    }
    for (at, row) in table.rows.iter().enumerate() {
        check_row(&table.columns, row, at + 1, least, findings);
    }
    for (column, spec) in table.columns.iter().enumerate() {
        let precise = table.rows.iter().filter_map(|r| r.cells.get(column)).any(too_precise);
        if spec.role() == ColumnRole::Statistic && precise {
            findings.add("excess_precision", format!("column {}", spec.name));
        }
        if spec.role() == ColumnRole::PatientCount {
            margins(table, column, least, findings);
        }
    }
}

fn check_row(
    columns: &[TableColumn],
    row: &TableRow,
    number: usize,
    least: u64,
    findings: &mut Findings,
) {
    let cells = || columns.iter().zip(&row.cells);
    let counts: Vec<Option<u64>> = cells()
        .filter(|(column, _)| column.role() == ColumnRole::PatientCount)
        .map(|(_, cell)| count(cell))
        .collect();
    let any = |judged| counts.iter().flatten().any(|&n| judge(n, least) == judged);
    let unknown = !counts.is_empty() && counts.iter().all(|n| n.is_none_or(|n| n == 0));
    for (column, cell) in cells() {
        let place = || format!("row {number}, column {}", column.name);
        match (column.role(), count(cell)) {
            (ColumnRole::PatientCount, Some(n)) => match judge(n, least) {
                Judged::Small => findings.add("small_cell", place()),
                Judged::Zero => findings.add("zero_cell", place()),
                Judged::Enough => {}
            },
            (ColumnRole::Count, Some(n)) if judge(n, least) == Judged::Small => {
                findings.add("small_count", place());
            }
            (ColumnRole::Statistic, _) if holds_number(cell) => {
                if any(Judged::Small) {
                    findings.add("small_statistic", place());
                } else if unknown {
                    findings.add("statistic_without_patients", place());
                }
            }
            _ => {}
        }
    }
}

/// Looks at rows that differ in one key only: does a total among them give a withheld or
/// small count away?
fn margins(table: &Table, column: usize, least: u64, findings: &mut Findings) {
    let keys: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, c)| c.role() == ColumnRole::Key)
        .map(|(at, _)| at)
        .collect();
    for &key in &keys {
        let mut groups: BTreeMap<Vec<&str>, Vec<(usize, &TableRow)>> = BTreeMap::new();
        for (at, row) in table.rows.iter().enumerate() {
            let others = keys.iter().filter(|k| **k != key).map(|&k| label(row, k));
            groups.entry(others.collect()).or_default().push((at + 1, row));
        }
        for rows in groups.values() {
            group_margin(rows, key, column, least, findings);
        }
    }
}

fn group_margin(
    rows: &[(usize, &TableRow)],
    key: usize,
    column: usize,
    least: u64,
    findings: &mut Findings,
) {
    let is_total = |row: &TableRow| TOTALS.contains(&label(row, key).to_lowercase().as_str());
    let (totals, parts): (Vec<_>, Vec<_>) = rows.iter().partition(|(_, row)| is_total(row));
    let cell = |row: &TableRow| row.cells.get(column).cloned().unwrap_or_default();
    let hidden: Vec<usize> = parts
        .iter()
        .filter(|(_, row)| matches!(cell(row).value, Some(Value::Suppressed(_))))
        .map(|(at, _)| *at)
        .collect();
    let total = totals.first().and_then(|(_, row)| count(&cell(row)));
    let Some(total) = total else {
        if let ([only], true) = (hidden.as_slice(), parts.len() > 1) {
            findings.add("single_withheld", format!("row {only}"));
        }
        return;
    };
    if let [only] = hidden.as_slice() {
        findings.add("differencing", format!("row {only}"));
    }
    for (at, row) in &parts {
        let rest = count(&cell(row)).map(|n| total.saturating_sub(n));
        if parts.len() > 1 && rest.is_some_and(|rest| judge(rest, least) == Judged::Small) {
            findings.add("differencing", format!("row {at} against the total"));
        }
    }
}

fn label(row: &TableRow, column: usize) -> &str {
    match row.cells.get(column).and_then(|c| c.value.as_ref()) {
        Some(Value::Label(label)) => label,
        _ => "",
    }
}

fn count(cell: &Cell) -> Option<u64> {
    match cell.value {
        Some(Value::Count(n)) => u64::try_from(n).ok(),
        _ => None,
    }
}

fn holds_number(cell: &Cell) -> bool {
    matches!(cell.value, Some(Value::Number(_) | Value::Count(_)))
}

fn too_precise(cell: &Cell) -> bool {
    matches!(cell.value, Some(Value::Number(value)) if precise(value))
}

/// Whether a number has more significant digits than a reviewer expects.
pub(crate) fn precise(value: f64) -> bool {
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    rounded != value
}
