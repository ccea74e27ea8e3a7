//! The plain fields: ids, names, comments, hashes, lists, pages.

use std::str::FromStr;

use sekisho_domain::{IdError, PageRequest};

use super::{Invalid, invalid};
use crate::limits::{COMMENT_CHARS, DOCUMENT_BYTES, NAME_CHARS};

/// An identifier of the kind the field wants.
pub(crate) fn id<T: FromStr<Err = IdError>>(text: &str, field: &str) -> Result<T, Invalid> {
    if text.is_empty() {
        return Err(missing(field));
    }
    text.parse().map_err(|error: IdError| invalid("MALFORMED_ID", field, error.to_string()))
}

/// An identifier, or nothing when the field is empty.
pub(crate) fn optional_id<T: FromStr<Err = IdError>>(
    text: &str,
    field: &str,
) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { id(text, field).map(Some) }
}

/// A name: one line of visible text, neither empty nor longer than [`NAME_CHARS`].
pub(crate) fn name(text: String, field: &str) -> Result<String, Invalid> {
    let text = one_line(text, field, NAME_CHARS)?;
    if text.trim().is_empty() { Err(missing(field)) } else { Ok(text) }
}

/// Text without control characters, so that it cannot forge a line of a log or a screen.
pub(crate) fn one_line(text: String, field: &str, chars: usize) -> Result<String, Invalid> {
    let text = short(text, field, chars)?;
    match text.chars().any(char::is_control) {
        true => Err(invalid("CONTROL_CHARACTER", field, "must not hold control characters")),
        false => Ok(text),
    }
}

/// As [`one_line`] of at most [`NAME_CHARS`]; `None` when empty.
pub(crate) fn optional_line(text: String, field: &str) -> Result<Option<String>, Invalid> {
    let text = one_line(text, field, NAME_CHARS)?;
    Ok((!text.is_empty()).then_some(text))
}

/// Free text of several lines; may be empty.
pub(crate) fn comment(text: String, field: &str) -> Result<String, Invalid> {
    let text = short(text, field, COMMENT_CHARS)?;
    match text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        true => Err(invalid("CONTROL_CHARACTER", field, "must not hold control characters")),
        false => Ok(text),
    }
}

/// A manifest, a certificate request or the like: at most [`DOCUMENT_BYTES`].
pub(crate) fn document(text: String, field: &str) -> Result<String, Invalid> {
    bounded(text, field, DOCUMENT_BYTES)
}

/// Text of 1 to `bytes` bytes.
pub(crate) fn bounded(text: String, field: &str, bytes: usize) -> Result<String, Invalid> {
    if text.is_empty() {
        Err(missing(field))
    } else if text.len() > bytes {
        Err(invalid("TOO_LONG", field, format!("may have {bytes} bytes")))
    } else {
        Ok(text)
    }
}

/// A SHA-256.
pub(crate) fn hash(bytes: &[u8], field: &str) -> Result<[u8; 32], Invalid> {
    bytes.try_into().map_err(|_| invalid("MALFORMED_HASH", field, "a SHA-256 has 32 bytes"))
}

/// A list of at most `most` entries, each parsed; errors name the entry.
pub(crate) fn list<T, U>(
    items: Vec<T>,
    field: &str,
    most: usize,
    parse: impl Fn(T, &str) -> Result<U, Invalid>,
) -> Result<Vec<U>, Invalid> {
    if items.len() > most {
        return Err(invalid("TOO_MANY", field, format!("may have {most} entries")));
    }
    let parsed = items.into_iter().enumerate();
    parsed.map(|(index, item)| parse(item, &format!("{field}[{index}]"))).collect()
}

/// A message field that must be set.
pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T, Invalid> {
    value.ok_or_else(|| missing(field))
}

/// Which page; sizes over the maximum are taken as the maximum.
pub(crate) fn page(size: u32, token: String) -> Result<PageRequest, Invalid> {
    let token = one_line(token, "page_token", NAME_CHARS)?;
    Ok(PageRequest::new(size, &token))
}

fn missing(field: &str) -> Invalid {
    invalid("REQUIRED", field, "must be given")
}

fn short(text: String, field: &str, chars: usize) -> Result<String, Invalid> {
    // Counting stops early: the text may be megabytes long.
    match text.chars().nth(chars) {
        Some(_) => Err(invalid("TOO_LONG", field, format!("may have {chars} characters"))),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::{ModuleId, RunId, Timestamp};

    use super::*;

    #[test]
    fn ids_of_another_kind_or_none_are_refused() {
        let module = ModuleId::new(Timestamp::from_millis(1)).to_string();
        for (text, code) in [("", "REQUIRED"), ("run_1", "MALFORMED_ID"), (&module, "MALFORMED_ID")]
        {
            assert_eq!(id::<RunId>(text, "run_id").unwrap_err().code, code, "{text}");
        }
        assert_eq!(optional_id::<RunId>("", "run_id"), Ok(None));
        assert!(optional_id::<ModuleId>(&module, "module_id").unwrap().is_some());
    }

    #[test]
    fn names_are_one_short_visible_line() {
        assert_eq!(name("肺がん".to_owned(), "name").unwrap(), "肺がん");
        assert!(name("字".repeat(200), "name").is_ok());
        for (text, code) in [
            (String::new(), "REQUIRED"),
            ("  ".to_owned(), "REQUIRED"),
            ("x".repeat(201), "TOO_LONG"),
            ("a\nb".to_owned(), "CONTROL_CHARACTER"),
            ("a\u{1b}[2J".to_owned(), "CONTROL_CHARACTER"),
        ] {
            assert_eq!(name(text, "name").unwrap_err().code, code);
        }
    }

    #[test]
    fn comments_may_have_lines_but_no_escapes_and_no_end() {
        assert!(comment("one\ntwo\t3".to_owned(), "comment").is_ok());
        assert!(comment(String::new(), "comment").is_ok());
        assert_eq!(comment("x".repeat(4001), "comment").unwrap_err().code, "TOO_LONG");
        assert_eq!(comment("\u{7}".to_owned(), "comment").unwrap_err().code, "CONTROL_CHARACTER");
    }

    #[test]
    fn lists_are_bounded_and_name_the_bad_entry() {
        let parse = |text: String, field: &str| name(text, field);
        let bad = list(vec!["a".to_owned(), String::new()], "columns", 5, parse).unwrap_err();
        assert_eq!((bad.code, bad.field.as_str()), ("REQUIRED", "columns[1]"));
        let many = list(vec!["a".to_owned(); 6], "columns", 5, parse).unwrap_err();
        assert_eq!(many.code, "TOO_MANY");
    }

    #[test]
    fn hashes_and_pages_are_checked() {
        assert!(hash(&[0; 32], "sha256").is_ok());
        assert_eq!(hash(&[0; 31], "sha256").unwrap_err().code, "MALFORMED_HASH");
        assert_eq!(page(0, String::new()).unwrap(), PageRequest { size: 50, after: None });
        assert_eq!(page(1000, "k".to_owned()).unwrap().size, 100);
        assert_eq!(page(1, "k".repeat(201)).unwrap_err().code, "TOO_LONG");
    }
}
