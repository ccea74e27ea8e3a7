use std::path::{Path, PathBuf};

use csv::ByteRecord;
use sekisho_dataset::{Kind, Profile, TableSpec};

use super::csv::{Records, decoded, next_record, records, text};
use super::{Digest, Encoding, Rows};
use crate::IngestError;
use crate::process::FieldError;

/// Rows of one record type in a file of several: a receipt (レセプト) begins with a record of
/// the first type the profile names (RE), and the records after it (IR, HO, SY, SI, IY)
/// belong to it. Every row carries the fields of its beginning that say whose it is.
///
/// The file is read once for each table, so memory holds one record whatever its size.
pub(crate) struct ReceiptRows {
    file: PathBuf,
    reader: Records,
    hash: Digest,
    encoding: Encoding,
    record: ByteRecord,
    /// The wanted record type, and all that the profile knows.
    wanted: String,
    known: Vec<String>,
    headers: Vec<String>,
    /// How many of the headers are the record's own.
    own: usize,
    /// Places in the beginning record of the fields that are carried on.
    carried: Vec<usize>,
    begin: Beginning,
}

/// The record a receipt begins with.
struct Beginning {
    record: String,
    fields: usize,
    /// What is carried on from the present one; `None` before the first, or when it is bad.
    present: Option<Vec<String>>,
}

impl ReceiptRows {
    pub(crate) fn open(
        file: &Path,
        encoding: Encoding,
        profile: &Profile,
        table: &TableSpec,
    ) -> Result<Self, IngestError> {
        let mut typed =
            profile.tables.iter().filter_map(|table| Some((table, table.record.as_ref()?)));
        let lacking = |name: &str| {
            let reason = "the profile says neither its record type nor its fields".to_owned();
            IngestError::Tables { table: name.to_owned(), reason }
        };
        let (first, begin) = typed.next().ok_or_else(|| lacking(&table.name))?;
        let wanted = table.record.clone().ok_or_else(|| lacking(&table.name))?;
        if table.fields.is_empty() || first.fields.is_empty() {
            return Err(lacking(&table.name));
        }
        let mut headers = table.fields.clone();
        let own = headers.len();
        let patient = table.columns.iter().find(|column| column.kind == Kind::Patient);
        let mut carried = Vec::new();
        for source in patient.into_iter().flat_map(|column| &column.sources) {
            if let (false, Some(place)) =
                (headers.contains(source), first.fields.iter().position(|field| field == source))
            {
                carried.push(place);
                headers.push(source.clone());
            }
        }
        let (decoder, hash) = decoded(file, encoding)?;
        let begin = Beginning { record: begin.clone(), fields: first.fields.len(), present: None };
        Ok(Self {
            file: file.to_owned(),
            reader: records(decoder),
            hash,
            encoding,
            record: ByteRecord::new(),
            wanted,
            known: typed.map(|(_, record)| record.clone()).chain([begin.record.clone()]).collect(),
            headers,
            own,
            carried,
            begin,
        })
    }

    fn kind(&self) -> &[u8] {
        self.record.get(0).unwrap_or_default().trim_ascii()
    }

    fn begin(&mut self) {
        let whole = self.record.len() == self.begin.fields;
        let field = |place: &usize| {
            let text = text(self.record.get(*place)?, "", self.encoding).ok()?;
            Some(text.trim().to_owned())
        };
        self.begin.present = whole.then(|| self.carried.iter().map(field).collect()).flatten();
    }

    /// Whether the present record is for this table. Records of no table are told of by the
    /// table that begins receipts, so that none vanishes.
    fn is_ours(&self) -> bool {
        let kind = self.kind();
        let unknown = !self.known.iter().any(|known| known.as_bytes() == kind);
        kind == self.wanted.as_bytes() || (unknown && self.wanted == self.begin.record)
    }
}

impl Rows for ReceiptRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        loop {
            if !next_record(&mut self.reader, &mut self.record, &self.file)? {
                return Ok(false);
            }
            if self.kind() == self.begin.record.as_bytes() {
                self.begin();
            }
            if self.is_ours() {
                return Ok(true);
            }
        }
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn bytes(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::byte)
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        let wrong = |code, reason| FieldError { code, column: String::new(), reason };
        if self.kind() != self.wanted.as_bytes() {
            let reason = "no table of the profile has this record type".to_owned();
            return Err(wrong("source.unknown_record", reason));
        }
        if self.record.len() != self.own {
            let (found, wanted) = (self.record.len(), self.own);
            return Err(wrong("source.bad_row", format!("{found} fields, wanted {wanted}")));
        }
        let Some(carried) = &self.begin.present else {
            let reason = format!("no good {} record stands before it", self.begin.record);
            return Err(wrong("source.orphan_record", reason));
        };
        let own = self.record.iter().zip(&self.headers);
        let own = own.map(|(field, header)| text(field, header, self.encoding));
        own.chain(carried.iter().map(|text| Ok(text.as_str()))).collect()
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.finish()
    }
}
