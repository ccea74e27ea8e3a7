use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    UInt64Builder,
};
use arrow::datatypes::SchemaRef;
use csv::ByteRecord;
use sekisho_dataset::{
    ColumnSpec, DatasetError, Kind, MAX_CODE_BYTES, Profile, TableSpec, date_days, source_schema,
};

use crate::{IngestError, PatientTokens, SourceError};

/// Longest field of any kind, in bytes.
pub(super) const MAX_FIELD_BYTES: usize = 1024;

/// Turns the fields of a row into values by the table's profile.
pub(super) struct FieldReader {
    columns: Vec<(ColumnSpec, Option<usize>)>,
    missing: Vec<Vec<u8>>,
}

/// Values of the rows read so far.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Values>,
    rows: usize,
}

enum Values {
    Tokens(UInt64Builder),
    Codes(StringBuilder),
    Ints(Int64Builder),
    Floats(Float64Builder),
    Dates(Date32Builder),
}

/// What is wrong with a field: code and reason.
type Wrong = (&'static str, String);

impl FieldReader {
    pub(super) fn new(profile: &Profile, table: &TableSpec, places: Vec<Option<usize>>) -> Self {
        Self {
            columns: table.columns.iter().cloned().zip(places).collect(),
            missing: profile.missing.iter().map(|text| text.clone().into_bytes()).collect(),
        }
    }

    pub(super) fn batch(table: &TableSpec) -> BatchBuilder {
        let values = |column: &ColumnSpec| match column.kind {
            Kind::Patient => Values::Tokens(UInt64Builder::new()),
            Kind::Code => Values::Codes(StringBuilder::new()),
            Kind::Int => Values::Ints(Int64Builder::new()),
            Kind::Float => Values::Floats(Float64Builder::new()),
            Kind::Date => Values::Dates(Date32Builder::new()),
        };
        let columns = table.columns.iter().map(values).collect();
        BatchBuilder { schema: source_schema(table), columns, rows: 0 }
    }

    /// Reads one row; what is wrong with it goes to `errors`, and a null in its place.
    pub(super) fn read(
        &self,
        record: &ByteRecord,
        line: u64,
        number: u64,
        tokens: &mut PatientTokens,
        batch: &mut BatchBuilder,
        errors: &mut Vec<SourceError>,
    ) -> Result<(), IngestError> {
        let row_number = number.to_string();
        for ((spec, place), values) in self.columns.iter().zip(&mut batch.columns) {
            let field = match place {
                Some(place) => record.get(*place).unwrap_or_default().trim_ascii(),
                None => row_number.as_bytes(),
            };
            let read = self.field(spec, place.is_some(), field);
            let text = read.unwrap_or_else(|(code, reason)| {
                errors.push(SourceError { code, line, column: spec.source.clone(), reason });
                None
            });
            let pushed = values.push(spec, text, tokens)?;
            if let Err((code, reason)) = pushed {
                errors.push(SourceError { code, line, column: spec.source.clone(), reason });
            }
        }
        batch.rows += 1;
        Ok(())
    }

    /// The field's text, or `None` when it is missing and may be.
    fn field<'f>(
        &self,
        spec: &ColumnSpec,
        can_miss: bool,
        field: &'f [u8],
    ) -> Result<Option<&'f str>, Wrong> {
        let longest = if spec.kind == Kind::Code { MAX_CODE_BYTES } else { MAX_FIELD_BYTES };
        if field.len() > longest {
            let reason = format!("{} bytes, at most {longest} are taken", field.len());
            return Err(("source.long_field", reason));
        }
        let missing = can_miss && self.missing.iter().any(|text| text == field);
        if missing && !spec.nullable {
            return Err(("source.missing_value", "a value is needed".to_owned()));
        }
        let text = std::str::from_utf8(field)
            .map_err(|_| ("source.invalid_utf8", "not UTF-8".to_owned()))?;
        Ok((!missing).then_some(text))
    }
}

impl Values {
    fn push(
        &mut self,
        spec: &ColumnSpec,
        text: Option<&str>,
        tokens: &mut PatientTokens,
    ) -> Result<Result<(), Wrong>, IngestError> {
        let mut wrong = Ok(());
        match self {
            Self::Tokens(values) => {
                let token = text.map(|text| tokens.token(text.as_bytes())).transpose()?;
                values.append_option(token);
            }
            Self::Codes(values) => {
                let declared = |code: &str| spec.codes.is_empty() || spec.codes.contains_key(code);
                if text.is_some_and(|code| !declared(code)) {
                    let reason = "not among the codes the profile declares".to_owned();
                    wrong = Err(("source.undeclared_code", reason));
                }
                values.append_option(text);
            }
            Self::Ints(values) => {
                let value = parsed(text, |text| text.parse().ok());
                wrong = bad(text, &value, "source.bad_number", "not a whole number");
                values.append_option(value);
            }
            Self::Floats(values) => {
                let value = parsed(text, finite);
                wrong = bad(text, &value, "source.bad_number", "not a finite decimal number");
                values.append_option(value);
            }
            Self::Dates(values) => {
                let value = parsed(text, date_days);
                let reason = "not a date YYYY-MM-DD from 1850 to 2200";
                wrong = bad(text, &value, "source.bad_date", reason);
                values.append_option(value);
            }
        }
        Ok(wrong)
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Tokens(values) => Arc::new(values.finish()),
            Self::Codes(values) => Arc::new(values.finish()),
            Self::Ints(values) => Arc::new(values.finish()),
            Self::Floats(values) => Arc::new(values.finish()),
            Self::Dates(values) => Arc::new(values.finish()),
        }
    }
}

impl BatchBuilder {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows read so far; starts anew. After errors the batch may hold nulls where none
    /// may be: it comes back empty then.
    pub(super) fn take(&mut self) -> Result<RecordBatch, IngestError> {
        self.rows = 0;
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Values::finish).collect();
        let fields = self.schema.fields().iter().zip(&arrays);
        let whole =
            fields.into_iter().all(|(field, array)| field.is_nullable() || array.null_count() == 0);
        if !whole {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| IngestError::Dataset(DatasetError::Arrow(error)))
    }
}

fn parsed<T>(text: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    text.and_then(parse)
}

fn bad<T>(
    text: Option<&str>,
    value: &Option<T>,
    code: &'static str,
    reason: &str,
) -> Result<(), Wrong> {
    match (text, value) {
        (Some(_), None) => Err((code, reason.to_owned())),
        _ => Ok(()),
    }
}

/// A decimal number; Rust would also take `inf`, `nan` and their spellings.
fn finite(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let number: f64 = text.bytes().all(plain).then(|| text.parse().ok()).flatten()?;
    number.is_finite().then_some(number)
}
