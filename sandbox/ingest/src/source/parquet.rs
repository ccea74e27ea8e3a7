mod pages;

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::headers::Headers;
use super::{HashedReader, Rows, changed, io_error, sha256_through};
use crate::process::FieldError;
use crate::{IngestError, SourceError};
use pages::{LIMITS, Refused};

/// Rows of a Parquet file whose columns are plain values. Every value is taken as the text
/// that a CSV file would hold, so that rules and errors are the same.
///
/// Memory is bounded before anything is decoded, whatever the file says of itself: see
/// [`pages`]. A damaged file over which the reader panics is refused like any other.
pub(crate) struct ParquetRows {
    file: PathBuf,
    opened: File,
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
        let failed = |source| io_error(file, source);
        let opened = File::open(file).map_err(failed)?;
        let bytes = opened.metadata().map_err(failed)?.len();
        let digest = digest(&opened, file)?;
        let copy = opened.try_clone().map_err(failed)?;
        let (reader, rows) = guarded(|| reader(copy, file))
            .ok_or_else(|| whole(file, "source.not_parquet", "", "not readable as Parquet"))??;
        let mut headers = Headers::default();
        for field in arrow::array::RecordBatchReader::schema(&reader).fields() {
            if field.data_type().is_nested() || !can_cast_types(field.data_type(), &DataType::Utf8)
            {
                let reason = "the column holds no plain values";
                return Err(whole(file, "source.bad_type", field.name(), reason));
            }
            let added = headers.add(field.name().clone());
            added.map_err(|(code, reason)| whole(file, code, field.name(), &reason))?;
        }
        Ok(Self {
            file: file.to_owned(),
            opened,
            reader,
            headers: headers.into_names(),
            null: null.to_owned(),
            columns: Vec::new(),
            at: 0,
            row: 0,
            rows,
            bytes,
            digest,
        })
    }

    /// The next rows; `None` when there are no more.
    fn next(&mut self) -> Result<Option<RecordBatch>, IngestError> {
        let damaged = || whole(&self.file, "source.not_parquet", "", "damaged Parquet");
        let reader = &mut self.reader;
        let next = guarded(|| reader.next().transpose()).ok_or_else(damaged)?;
        next.map_err(|_| damaged())
    }

    /// The reader goes to and fro, so only all of it at the end shows that it stayed as it was.
    fn end(&self) -> Result<bool, IngestError> {
        if digest(&self.opened, &self.file)? == self.digest {
            Ok(false)
        } else {
            Err(changed(&self.file))
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), IngestError> {
        self.columns.clear();
        for (column, header) in batch.columns().iter().zip(&self.headers) {
            let bad = || whole(&self.file, "source.bad_type", header, "cannot be read as text");
            let texts = guarded(|| cast(column, &DataType::Utf8)).ok_or_else(bad)?;
            let texts = texts.map_err(|_| bad())?;
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
            let Some(batch) = self.next()? else { return self.end() };
            self.take(&batch)?;
            self.at = 0;
            if self.columns.is_empty() {
                return self.end();
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

/// A reader of the whole file, and its number of rows.
fn reader(opened: File, file: &Path) -> Result<(ParquetRecordBatchReader, u64), IngestError> {
    let unreadable =
        |_: ParquetError| whole(file, "source.not_parquet", "", "not readable as Parquet");
    // Types are those of Parquet: what another program noted of its own would be obeyed.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let loaded = ArrowReaderMetadata::load(&opened, options).map_err(unreadable)?;
    let refused = |refused| match refused {
        Refused::NotParquet => {
            whole(file, "source.not_parquet", "", "its pages do not follow one another")
        }
        Refused::LargePage(column) => {
            let reason = "its pages are too large: write the file with smaller ones";
            whole(file, "source.large_page", &column, reason)
        }
        Refused::Encoding(column) => {
            let reason = "delta-encoded texts are not taken: write them plain or by dictionary";
            whole(file, "source.page_encoding", &column, reason)
        }
    };
    let batch_rows = pages::batch_rows(&opened, loaded.metadata(), LIMITS).map_err(refused)?;
    let rows = loaded.metadata().file_metadata().num_rows();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, loaded);
    let reader = builder.with_batch_size(batch_rows).build().map_err(unreadable)?;
    Ok((reader, u64::try_from(rows).unwrap_or(0)))
}

/// `None` when the reader of a damaged file panics; it is not used again.
fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// Hashes all of an open file.
fn digest(opened: &File, file: &Path) -> Result<[u8; 32], IngestError> {
    let failed = |source| io_error(file, source);
    let mut inner = opened.try_clone().map_err(failed)?;
    inner.seek(SeekFrom::Start(0)).map_err(failed)?;
    sha256_through(HashedReader { inner, hash: super::Digest::default() }, file)
}

fn whole(file: &Path, code: &'static str, column: &str, reason: &str) -> IngestError {
    let (column, reason) = (column.to_owned(), reason.to_owned());
    let error = SourceError { code, line: 0, column, reason };
    IngestError::Source { file: file.to_owned(), errors: vec![error] }
}

#[cfg(test)]
mod tests;
