//! Outputs drawn with text: tables, histogram bars, survival curves, coefficients.
//!
//! Start at [`checked_output`]. Invariant: nothing is computed here but positions on
//! the page; every number shown is one of the output's.

mod coefficients;
mod contingency;
mod histogram;
mod incidence;
mod survival;

use comfy_table::CellAlignment;
use sekisho_proto::v1::{
    Cell, CheckedOutput, ChiSquareTest, ColumnRole, Evidence, Finding, FindingSeverity, Output,
    Suppression, Table, cell, output::Body,
};

use crate::screen::{plain, table};

/// An output with what the host knows about it and what the check says.
#[must_use]
pub(crate) fn checked_output(checked: &CheckedOutput) -> String {
    let mut parts = Vec::new();
    if let Some(output) = &checked.output {
        parts.push(self::output(output));
    }
    if let Some(evidence) = &checked.evidence {
        parts.push(describe_evidence(evidence));
    }
    parts.push(findings(&checked.findings));
    parts.join("\n")
}

/// An output alone.
#[must_use]
pub(crate) fn output(output: &Output) -> String {
    let body = match &output.body {
        Some(Body::Table(body)) => draw_table(body),
        Some(Body::Histogram(body)) => histogram::draw(body),
        Some(Body::Survival(body)) => survival::draw(body),
        Some(Body::Contingency(body)) => contingency::draw(body),
        Some(Body::Incidence(body)) => incidence::draw(body),
        Some(Body::Coefficients(body)) => coefficients::draw(body),
        Some(Body::Text(body)) => printable(&body.text),
        None => "(empty)".to_owned(),
    };
    let (name, title) = (printable(&output.name), printable(&output.title));
    format!("{name} — {title}\n{body}")
}

/// What a disclosure check says, one line each.
#[must_use]
pub(crate) fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "disclosure check: nothing found".to_owned();
    }
    let mut lines = vec![format!("disclosure check: {} findings", findings.len())];
    for finding in findings {
        let severity = FindingSeverity::try_from(finding.severity).unwrap_or_default();
        lines.push(format!(
            "  {:7} {} at {}: {}",
            plain(severity.as_str_name(), "FINDING_SEVERITY_"),
            finding.code,
            finding.location,
            finding.advice
        ));
    }
    lines.join("\n")
}

fn describe_evidence(evidence: &Evidence) -> String {
    let verified = if evidence.host_verified {
        "counts verified by the host"
    } else {
        "counts are the module's claims"
    };
    format!(
        "evidence: {verified}; {} patients, {} rows read",
        evidence.patients, evidence.rows_read
    )
}

fn draw_table(body: &Table) -> String {
    let header: Vec<String> =
        body.columns.iter().map(|column| with_unit(&column.name, &column.unit)).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut rows = table(&header, &[]);
    for (index, column) in body.columns.iter().enumerate() {
        if column.role() != ColumnRole::Key
            && let Some(column) = rows.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in &body.rows {
        rows.add_row(row.cells.iter().map(draw_cell));
    }
    rows.trim_fmt()
}

fn draw_cell(cell: &Cell) -> String {
    match &cell.value {
        None => "–".to_owned(),
        Some(cell::Value::Label(label)) => printable(label),
        Some(cell::Value::Count(count)) => count.to_string(),
        Some(cell::Value::Number(number)) => self::number(*number),
        Some(cell::Value::Suppressed(reason)) => {
            let reason = Suppression::try_from(*reason).unwrap_or_default();
            format!("[{}]", plain(reason.as_str_name(), "SUPPRESSION_"))
        }
    }
}

fn with_unit(name: &str, unit: &str) -> String {
    match unit {
        "" => printable(name),
        unit => format!("{} [{}]", printable(name), printable(unit)),
    }
}

/// At most four decimals, none that say nothing.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:.4}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.to_owned()
}

/// A test against the chi-square distribution.
fn chi_square(name: &str, test: &ChiSquareTest) -> String {
    format!(
        "{name}: chi-square {} on {} degrees of freedom, p {}",
        number(test.chi_square),
        test.degrees_of_freedom,
        coefficients::p_value(test.p_value)
    )
}

/// Text of others on one line: control characters must not reach a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' => ' ',
            letter if letter.is_control() => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

/// `female, 40-49` for a key of several parts.
fn key(parts: &[String]) -> String {
    if parts.is_empty() {
        return "all".to_owned();
    }
    let parts: Vec<String> = parts.iter().map(|part| printable(part)).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use sekisho_proto::v1::{ShortText, TableColumn, TableRow};

    use super::*;

    fn cell(value: cell::Value) -> Cell {
        Cell { value: Some(value) }
    }

    fn example() -> Output {
        let column = |name: &str, unit: &str, role: ColumnRole| TableColumn {
            name: name.to_owned(),
            unit: unit.to_owned(),
            role: role.into(),
        };
        Output {
            name: "crosstab".to_owned(),
            title: "Age by sex".to_owned(),
            body: Some(Body::Table(Table {
                columns: vec![
                    column("sex", "", ColumnRole::Key),
                    column("patients", "", ColumnRole::PatientCount),
                    column("hba1c", "%", ColumnRole::Statistic),
                ],
                rows: vec![
                    TableRow {
                        cells: vec![
                            cell(cell::Value::Label("female".to_owned())),
                            cell(cell::Value::Count(120)),
                            cell(cell::Value::Number(6.25)),
                        ],
                    },
                    TableRow {
                        cells: vec![
                            cell(cell::Value::Label("male".to_owned())),
                            cell(cell::Value::Suppressed(Suppression::MinCell.into())),
                            Cell { value: None },
                        ],
                    },
                ],
            })),
        }
    }

    #[test]
    fn a_table_shows_units_missing_and_withheld_cells_apart() {
        let text = output(&example());
        assert!(text.contains("hba1c [%]"), "{text}");
        assert!(text.contains("6.25"), "{text}");
        assert!(text.contains("[min cell]"), "{text}");
        assert!(text.contains('–'), "{text}");
    }

    #[test]
    fn terminal_escapes_from_a_module_are_defused() {
        let mut bad = example();
        bad.title = "\u{1b}[2Jgone".to_owned();
        bad.body = Some(Body::Text(ShortText { text: "a\u{7}b".to_owned() }));
        let text = output(&bad);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }

    #[test]
    fn findings_name_code_place_and_advice() {
        let text = findings(&[Finding {
            code: "small_cell".to_owned(),
            severity: FindingSeverity::Block.into(),
            location: "row 2, column patients".to_owned(),
            advice: "merge groups".to_owned(),
        }]);
        assert!(text.contains("block"), "{text}");
        assert!(text.contains("small_cell at row 2"), "{text}");
        assert_eq!(findings(&[]), "disclosure check: nothing found");
    }

    #[test]
    fn numbers_lose_digits_that_say_nothing() {
        assert_eq!(number(310.0), "310");
        assert_eq!(number(0.123_456), "0.1235");
        assert_eq!(number(-2.5), "-2.5");
    }
}
