use std::collections::BTreeSet;

use serde::Deserialize;

use crate::finding::{Findings, Refused, refused};

/// Longest description, bytes.
pub const MAX_DESCRIPTION: usize = 16 * 1024;
/// Most columns, the key included.
pub const MAX_COLUMNS: usize = 16;
const MAX_NAME: usize = 64;
const MAX_ABOUT_CHARS: usize = 500;

/// What a table says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name by which modules name the table: a-z, 0-9, `_` and `-`, from a letter.
    pub table: String,
    /// What it holds and where it is from, for the steward.
    pub about: String,
    /// Name of the column whose codes are looked up; one of `columns`, of kind code.
    pub key: String,
    /// The columns in the order of the file.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
}

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name in the header line and in modules; written as the table's name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// What it holds, for the steward; with its unit.
    pub about: String,
}

/// Kinds of columns. There is no kind for days: a day may single a person out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Categorical code.
    Code,
    /// Whole number that fits in 64 bits.
    Integer,
    /// Finite real number.
    Number,
}

impl Description {
    /// Reads and checks a description.
    ///
    /// # Errors
    /// `description_too_large`, `description_encoding`, `description_syntax`,
    /// `description_field`, `too_many_columns`, `key_missing`, `identifying_column`.
    pub fn parse(toml: &[u8]) -> Result<Self, Refused> {
        if toml.len() > MAX_DESCRIPTION {
            let message = format!("the description has more than {MAX_DESCRIPTION} bytes");
            return Err(refused("description_too_large", None, message));
        }
        let text = str::from_utf8(toml)
            .map_err(|_| refused("description_encoding", None, "the description is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let made: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| 1 + before.matches('\n').count() as u64);
            refused("description_syntax", line, format!("the description: {}", error.message()))
        })?;
        let mut findings = Findings::default();
        made.check(&mut findings);
        findings.or(made)
    }

    /// Where the key stands among the columns.
    pub(crate) fn key_at(&self) -> usize {
        self.columns.iter().position(|column| column.name == self.key).unwrap_or_default()
    }

    fn check(&self, findings: &mut Findings) {
        name(&self.table, findings);
        about(None, &self.about, findings);
        if self.columns.len() > MAX_COLUMNS {
            let message = format!("{} columns; at most {MAX_COLUMNS}", self.columns.len());
            findings.add("too_many_columns", None, None, message);
        }
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            name(&column.name, findings);
            about(Some(&column.name), &column.about, findings);
            if !seen.insert(&column.name) {
                findings.add("description_field", None, Some(&column.name), "declared twice");
            }
        }
        let key = self.columns.iter().find(|column| column.name == self.key);
        if key.is_none_or(|key| key.kind != Kind::Code) {
            let message = "`key` must name one of the columns, of kind `code`";
            findings.add("key_missing", None, None, message);
        }
        if self.columns.len() < 2 {
            let message = "there must be a column beside the key";
            findings.add("description_field", None, None, message);
        }
    }
}

/// A name that a module can spell, and that names no person (RI-1).
fn name(name: &str, findings: &mut Findings) {
    identifying(sekisho_identifying::column(name), Some(name), findings);
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if !starts || !rest || name.len() > MAX_NAME {
        let message = "a name has 1 to 64 of a-z, 0-9, `_` and `-`, and starts with a letter";
        findings.add("description_field", None, Some(name), message);
    }
}

fn about(column: Option<&str>, about: &str, findings: &mut Findings) {
    let fits = about.chars().count() <= MAX_ABOUT_CHARS && !about.chars().any(char::is_control);
    if about.trim().is_empty() || !fits {
        let message = format!("`about` has 1 to {MAX_ABOUT_CHARS} characters on one line");
        findings.add("description_field", None, column, message);
    }
    identifying(sekisho_identifying::explanation(about), column, findings);
}

fn identifying(word: Option<&str>, column: Option<&str>, findings: &mut Findings) {
    if let Some(word) = word {
        let message = format!("`{word}` says that it names a person, or a day or place of one");
        findings.add_identifying("identifying_column", None, column, message);
    }
}
