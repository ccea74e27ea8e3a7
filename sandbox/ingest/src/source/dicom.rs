//! Headers of DICOM images as rows (DP-6). A file is read as far as the attributes that a
//! profile may name; its pixels are never read.
//!
//! The bytes are walked by hand: of the libraries for it, the one that fits decodes texts with
//! an abandoned crate under a licence that `deny.toml` does not allow, and its reader that
//! skips values panics when an item's delimiter stands in an item's place.

mod attributes;
mod header;
mod text;

use std::fs::{self, File, FileType};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use sekisho_dataset::{Rule, TableSpec};

use super::{Digest, HashedReader, Rows, io_error};
use crate::IngestError;
use crate::process::FieldError;
use attributes::{Attribute, BURNED_IN, CHARACTER_SET, READABLE, TRANSFER_SYNTAX};
use header::{unreadable, wrong};
use text::Charset;

/// One row for each file in a folder, folders within it included, in the order of names.
pub(crate) struct DicomRows {
    walk: Walk,
    hash: Digest,
    /// The attributes a file is judged by, then those of the headers.
    wanted: Vec<&'static Attribute>,
    headers: Vec<String>,
    file: u64,
    place: String,
    row: Result<Vec<String>, FieldError>,
}

const JUDGED_BY: [&Attribute; 3] = [&TRANSFER_SYNTAX, &CHARACTER_SET, &BURNED_IN];

impl DicomRows {
    /// Opens a folder. Refuses a table that would let words of an image pass unbounded.
    pub(crate) fn open(folder: &Path, table: &TableSpec) -> Result<Self, IngestError> {
        let named: Vec<_> = READABLE.iter().filter(|known| names(table, known.keyword)).collect();
        for column in &table.columns {
            let own =
                named.iter().filter(|known| column.sources.iter().any(|s| s == known.keyword));
            for (keyword, fits) in own.map(|known| (known.keyword, known.fits(column))) {
                let refused = |reason| IngestError::Tables {
                    table: table.name.clone(),
                    reason: format!("column {}: {keyword} may not stay so: {reason}", column.name),
                };
                fits.map_err(refused)?;
            }
        }
        Ok(Self {
            walk: Walk::new(folder)?,
            hash: Digest::default(),
            headers: named.iter().map(|attribute| attribute.keyword.to_owned()).collect(),
            wanted: JUDGED_BY.into_iter().chain(named).collect(),
            file: 0,
            place: String::new(),
            row: Ok(Vec::new()),
        })
    }

    fn read(&self, path: &Path, kind: FileType) -> Result<Vec<String>, FieldError> {
        if !kind.is_file() {
            return Err(wrong("source.no_file", "neither a file nor a folder"));
        }
        let inner = File::open(path).map_err(|error| unreadable(&error))?;
        let source = BufReader::new(HashedReader { inner, hash: self.hash.clone() });
        let values = header::read(source, &self.wanted)?;
        let mut texts = Vec::new();
        let mut charset = Charset::Ascii;
        for (attribute, value) in self.wanted.iter().zip(values) {
            let text = told(attribute, &value.unwrap_or_default(), charset)?;
            if attribute.tag == CHARACTER_SET.tag {
                charset = Charset::of(&text);
            }
            texts.push(text);
        }
        let row = texts.split_off(JUDGED_BY.len());
        // Text in a picture is treated like other items (DP-6), and nothing here can treat it.
        match texts.last() {
            Some(burned_in) if burned_in == "NO" => Ok(row),
            _ => Err(FieldError {
                code: "source.burned_in_text",
                column: BURNED_IN.keyword.to_owned(),
                reason: "the file does not say that its picture is free of text".to_owned(),
            }),
        }
    }
}

/// Whether a profile reads an attribute: for a column, or to look for it in free text.
fn names(table: &TableSpec, keyword: &str) -> bool {
    let scrubs = table.columns.iter().any(|column| column.rule == Rule::FreeText);
    table.columns.iter().flat_map(|column| &column.sources).any(|source| source == keyword)
        || (scrubs && table.removed.iter().any(|removed| removed.source == keyword))
}

/// The first value of an attribute as the text a CSV file would hold.
fn told(attribute: &Attribute, value: &[u8], charset: Charset) -> Result<String, FieldError> {
    let of = |code, reason: &str| {
        let (column, reason) = (attribute.keyword.to_owned(), reason.to_owned());
        FieldError { code, column, reason }
    };
    let charset = match attribute.vr {
        b"US" => {
            return match value.first_chunk() {
                Some(number) => Ok(u16::from_le_bytes(*number).to_string()),
                None if value.is_empty() => Ok(String::new()),
                None => Err(of("source.bad_number", "not a number of two bytes")),
            };
        }
        b"LO" | b"SH" | b"PN" => charset,
        _ => Charset::Ascii,
    };
    let text = charset.decode(value);
    let text = text.ok_or_else(|| of("source.bad_encoding", "not of the file's character set"))?;
    // The set of sets is one value.
    let several = attribute.tag != CHARACTER_SET.tag;
    let first = text.split('\\').next().filter(|_| several).unwrap_or(&text);
    let plain = first.trim_matches(['\0', ' ']);
    Ok(match attribute.vr {
        // Parts of a name, and its spellings.
        b"PN" => plain.replace(['^', '='], " "),
        _ => plain.to_owned(),
    })
}

impl Rows for DicomRows {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<bool, IngestError> {
        let Some((path, kind)) = self.walk.next()? else { return Ok(false) };
        self.file += 1;
        self.place = self.walk.place(&path);
        self.row = self.read(&path, kind);
        Ok(true)
    }

    /// A folder has no lines: the number of the file.
    fn line(&self) -> u64 {
        self.file
    }

    /// Files, as [`files`] counts them.
    fn bytes(&self) -> u64 {
        self.file
    }

    fn fields(&self) -> Result<Vec<&str>, FieldError> {
        match &self.row {
            Ok(row) => Ok(row.iter().map(String::as_str).collect()),
            Err(wrong) => Err(wrong.clone()),
        }
    }

    fn place(&self) -> Option<&str> {
        Some(&self.place)
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.finish()
    }
}

/// How many files a folder holds, as far as it can be read.
pub(super) fn files(folder: &Path) -> u64 {
    let Ok(mut walk) = Walk::new(folder) else { return 0 };
    let mut files = 0;
    while let Ok(Some(_)) = walk.next() {
        files += 1;
    }
    files
}

/// The files of a folder and the folders in it. Links are not followed.
struct Walk {
    folder: PathBuf,
    /// What lies ahead, the next last: memory grows with the entries of one folder.
    ahead: Vec<PathBuf>,
}

impl Walk {
    fn new(folder: &Path) -> Result<Self, IngestError> {
        let folder = fs::canonicalize(folder).map_err(|source| io_error(folder, source))?;
        Ok(Self { ahead: vec![folder.clone()], folder })
    }

    fn next(&mut self) -> Result<Option<(PathBuf, FileType)>, IngestError> {
        // A path may name a patient: errors name the folder that was given.
        let failed = |source| io_error(&self.folder, source);
        while let Some(path) = self.ahead.pop() {
            let kind = fs::symlink_metadata(&path).map_err(failed)?.file_type();
            if !kind.is_dir() {
                return Ok(Some((path, kind)));
            }
            let entries = fs::read_dir(&path).map_err(failed)?;
            let inside: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
            let mut inside = inside.map_err(failed)?;
            inside.sort_unstable_by(|one, other| other.cmp(one));
            self.ahead.append(&mut inside);
        }
        Ok(None)
    }

    fn place(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).to_string_lossy().into_owned()
    }
}
