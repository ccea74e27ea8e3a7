//! What the pages of a Parquet file take in memory, by their headers alone: a file of
//! kilobytes may say that it holds gigabytes, and must not be decoded to find that out.
//!
//! Page headers are in Thrift's compact protocol; the parquet crate reads them and does not
//! hand them out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// How much of a file may be in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of one page, decompressed.
    pub(super) page: u64,
    /// Of the largest pages of all columns together.
    pub(super) pages: u64,
    /// Of the rows decoded at once, unless one row alone may have more.
    pub(super) batch: u64,
}

pub(super) const LIMITS: Limits = Limits { page: 64 << 20, pages: 1 << 30, batch: 64 << 20 };

/// Rows decoded at once, at most.
const BATCH_ROWS: u64 = 1_024;

/// Why a file is not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its pages cannot be walked.
    NotParquet,
    /// A page of this column, or all columns' pages together, take too much memory.
    LargePage(String),
    /// Values of this column are written one upon the other: what they take in memory is not
    /// known before they are decoded.
    Encoding(String),
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::NotParquet
    }
}

/// How many rows may be decoded at once.
pub(super) fn batch_rows(
    file: &File,
    metadata: &ParquetMetaData,
    limits: Limits,
) -> Result<usize, Refused> {
    let mut largest_row = 1;
    for group in metadata.row_groups() {
        let (mut row, mut pages) = (0, 0);
        for column in group.columns() {
            let seen = walk(file, column, limits.page)?;
            row += seen.value;
            pages += seen.page;
            if pages > limits.pages {
                return Err(Refused::LargePage(column.column_path().string()));
            }
        }
        largest_row = row.max(largest_row);
    }
    Ok((limits.batch / largest_row).clamp(1, BATCH_ROWS) as usize)
}

/// The largest of a column, in bytes.
#[derive(Default)]
struct Largest {
    page: u64,
    /// No value is longer.
    value: u64,
}

fn walk(file: &File, column: &ColumnChunkMetaData, most: u64) -> Result<Largest, Refused> {
    let name = || column.column_path().string();
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let unsigned = |number: i64| u64::try_from(number).map_err(|_| Refused::NotParquet);
    let (start, mut left) = (unsigned(start)?, unsigned(column.compressed_size())?);
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(start))?;
    let mut largest = Largest { page: 0, value: width(column) };
    while left > 0 {
        let mut header = Header { inner: (&mut reader).take(left), found: BTreeMap::new() };
        header.read(0)?;
        left = header.inner.limit();
        let page = header.unsigned(UNCOMPRESSED)?.max(header.unsigned(COMPRESSED)?);
        if page > most {
            return Err(Refused::LargePage(name()));
        }
        if header.encodings().any(|encoding| UPON_EACH_OTHER.contains(&encoding)) {
            return Err(Refused::Encoding(name()));
        }
        // Each entry of a dictionary has at least a byte.
        if header.found.get(&ENTRIES).is_some_and(|entries| !(0..=page as i64).contains(entries)) {
            return Err(Refused::NotParquet);
        }
        largest.page = largest.page.max(page);
        let of_dictionary = header.encodings().all(|encoding| OF_A_DICTIONARY.contains(&encoding));
        if column.column_type() == Type::BYTE_ARRAY && !of_dictionary {
            largest.value = largest.value.max(page);
        }
        let packed = header.unsigned(COMPRESSED)?;
        left = left.checked_sub(packed).ok_or(Refused::NotParquet)?;
        reader.seek_relative(packed as i64)?;
    }
    Ok(largest)
}

/// Bytes of a value, or of what stands for a missing one.
fn width(column: &ColumnChunkMetaData) -> u64 {
    let fixed = u64::try_from(column.column_descr().type_length()).unwrap_or_default();
    fixed.max(16)
}

/// A field by the field it lies in (0: none) and its own number.
type Field = (i16, i16);

const UNCOMPRESSED: Field = (0, 2);
const COMPRESSED: Field = (0, 3);
/// Number of values of a dictionary.
const ENTRIES: Field = (7, 1);
/// Encoding of the values, by kind of page.
const ENCODINGS: [Field; 3] = [(5, 2), (7, 2), (8, 4)];
/// Headers within the header, by kind of page.
const NESTED: [i16; 3] = [5, 7, 8];

/// PLAIN_DICTIONARY (of a dictionary's own page: plain values) and RLE_DICTIONARY.
const OF_A_DICTIONARY: [i64; 2] = [2, 8];
/// DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
const UPON_EACH_OTHER: [i64; 2] = [6, 7];

/// The whole numbers of one page's header.
struct Header<R> {
    inner: R,
    found: BTreeMap<Field, i64>,
}

/// Types of the compact protocol.
mod kind {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const STRUCT: u8 = 12;
}

impl<R: Read> Header<R> {
    fn unsigned(&self, field: Field) -> Result<u64, Refused> {
        let found = self.found.get(&field).and_then(|number| u64::try_from(*number).ok());
        found.ok_or(Refused::NotParquet)
    }

    fn encodings(&self) -> impl Iterator<Item = i64> {
        // A dictionary's own page never counts as encoded by one.
        let own = self.found.contains_key(&ENTRIES);
        ENCODINGS.iter().filter_map(|field| self.found.get(field).copied()).map(move |encoding| {
            if own && OF_A_DICTIONARY.contains(&encoding) { 0 } else { encoding }
        })
    }

    /// Reads a structure; `outer` is the field it lies in. A number given twice or in another
    /// type is refused: another reader could take the other.
    fn read(&mut self, outer: i16) -> Result<(), Refused> {
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            let (delta, kind) = (head >> 4, head & 0x0f);
            if kind == 0 {
                return Ok(());
            }
            id = match delta {
                0 => i16::try_from(self.zigzag()?).map_err(|_| Refused::NotParquet)?,
                _ => id.checked_add(i16::from(delta)).ok_or(Refused::NotParquet)?,
            };
            let nested = outer == 0 && NESTED.contains(&id);
            let wanted = [UNCOMPRESSED, COMPRESSED, ENTRIES].contains(&(outer, id))
                || ENCODINGS.contains(&(outer, id));
            match kind {
                kind::STRUCT if nested => self.read(id)?,
                kind::I32 => {
                    let number = self.zigzag()?;
                    if self.found.insert((outer, id), number).is_some() {
                        return Err(Refused::NotParquet);
                    }
                }
                _ if nested || wanted => return Err(Refused::NotParquet),
                // Statistics: two values and some numbers, in a structure of one level.
                kind::STRUCT => self.skip_struct()?,
                _ => self.skip(kind)?,
            }
        }
    }

    fn skip_struct(&mut self) -> Result<(), Refused> {
        loop {
            let head = self.byte()?;
            if head & 0x0f == 0 {
                return Ok(());
            }
            if head >> 4 == 0 {
                self.zigzag()?;
            }
            self.skip(head & 0x0f)?;
        }
    }

    /// Page headers hold no lists, and no structures but those of one level.
    fn skip(&mut self, kind: u8) -> Result<(), Refused> {
        let bytes = match kind {
            kind::TRUE | kind::FALSE => 0,
            kind::BYTE => 1,
            kind::DOUBLE => 8,
            kind::BINARY => self.varint()?,
            kind::I16 | kind::I32 | kind::I64 => return self.varint().map(drop),
            _ => return Err(Refused::NotParquet),
        };
        let skipped = io::copy(&mut (&mut self.inner).take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(Refused::NotParquet) }
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        let mut byte = [0];
        self.inner.read_exact(&mut byte)?;
        let [byte] = byte;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Refused> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Refused::NotParquet)
    }

    fn zigzag(&mut self) -> Result<i64, Refused> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}
