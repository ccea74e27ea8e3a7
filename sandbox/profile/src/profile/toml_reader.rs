use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// Stable code, such as `profile.unknown_key`.
    pub code: &'static str,
    /// Line in the text, counted from 1.
    pub line: usize,
    /// Dotted path of the key, such as `tables.labs.columns.value.kind`.
    pub path: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {} [{}]", self.line, self.path, self.reason, self.code)
    }
}

/// Collects errors while a document is walked, so that all of them are reported together.
pub(super) struct Errors<'t> {
    text: &'t str,
    found: RefCell<Vec<ProfileError>>,
}

impl<'t> Errors<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: RefCell::new(Vec::new()) }
    }

    pub(super) fn add(&self, code: &'static str, span: &Range<usize>, path: &str, reason: String) {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        let error = ProfileError { code, line, path: path.to_owned(), reason };
        self.found.borrow_mut().push(error);
    }

    pub(super) fn into_sorted(self) -> Vec<ProfileError> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|error| error.line);
        found
    }
}

/// A TOML table being read: every key asked for is ticked off, what remains is unknown.
pub(super) struct TableReader<'a, 't> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    pub(super) path: String,
    errors: &'a Errors<'t>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a, 't> TableReader<'a, 't> {
    pub(super) fn new(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        path: String,
        errors: &'a Errors<'t>,
    ) -> Self {
        Self { table, span, path, errors, asked: RefCell::new(Vec::new()) }
    }

    /// Reports every key nobody asked for.
    pub(super) fn refuse_unknown(&self) {
        for key in self.table.keys() {
            if !self.asked.borrow().contains(&key.get_ref().as_ref()) {
                let reason = format!("unknown key `{}`", key.get_ref());
                self.errors.add("profile.unknown_key", &key.span(), &self.path, reason);
            }
        }
    }

    /// A required text; the empty text stands in for a missing one once it is reported.
    pub(super) fn text(&self, key: &'static str) -> String {
        self.required(key).and_then(|value| self.as_text(key, value)).unwrap_or_default()
    }

    /// An optional text.
    pub(super) fn optional_text(&self, key: &'static str) -> Option<String> {
        self.optional(key).and_then(|value| self.as_text(key, value))
    }

    /// An optional boolean, `false` when absent.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        let Some(value) = self.optional(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| self.wrong_type(key, value, "true or false"))
    }

    /// An optional number.
    pub(super) fn optional_number(&self, key: &'static str) -> Option<f64> {
        self.optional(key).and_then(|value| self.as_number(key, value))
    }

    /// An optional pair of numbers.
    pub(super) fn optional_pair(&self, key: &'static str) -> Option<(f64, f64)> {
        let value = self.optional(key)?;
        let items: Vec<_> =
            value.get_ref().as_array().into_iter().flat_map(|array| array.iter()).collect();
        match items.as_slice() {
            [first, second] => Some((self.as_number(key, first)?, self.as_number(key, second)?)),
            _ => self.wrong_type(key, value, "a pair of numbers"),
        }
    }

    /// An optional list of numbers.
    pub(super) fn optional_numbers(&self, key: &'static str) -> Option<Vec<f64>> {
        let value = self.optional(key)?;
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong_type(key, value, "a list of numbers");
        };
        Some(array.iter().filter_map(|item| self.as_number(key, item)).collect())
    }

    /// A text or a list of texts; empty when absent.
    pub(super) fn text_or_texts(&self, key: &'static str) -> Vec<String> {
        match self.optional(key) {
            None => Vec::new(),
            Some(value) if value.get_ref().as_str().is_some() => {
                self.as_text(key, value).into_iter().collect()
            }
            Some(_) => self.optional_texts(key).unwrap_or_default(),
        }
    }

    /// An optional list of texts.
    pub(super) fn optional_texts(&self, key: &'static str) -> Option<Vec<String>> {
        let value = self.optional(key)?;
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong_type(key, value, "a list of texts");
        };
        Some(array.iter().filter_map(|item| self.as_text(key, item)).collect())
    }

    /// An optional table.
    pub(super) fn optional_table(&self, key: &'static str) -> Option<TableReader<'a, 't>> {
        self.optional(key).and_then(|value| self.as_table(key, value))
    }

    /// A required, non-empty list of tables.
    pub(super) fn tables(&self, key: &'static str) -> Vec<TableReader<'a, 't>> {
        let Some(value) = self.required(key) else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(array) if array.iter().next().is_some() => {
                array.iter().filter_map(|item| self.as_table(key, item)).collect()
            }
            _ => self.wrong_type(key, value, "a list of at least one table"),
        }
    }

    /// An optional list of tables, empty when absent.
    pub(super) fn optional_tables(&self, key: &'static str) -> Vec<TableReader<'a, 't>> {
        let Some(value) = self.optional(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong_type(key, value, "a list of tables");
        };
        array.iter().filter_map(|item| self.as_table(key, item)).collect()
    }

    /// All entries of a table whose keys are data, not names known beforehand.
    pub(super) fn entries(&self) -> impl Iterator<Item = (String, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().to_string(), value))
    }

    pub(super) fn as_table(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Option<TableReader<'a, 't>> {
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong_type(key, value, "a table");
        };
        Some(TableReader::new(table, value.span(), self.below(key), self.errors))
    }

    pub(super) fn as_number(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<f64> {
        let text: Cow<'_, str> = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().into(),
            DeValue::Float(number) => number.as_str().into(),
            _ => return self.wrong_type(key, value, "a number"),
        };
        match text.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => self.wrong_type(key, value, "a finite number"),
        }
    }

    /// Reports a bad value of one of this table's keys.
    pub(super) fn bad(&self, key: &str, reason: String) {
        self.refuse("profile.bad_value", key, reason);
    }

    /// Reports what is wrong with one of this table's keys under a code of its own.
    pub(super) fn refuse(&self, code: &'static str, key: &str, reason: String) {
        let span = self.table.get(key).map_or(self.span.clone(), |value| value.span());
        self.errors.add(code, &span, &self.below(key), reason);
    }

    /// Whether the key is there; also ticks it off.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.optional(key).is_some()
    }

    fn as_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.wrong_type(key, value, "a text"),
        }
    }

    fn optional(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    fn required(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.optional(key);
        if value.is_none() {
            let reason = format!("key `{key}` is missing");
            self.errors.add("profile.missing_key", &self.span, &self.path, reason);
        }
        value
    }

    fn wrong_type<T: Default>(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> T {
        let reason = format!("wanted {wanted}, found {}", value.get_ref().type_str());
        self.errors.add("profile.wrong_type", &value.span(), &self.below(key), reason);
        T::default()
    }

    fn below(&self, key: &str) -> String {
        let parts = [self.path.as_str(), key];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
    }
}
