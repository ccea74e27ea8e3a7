use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};
use encoding_rs::{Encoding as Charset, SHIFT_JIS, UTF_8};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use sekisho_vault::Zeroizing;

use super::bounded::{Bounded, MAX_ROW, TooLong};
use super::headers::Headers;
use super::{Digest, HashedReader, Rows, io_error};
use crate::process::{FieldError, MAX_FIELD_BYTES};
use crate::{IngestError, SourceError};

/// What stands in for bytes that the encoding does not know.
const REPLACEMENT: char = '\u{fffd}';

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

    /// A short text that was read whole, without its byte-order mark.
    ///
    /// # Errors
    /// [`IngestError::IdEncoding`] when it is not so encoded.
    pub fn decode_id(self, bytes: &[u8]) -> Result<Zeroizing<String>, IngestError> {
        match self.charset().decode_with_bom_removal(bytes) {
            (text, false) => Ok(Zeroizing::new(text.into_owned())),
            _ => Err(IngestError::IdEncoding { encoding: self.name() }),
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
    reader: Records,
    record: ByteRecord,
    headers: Vec<String>,
    hash: Digest,
}

impl CsvRows {
    /// Opens the file and reads its header line.
    pub(crate) fn open(file: &Path, encoding: Encoding) -> Result<Self, IngestError> {
        let (decoded, hash) = decoded(file, encoding)?;
        let reader = records(decoded);
        let (record, headers) = (ByteRecord::new(), Vec::new());
        let mut rows = Self { file: file.to_owned(), encoding, reader, record, headers, hash };
        if !rows.advance()? {
            return Err(whole(file, "source.empty_file", "the file is empty"));
        }
        rows.headers = rows.read_headers()?;
        Ok(rows)
    }

    fn error(&self, code: &'static str, line: u64, column: String, reason: &str) -> IngestError {
        let error = SourceError { code, line, column, reason: reason.to_owned() };
        IngestError::Source { file: self.file.clone(), errors: vec![error] }
    }

    fn read_headers(&self) -> Result<Vec<String>, IngestError> {
        let mut headers = Headers::default();
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
            headers.add(name).map_err(|(code, reason)| bad(code, &reason))?;
        }
        Ok(headers.into_names())
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

/// A file read as UTF-8, record by record, none longer than [`MAX_ROW`].
pub(super) type Records = Reader<Bounded<DecodeReaderBytes<HashedReader, Vec<u8>>>>;

/// Records of a file that may differ in length; errors of that kind are ours to report.
pub(super) fn records(decoded: DecodeReaderBytes<HashedReader, Vec<u8>>) -> Records {
    let bounded = Bounded::new(decoded);
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded)
}

/// Reads the next record; false at the end.
pub(super) fn next_record(
    reader: &mut Records,
    record: &mut ByteRecord,
    file: &Path,
) -> Result<bool, IngestError> {
    let line = reader.position().line();
    reader.get_mut().begin_row();
    reader.read_byte_record(record).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(source)
            if source.get_ref().is_some_and(|error| error.is::<TooLong>()) =>
        {
            let reason = format!("longer than {MAX_ROW} bytes: is a quote not closed?");
            let (code, column) = ("source.long_row", String::new());
            let errors = vec![SourceError { code, line, column, reason }];
            IngestError::Source { file: file.to_owned(), errors }
        }
        csv::ErrorKind::Io(source) => io_error(file, source),
        // Rows of unequal length are let through and reported by us; nothing else can go
        // wrong when reading bytes.
        _ => whole(file, "source.bad_row", "not readable as CSV"),
    })
}

/// A field as text, or that it holds what the encoding does not know.
pub(super) fn text<'a>(
    field: &'a [u8],
    header: &str,
    encoding: Encoding,
) -> Result<&'a str, FieldError> {
    let text = std::str::from_utf8(field).ok().filter(|text| !text.contains(REPLACEMENT));
    text.ok_or_else(|| FieldError {
        code: "source.bad_encoding",
        column: header.to_owned(),
        reason: format!("not {}", encoding.name()),
    })
}

/// An error of a whole file.
pub(super) fn whole(file: &Path, code: &'static str, reason: &str) -> IngestError {
    let error = SourceError { code, line: 0, column: String::new(), reason: reason.to_owned() };
    IngestError::Source { file: file.to_owned(), errors: vec![error] }
}

impl Rows for CsvRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        next_record(&mut self.reader, &mut self.record, &self.file)
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn bytes(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::byte)
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        if self.record.len() != self.headers.len() {
            let (found, wanted) = (self.record.len(), self.headers.len());
            let reason = format!("{found} fields, the header has {wanted}");
            let (code, column) = ("source.bad_row", String::new());
            return Err(FieldError { code, column, reason });
        }
        let fields = self.record.iter().zip(&self.headers);
        fields.map(|(field, header)| text(field, header, self.encoding)).collect()
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.finish()
    }
}
