use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};
use encoding_rs::{Encoding as Charset, SHIFT_JIS, UTF_8};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::{Digest, HashedReader, Rows, io_error};
use crate::process::{FieldError, MAX_FIELD_BYTES};
use crate::{IngestError, SourceError};

/// What stands in for bytes that the encoding does not know.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// How a text file is encoded. Never guessed: a wrong guess changes names in silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[default]
    Utf8,
    /// Shift_JIS as Windows writes it (CP932), the encoding of receipt files.
    Cp932,
}

impl Encoding {
    fn charset(self) -> &'static Charset {
        match self {
            Self::Utf8 => UTF_8,
            Self::Cp932 => SHIFT_JIS,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Cp932 => "Shift_JIS (CP932)",
        }
    }
}

/// Rows of a CSV file (RFC 4180, one header line).
pub(crate) struct CsvRows {
    file: PathBuf,
    encoding: Encoding,
    reader: Reader<DecodeReaderBytes<HashedReader, Vec<u8>>>,
    record: ByteRecord,
    headers: Vec<String>,
    hash: Digest,
}

impl CsvRows {
    /// Opens the file and reads its header line.
    pub(crate) fn open(file: &Path, encoding: Encoding) -> Result<Self, IngestError> {
        let (decoded, hash) = decoded(file, encoding)?;
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(decoded);
        let (record, headers) = (ByteRecord::new(), Vec::new());
        let mut rows = Self { file: file.to_owned(), encoding, reader, record, headers, hash };
        if !rows.advance()? {
            return Err(rows.whole("source.empty_file", "the file is empty"));
        }
        rows.headers = rows.read_headers()?;
        Ok(rows)
    }

    /// An error of the whole file.
    pub(crate) fn whole(&self, code: &'static str, reason: &str) -> IngestError {
        self.error(code, 0, String::new(), reason)
    }

    fn error(&self, code: &'static str, line: u64, column: String, reason: &str) -> IngestError {
        let error = SourceError { code, line, column, reason: reason.to_owned() };
        IngestError::Source { file: self.file.clone(), errors: vec![error] }
    }

    fn read_headers(&self) -> Result<Vec<String>, IngestError> {
        let mut headers = Vec::new();
        for (index, field) in self.record.iter().enumerate() {
            let bad =
                |code, reason: &str| self.error(code, 1, format!("number {}", index + 1), reason);
            let name = String::from_utf8_lossy(field.trim_ascii()).into_owned();
            if name.contains(REPLACEMENT) {
                let reason = format!("the header is not {}", self.encoding.name());
                return Err(bad("source.bad_encoding", &reason));
            }
            if name.len() > MAX_FIELD_BYTES {
                return Err(bad("source.long_field", "the header is too long"));
            }
            if headers.contains(&name) {
                return Err(bad("source.duplicate_column", "the header stands twice"));
            }
            headers.push(name);
        }
        Ok(headers)
    }
}

/// Opens a file to be read as UTF-8. Bytes that the encoding does not know come out as U+FFFD
/// and are then refused where they stand.
pub(super) fn decoded(
    file: &Path,
    encoding: Encoding,
) -> Result<(DecodeReaderBytes<HashedReader, Vec<u8>>, Digest), IngestError> {
    let source = HashedReader::open(file)?;
    let hash = source.hash.clone();
    let mut builder = DecodeReaderBytesBuilder::new();
    let decoded = builder.encoding(Some(encoding.charset())).strip_bom(true).build(source);
    Ok((decoded, hash))
}

impl Rows for CsvRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        self.reader.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => io_error(&self.file, source),
            // Rows of unequal length are let through and reported by us; nothing else can
            // go wrong when reading bytes.
            _ => self.whole("source.bad_row", "not readable as CSV"),
        })
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn bytes(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::byte)
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        let wrong = |code, column: &str, reason: String| FieldError {
            code,
            column: column.to_owned(),
            reason,
        };
        if self.record.len() != self.headers.len() {
            let (found, wanted) = (self.record.len(), self.headers.len());
            let reason = format!("{found} fields, the header has {wanted}");
            return Err(wrong("source.bad_row", "", reason));
        }
        let fields = self.record.iter().zip(&self.headers).map(|(field, header)| {
            let text = std::str::from_utf8(field).ok();
            text.filter(|text| !text.contains(REPLACEMENT)).ok_or_else(|| {
                wrong("source.bad_encoding", header, format!("not {}", self.encoding.name()))
            })
        });
        fields.collect()
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.finish()
    }
}
