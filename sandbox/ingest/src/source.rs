//! Where rows come from. Every reader streams: its memory does not grow with its file.

mod bounded;
mod csv;
mod dicom;
mod fhir;
mod headers;
mod parquet;
mod receipt;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use sekisho_dataset::{Profile, TableSpec};
use sha2::{Digest as _, Sha256};

use crate::IngestError;
use crate::process::FieldError;
pub(crate) use csv::CsvRows;
pub use csv::Encoding;
use dicom::DicomRows;
use fhir::FhirRows;
use parquet::ParquetRows;
use receipt::ReceiptRows;

/// How a source is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One CSV file for each table (RFC 4180, one header line).
    Csv,
    /// One Parquet file of plain columns for each table.
    Parquet,
    /// One NDJSON file of FHIR R4 resources for each table.
    Fhir,
    /// One folder of DICOM files for each table, of which the headers are read.
    Dicom,
    /// One file of several record types for all tables, without a header line.
    Receipt,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Fhir => "fhir",
            Self::Dicom => "dicom",
            Self::Receipt => "receipt",
        }
    }

    /// Opens the rows of one table from the start of its file.
    pub(crate) fn open(
        self,
        file: &Path,
        encoding: Encoding,
        profile: &Profile,
        table: &TableSpec,
    ) -> Result<Box<dyn Rows>, IngestError> {
        Ok(match self {
            Self::Csv => Box::new(CsvRows::open(file, encoding)?),
            Self::Parquet => {
                let null = profile.missing.first().map_or("", String::as_str);
                Box::new(ParquetRows::open(file, null)?)
            }
            Self::Fhir => Box::new(FhirRows::open(file, table)?),
            Self::Dicom => Box::new(DicomRows::open(file, table)?),
            Self::Receipt => Box::new(ReceiptRows::open(file, encoding, profile, table)?),
        })
    }

    /// What [`Rows::digest`] gives after the last row.
    pub(crate) fn sha256(self, file: &Path, table: &TableSpec) -> Result<[u8; 32], IngestError> {
        if self != Self::Dicom {
            return sha256_of(file);
        }
        let mut rows = DicomRows::open(file, table)?;
        while rows.advance()? {}
        Ok(rows.digest())
    }

    /// How much there is to read, in what [`Rows::bytes`] counts; for a progress bar.
    pub(crate) fn size(self, file: &Path) -> u64 {
        match self {
            Self::Dicom => dicom::files(file),
            _ => fs::metadata(file).map_or(0, |found| found.len()),
        }
    }
}

/// The rows of one table, one after the other.
pub(crate) trait Rows {
    /// Names of the source columns.
    fn headers(&self) -> &[String];
    /// Goes on to the next row; false at the end.
    fn advance(&mut self) -> Result<bool, IngestError>;
    /// Line the present row begins in, counted from 1.
    fn line(&self) -> u64;
    /// Bytes read so far.
    fn bytes(&self) -> u64;
    /// The present row's fields in the order of the headers, or what is wrong with all of it.
    fn fields(&self) -> Result<Vec<&str>, FieldError>;
    /// Where the present row lies, if its line does not say it: for the reject file only, as
    /// names of files may name persons.
    fn place(&self) -> Option<&str> {
        None
    }
    /// SHA-256 of the source as far as it was read: of all of it after the last row.
    fn digest(&self) -> [u8; 32];
}

/// Hashes what is read through it.
struct HashedReader {
    inner: File,
    hash: Digest,
}

/// The hash of what was read so far; stays with whoever opened the file.
#[derive(Clone, Default)]
struct Digest(Rc<RefCell<Sha256>>);

impl Digest {
    fn finish(&self) -> [u8; 32] {
        self.0.borrow().clone().finalize().into()
    }
}

impl HashedReader {
    fn open(file: &Path) -> Result<Self, IngestError> {
        let inner = File::open(file).map_err(|source| io_error(file, source))?;
        Ok(Self { inner, hash: Digest::default() })
    }
}

fn sha256_of(file: &Path) -> Result<[u8; 32], IngestError> {
    sha256_through(HashedReader::open(file)?, file)
}

/// Hashes what is left of an open file.
fn sha256_through(mut hashed: HashedReader, file: &Path) -> Result<[u8; 32], IngestError> {
    io::copy(&mut hashed, &mut io::sink()).map_err(|source| io_error(file, source))?;
    Ok(hashed.hash.finish())
}

impl Read for HashedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.0.borrow_mut().update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The file was another when it was read before, in the same ingest.
pub(crate) fn changed(file: &Path) -> IngestError {
    csv::whole(file, "source.changed", "it changed while it was read: nothing is published")
}

fn io_error(file: &Path, source: io::Error) -> IngestError {
    IngestError::Io { path: file.to_owned(), doing: "reading", source }
}
