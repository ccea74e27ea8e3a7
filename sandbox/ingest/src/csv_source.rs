//! Tables from CSV files (RFC 4180, UTF-8, one header line).

mod fields;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use csv::{ByteRecord, ReaderBuilder};
use sekisho_dataset::{Profile, ROW_NUMBER, TableSpec};
use sha2::{Digest as _, Sha256};

use crate::{IngestError, PatientTokens, SourceError};
use fields::{FieldReader, MAX_FIELD_BYTES};

/// Errors listed for one file; a file with more is wrong as a whole.
const MAX_ERRORS: usize = 20;
/// Rows of a batch handed on.
const BATCH_ROWS: usize = 8192;

/// What was read from one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// Data rows.
    pub rows: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
}

/// Reads one table's file and hands its rows on in batches of the table's source schema.
/// `step` is told the bytes read so far. All errors of the file are reported together, at
/// most twenty.
pub fn read_file(
    file: &Path,
    profile: &Profile,
    table: &TableSpec,
    tokens: &mut PatientTokens,
    step: &mut dyn FnMut(u64),
    sink: &mut dyn FnMut(RecordBatch) -> Result<(), IngestError>,
) -> Result<FileRead, IngestError> {
    let mut reading = Reading { file: file.to_owned(), errors: Vec::new() };
    let opened = File::open(file).map_err(|source| io_error(file, source))?;
    let mut hashed = HashedReader { inner: opened, hash: Sha256::new() };
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&mut hashed);
    let mut record = ByteRecord::new();
    if !reading.next(reader.read_byte_record(&mut record))? {
        return Err(reading.whole("source.empty_file", "the file is empty"));
    }
    let headers = reading.headers(&record)?;
    let row = reading.places(&headers, profile, table)?;
    let mut rows = 0_u64;
    let mut batch = FieldReader::batch(table);
    while reading.next(reader.read_byte_record(&mut record))? {
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() == headers.len() {
            row.read(&record, line, rows, tokens, &mut batch, &mut reading.errors)?;
        } else {
            let reason = format!("{} fields, the header has {}", record.len(), headers.len());
            reading.add("source.bad_row", line, "", reason);
        }
        if reading.errors.len() >= MAX_ERRORS {
            return Err(reading.failed());
        }
        if batch.rows() == BATCH_ROWS {
            step(record.position().map_or(0, csv::Position::byte));
            reading.hand_on(&mut batch, sink)?;
        }
    }
    if rows == 0 {
        return Err(reading.whole("source.empty_file", "the file has a header and no rows"));
    }
    reading.hand_on(&mut batch, sink)?;
    if !reading.errors.is_empty() {
        return Err(reading.failed());
    }
    drop(reader);
    Ok(FileRead { rows, sha256: hashed.hash.finalize().into() })
}

/// The state of reading one file: which it is and what is wrong with it so far.
struct Reading {
    file: PathBuf,
    errors: Vec<SourceError>,
}

impl Reading {
    fn next(&self, read: csv::Result<bool>) -> Result<bool, IngestError> {
        read.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => io_error(&self.file, source),
            // Rows of unequal length are let through and reported by us; nothing else can
            // go wrong when reading bytes.
            _ => self.whole("source.bad_row", "not readable as CSV"),
        })
    }

    fn headers(&self, record: &ByteRecord) -> Result<Vec<String>, IngestError> {
        let mut headers = Vec::new();
        for (index, field) in record.iter().enumerate() {
            // Spreadsheets put a byte-order mark before the first header.
            let field = match field.strip_prefix(b"\xef\xbb\xbf") {
                Some(rest) if index == 0 => rest,
                _ => field,
            };
            let name = String::from_utf8(field.trim_ascii().to_vec()).map_err(|_| {
                self.header("source.invalid_utf8", index, "the header is not UTF-8")
            })?;
            if name.len() > MAX_FIELD_BYTES {
                return Err(self.header("source.long_field", index, "the header is too long"));
            }
            if headers.contains(&name) {
                return Err(self.header(
                    "source.duplicate_column",
                    index,
                    "the header stands twice",
                ));
            }
            headers.push(name);
        }
        Ok(headers)
    }

    fn places(
        &self,
        headers: &[String],
        profile: &Profile,
        table: &TableSpec,
    ) -> Result<FieldReader, IngestError> {
        let mut errors = Vec::new();
        let mut places = Vec::new();
        for column in &table.columns {
            let place = headers.iter().position(|header| *header == column.source);
            if place.is_none() && column.source != ROW_NUMBER {
                errors.push(SourceError {
                    code: "source.missing_column",
                    line: 1,
                    column: column.source.clone(),
                    reason: format!("the file has no such header, column {} needs it", column.name),
                });
            }
            places.push(place);
        }
        if !errors.is_empty() {
            return Err(IngestError::Source { file: self.file.clone(), errors });
        }
        Ok(FieldReader::new(profile, table, places))
    }

    fn hand_on(
        &self,
        batch: &mut fields::BatchBuilder,
        sink: &mut dyn FnMut(RecordBatch) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        let rows = batch.rows();
        let taken = batch.take()?;
        // Once something is wrong the rest is read for its errors only.
        if rows == 0 || !self.errors.is_empty() { Ok(()) } else { sink(taken) }
    }

    fn add(&mut self, code: &'static str, line: u64, column: &str, reason: String) {
        self.errors.push(SourceError { code, line, column: column.to_owned(), reason });
    }

    fn failed(self) -> IngestError {
        IngestError::Source { file: self.file, errors: self.errors }
    }

    fn whole(&self, code: &'static str, reason: &str) -> IngestError {
        let column = String::new();
        let error = SourceError { code, line: 0, column, reason: reason.to_owned() };
        IngestError::Source { file: self.file.clone(), errors: vec![error] }
    }

    fn header(&self, code: &'static str, index: usize, reason: &str) -> IngestError {
        let column = format!("number {}", index + 1);
        let error = SourceError { code, line: 1, column, reason: reason.to_owned() };
        IngestError::Source { file: self.file.clone(), errors: vec![error] }
    }
}

/// Hashes what is read through it.
struct HashedReader {
    inner: File,
    hash: Sha256,
}

impl Read for HashedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

fn io_error(file: &Path, source: io::Error) -> IngestError {
    IngestError::Io { path: file.to_owned(), doing: "reading", source }
}

#[cfg(test)]
mod tests;
