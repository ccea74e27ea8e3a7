//! The log on its way out: JSON lines, one entry or checkpoint each.
//!
//! An entry line holds the leaf bytes and, beside them, the leaf hash *that was stored
//! when the entry was written*: it locates a leaf that was changed since. Checkpoint lines
//! are those signed on the way; each narrows down where a rewritten log departs from the
//! signed one. A line has one form only: any other text of the same meaning is refused.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash,
    leaf::{LeafError, MAX_LEAF_BYTES},
};

/// Longest line in bytes.
const MAX_LINE_BYTES: usize = MAX_LEAF_BYTES / 3 * 4 + 1024;

/// The line is neither an entry nor a checkpoint in its one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a line of an exported log")]
pub struct ExportError;

impl ExportError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "export_line"
    }
}

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportLine {
    /// An entry.
    Entry {
        /// Its index.
        index: u64,
        /// Its leaf bytes.
        leaf: Vec<u8>,
        /// Its leaf hash, as stored.
        leaf_hash: Hash,
    },
    /// A checkpoint, as a signed note.
    Checkpoint(String),
}

impl ExportLine {
    /// The line's text, without a newline.
    ///
    /// # Errors
    /// [`LeafError::TooLong`] when the leaf could never have been written.
    pub fn to_json(&self) -> Result<String, LeafError> {
        let line = match self {
            Self::Entry { index, leaf, leaf_hash } => {
                if leaf.len() > MAX_LEAF_BYTES {
                    return Err(LeafError::TooLong(leaf.len()));
                }
                Line::Entry(EntryLine {
                    index: *index,
                    leaf: BASE64.encode(leaf),
                    leaf_hash: *leaf_hash,
                })
            }
            Self::Checkpoint(note) => Line::Checkpoint(CheckpointLine { checkpoint: note.clone() }),
        };
        serde_json::to_string(&line).map_err(LeafError::Malformed)
    }

    /// Reads one line.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn parse(line: &[u8]) -> Result<Self, ExportError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(ExportError);
        }
        let parsed = match serde_json::from_slice(line).map_err(|_| ExportError)? {
            Line::Entry(EntryLine { index, leaf, leaf_hash }) => {
                let leaf = BASE64.decode(leaf).map_err(|_| ExportError)?;
                Self::Entry { index, leaf, leaf_hash }
            }
            Line::Checkpoint(CheckpointLine { checkpoint }) => Self::Checkpoint(checkpoint),
        };
        let canonical = parsed.to_json().is_ok_and(|text| text.as_bytes() == line);
        if canonical { Ok(parsed) } else { Err(ExportError) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(EntryLine),
    Checkpoint(CheckpointLine),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    index: u64,
    leaf: String,
    leaf_hash: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip_in_one_form_only() {
        let entry = ExportLine::Entry {
            index: 7,
            leaf: b"leaf".to_vec(),
            leaf_hash: Hash::of_leaf(b"leaf"),
        };
        let note = ExportLine::Checkpoint("a\nb\n".to_owned());
        for line in [entry.clone(), note] {
            assert_eq!(ExportLine::parse(line.to_json().unwrap().as_bytes()), Ok(line));
        }
        let text = entry.to_json().unwrap();
        assert!(text.starts_with(r#"{"index":7,"leaf":"bGVhZg==","leaf_hash":""#), "{text}");
        for bad in [
            text.replace("\"index\":7", "\"index\": 7"),
            text.replace("\"index\":7,", ""),
            text.replace("\"index\":7", "\"index\":-7"),
            text.replace("{\"index\":7", "{\"more\":1,\"index\":7"),
            text.replace("bGVhZg==", "bGVhZh=="),
            text.replace("bGVhZg==", "bGVhZg"),
            text.clone() + " ",
            r#"{"checkpoint":"a","checkpoint":"b"}"#.to_owned(),
            String::new(),
            "null".to_owned(),
        ] {
            assert_eq!(ExportLine::parse(bad.as_bytes()), Err(ExportError), "{bad}");
        }
        assert_eq!(ExportLine::parse(&vec![b' '; MAX_LINE_BYTES + 1]), Err(ExportError));
    }

    #[test]
    fn what_could_not_be_written_is_not_exported() {
        let leaf = vec![0; MAX_LEAF_BYTES + 1];
        let line = ExportLine::Entry { index: 0, leaf_hash: Hash::of_leaf(&leaf), leaf };
        assert!(matches!(line.to_json(), Err(LeafError::TooLong(_))));
        let leaf = vec![0; MAX_LEAF_BYTES];
        let line = ExportLine::Entry { index: u64::MAX, leaf_hash: Hash::of_leaf(&leaf), leaf };
        assert_eq!(ExportLine::parse(line.to_json().unwrap().as_bytes()), Ok(line));
    }
}
