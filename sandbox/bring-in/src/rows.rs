//! From the bytes of a CSV file to columns.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};

use crate::finding::{Findings, Refused, refused};
use crate::people::{looks, told_apart};
use crate::{Description, Kind, Table, Values};

/// Largest file, bytes.
pub const MAX_TABLE: usize = 4 * 1024 * 1024;
/// Most rows.
pub const MAX_ROWS: usize = 50_000;
/// Longest value, characters.
pub const MAX_VALUE_CHARS: usize = 80;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Reads the rows of a described table.
///
/// Errors: `table_too_large`, `table_encoding`, `table_syntax`, `table_header`, `table_empty`,
/// `too_many_rows`, `key_empty`, `key_duplicate`, `value_form`, `value_kind`,
/// `identifying_value`, `date_value`, `near_unique`.
pub(crate) fn read(description: Description, csv: &[u8]) -> Result<Table, Refused> {
    if csv.len() > MAX_TABLE {
        let message = format!("the table has more than {MAX_TABLE} bytes");
        return Err(refused("table_too_large", None, message));
    }
    let text = str::from_utf8(csv).map_err(|error| {
        let before = csv.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        refused("table_encoding", Some(line), "the table is not UTF-8")
    })?;
    let text = text.as_bytes();
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut record = StringRecord::new();
    let mut next = move |record: &mut StringRecord| {
        reader
            .read_record(record)
            .map_err(|error| refused("table_syntax", line(record), kind(&error)))
    };
    let wanted = description.columns.iter().map(|column| column.name.as_str());
    if !next(&mut record)? || !record.iter().eq(wanted) {
        let message = "the header line must name the described columns in their order";
        return Err(refused("table_header", Some(1), message));
    }
    let mut building = Building::new(description);
    while next(&mut record)? {
        building.row(&record)?;
    }
    building.finish()
}

fn line(record: &StringRecord) -> Option<u64> {
    record.position().map(csv::Position::line)
}

/// What is wrong with a record, without its content.
fn kind(error: &csv::Error) -> &'static str {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8",
        _ => "not readable as CSV",
    }
}

struct Building {
    table: Table,
    key: usize,
    findings: Findings,
}

impl Building {
    fn new(description: Description) -> Self {
        let values = description.columns.iter().map(|column| match column.kind {
            Kind::Code => Values::Code(Vec::new()),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Number => Values::Number(Vec::new()),
        });
        let (values, key) = (values.collect(), description.key_at());
        let (by_key, lines) = (HashMap::new(), Vec::new());
        let table = Table { description, values, by_key, lines };
        Self { table, key, findings: Findings::default() }
    }

    fn row(&mut self, record: &StringRecord) -> Result<(), Refused> {
        let (row, line) = (self.table.lines.len(), line(record).unwrap_or_default());
        if row == MAX_ROWS {
            let message = format!("more than {MAX_ROWS} rows");
            return Err(refused("too_many_rows", Some(line), message));
        }
        self.table.lines.push(line);
        let columns = &self.table.description.columns;
        if record.len() != columns.len() {
            let message = format!("{} fields; the header has {}", record.len(), columns.len());
            self.findings.add("table_syntax", Some(line), None, message);
            return Ok(());
        }
        for ((field, column), values) in record.iter().zip(columns).zip(&mut self.table.values) {
            let at = (Some(line), Some(column.name.as_str()));
            if let Err((code, message)) = form(field).and_then(|()| values.push(field)) {
                self.findings.add(code, at.0, at.1, message);
            }
            if let Some((code, pattern)) = looks(field, column.kind) {
                let message = format!("the value looks like one of a person: {pattern}");
                self.findings.add_identifying(code, at.0, at.1, message);
            }
        }
        let key = record.get(self.key).unwrap_or_default();
        let name = &self.table.description.key;
        if key.is_empty() {
            self.findings.add("key_empty", Some(line), Some(name), "the key is empty");
        } else if self.table.by_key.insert(key.to_owned(), row).is_some() {
            let message = "the key stands on an earlier line as well";
            self.findings.add("key_duplicate", Some(line), Some(name), message);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Table, Refused> {
        if self.table.lines.is_empty() {
            self.findings.add("table_empty", None, None, "the table has no rows");
        }
        told_apart(&self.table, &mut self.findings);
        self.findings.or(self.table)
    }
}

type Wrong = (&'static str, &'static str);

/// Whether a field is written as a value of any kind may be.
fn form(field: &str) -> Result<(), Wrong> {
    if field.chars().count() > MAX_VALUE_CHARS || field.chars().any(char::is_control) {
        return Err(("value_form", "a value has at most 80 characters, none of them control"));
    }
    if field.trim() != field {
        return Err(("value_form", "the value begins or ends with a space"));
    }
    Ok(())
}

impl Values {
    /// Adds the value a field holds; an empty field holds none.
    fn push(&mut self, field: &str) -> Result<(), Wrong> {
        let given = (!field.is_empty()).then_some(field);
        match self {
            Self::Code(values) => values.push(given.map(str::to_owned)),
            Self::Integer(values) => {
                let value = given.map(str::parse).transpose();
                values.push(value.map_err(|_| ("value_kind", "no whole number of 64 bits"))?);
            }
            Self::Number(values) => {
                let value: Option<f64> =
                    given.map(str::parse).transpose().map_err(|_| ("value_kind", "no number"))?;
                if value.is_some_and(|value| !value.is_finite()) {
                    return Err(("value_kind", "no finite number"));
                }
                values.push(value);
            }
        }
        Ok(())
    }
}
