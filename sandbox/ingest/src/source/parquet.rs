use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{Rows, io_error, sha256_of};
use crate::process::FieldError;
use crate::{IngestError, SourceError};

/// Rows decoded at once.
const BATCH_ROWS: usize = 4_096;

/// Rows of a Parquet file whose columns are plain values. Every value is taken as the text
/// that a CSV file would hold, so that rules and errors are the same.
pub(crate) struct ParquetRows {
    file: PathBuf,
    reader: ParquetRecordBatchReader,
    headers: Vec<String>,
    /// What stands for a null: a text that the profile counts as missing.
    null: String,
    columns: Vec<StringArray>,
    at: usize,
    row: u64,
    rows: u64,
    bytes: u64,
    digest: [u8; 32],
}

impl ParquetRows {
    /// Opens the file, reads its schema, and hashes it: its parts are not read in order.
    pub(crate) fn open(file: &Path, null: &str) -> Result<Self, IngestError> {
        let bytes = fs::metadata(file).map_err(|source| io_error(file, source))?.len();
        let digest = sha256_of(file)?;
        let opened = File::open(file).map_err(|source| io_error(file, source))?;
        let unreadable = |_| whole(file, "source.not_parquet", "", "not readable as Parquet");
        let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(unreadable)?;
        let rows = builder.metadata().file_metadata().num_rows();
        let mut headers = Vec::new();
        for field in builder.schema().fields() {
            if field.data_type().is_nested() || !can_cast_types(field.data_type(), &DataType::Utf8)
            {
                let reason = "the column holds no plain values";
                return Err(whole(file, "source.bad_type", field.name(), reason));
            }
            if headers.contains(field.name()) {
                let reason = "the column stands twice";
                return Err(whole(file, "source.duplicate_column", field.name(), reason));
            }
            headers.push(field.name().clone());
        }
        Ok(Self {
            file: file.to_owned(),
            reader: builder.with_batch_size(BATCH_ROWS).build().map_err(unreadable)?,
            headers,
            null: null.to_owned(),
            columns: Vec::new(),
            at: 0,
            row: 0,
            rows: u64::try_from(rows).unwrap_or(0),
            bytes,
            digest,
        })
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), IngestError> {
        self.columns.clear();
        for (column, header) in batch.columns().iter().zip(&self.headers) {
            let bad = || whole(&self.file, "source.bad_type", header, "cannot be read as text");
            let texts = cast(column, &DataType::Utf8).map_err(|_| bad())?;
            // A value that has no text must not be taken for one that is missing.
            if texts.null_count() != column.logical_null_count() {
                return Err(bad());
            }
            let texts = texts.as_any().downcast_ref::<StringArray>().cloned();
            self.columns.push(texts.ok_or_else(bad)?);
        }
        Ok(())
    }
}

impl Rows for ParquetRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        self.at += 1;
        while self.columns.first().is_none_or(|column| self.at >= column.len()) {
            let damaged = |_| whole(&self.file, "source.not_parquet", "", "damaged Parquet");
            let Some(batch) = self.reader.next().transpose().map_err(damaged)? else {
                return Ok(false);
            };
            self.take(&batch)?;
            self.at = 0;
            if self.columns.is_empty() {
                return Ok(false);
            }
        }
        self.row += 1;
        Ok(true)
    }

    /// Parquet has no lines: the number of the row.
    fn line(&self) -> u64 {
        self.row
    }

    fn bytes(&self) -> u64 {
        let read = u128::from(self.bytes) * u128::from(self.row);
        u64::try_from(read / u128::from(self.rows.max(1))).unwrap_or(self.bytes)
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        let field = |column: &StringArray| column.is_valid(self.at);
        let fields = self.columns.iter();
        Ok(fields
            .map(|column| if field(column) { column.value(self.at) } else { self.null.as_str() })
            .collect())
    }

    fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

fn whole(file: &Path, code: &'static str, column: &str, reason: &str) -> IngestError {
    let (column, reason) = (column.to_owned(), reason.to_owned());
    let error = SourceError { code, line: 0, column, reason };
    IngestError::Source { file: file.to_owned(), errors: vec![error] }
}
