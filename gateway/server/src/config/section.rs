//! A table of the configuration that remembers what was asked of it, so that unknown keys
//! show, and that goes on after a mistake, so that all of them show.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use toml::{Table, Value};
use url::Url;

use super::{ConfigErrors, Problem};

pub(super) struct Section {
    /// With a dot at its end; empty at the top.
    prefix: String,
    folder: PathBuf,
    rest: Table,
    problems: Vec<Problem>,
}

impl Section {
    pub(super) fn top(text: &str, folder: &Path) -> Result<Self, ConfigErrors> {
        let rest = text.parse::<Table>().map_err(|error| {
            ConfigErrors(vec![Problem { key: String::new(), message: error.to_string() }])
        })?;
        Ok(Self { prefix: String::new(), folder: folder.to_owned(), rest, problems: Vec::new() })
    }

    /// A table below; empty when it is not there.
    pub(super) fn table(&mut self, key: &str) -> Self {
        let rest = match self.rest.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.problem(key, "must be a table");
                Table::new()
            }
        };
        let prefix = format!("{}{key}.", self.prefix);
        Self { prefix, folder: self.folder.clone(), rest, problems: Vec::new() }
    }

    /// Whether a table stands there, where a text might.
    pub(super) fn is_table(&self, key: &str) -> bool {
        self.rest.get(key).is_some_and(Value::is_table)
    }

    /// Takes over what a table below found, and its unknown keys.
    pub(super) fn close(&mut self, mut section: Self) {
        section.unknown();
        self.problems.append(&mut section.problems);
    }

    /// # Errors
    /// [`ConfigErrors`] with everything found.
    pub(super) fn finish(mut self) -> Result<(), ConfigErrors> {
        self.unknown();
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigErrors(self.problems)) }
    }

    pub(super) fn problem(&mut self, key: &str, message: &str) {
        let key = format!("{}{key}", self.prefix).trim_end_matches('.').to_owned();
        self.problems.push(Problem { key, message: message.to_owned() });
    }

    pub(super) fn optional_text(&mut self, key: &str) -> Option<String> {
        match self.rest.remove(key) {
            None => None,
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(_) => {
                self.problem(key, "must be a text that is not empty");
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        if !self.rest.contains_key(key) {
            self.problem(key, "must be given");
        }
        self.optional_text(key).unwrap_or_default()
    }

    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.rest.remove(key) else { return Vec::new() };
        value.try_into().unwrap_or_else(|_| {
            self.problem(key, "must be a list of texts");
            Vec::new()
        })
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.rest.remove(key) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(_) => {
                self.problem(key, "must be true or false");
                default
            }
        }
    }

    pub(super) fn integer(&mut self, key: &str, default: u64, within: RangeInclusive<u64>) -> u64 {
        let Some(value) = self.rest.remove(key) else { return default };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| within.contains(number)).unwrap_or_else(|| {
            let (least, most) = (within.start(), within.end());
            self.problem(key, &format!("must be a number from {least} to {most}"));
            default
        })
    }

    pub(super) fn size(&mut self, key: &str, default: u32, within: RangeInclusive<u64>) -> usize {
        usize::try_from(self.integer(key, default.into(), within)).unwrap_or(usize::MAX)
    }

    /// An address and port. What stands in for a wrong one never gets out, for then there
    /// is a problem.
    pub(super) fn address(&mut self, key: &str) -> SocketAddr {
        let text = self.text(key);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.problem(key, "must be an address and port such as 127.0.0.1:8443");
            }
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// A path, made absolute.
    pub(super) fn path(&mut self, key: &str, default: &str) -> PathBuf {
        let path = self.optional_text(key).unwrap_or_else(|| default.to_owned());
        self.folder.join(path)
    }

    /// A path that must be given, made absolute.
    pub(super) fn required_path(&mut self, key: &str) -> PathBuf {
        let path = self.text(key);
        self.folder.join(path)
    }

    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        self.optional_text(key).map(|path| self.folder.join(path))
    }

    /// The content of a file that only its owner may read, without the newline at its end.
    pub(super) fn secret(&mut self, key: &str) -> Option<String> {
        let path = self.optional_path(key)?;
        let content = sekisho_vault::read_private_file(&path).map_err(|error| error.to_string());
        let text = content.and_then(|bytes| {
            let text = std::str::from_utf8(&bytes).map_err(|_| "is not text".to_owned())?;
            Ok(text.trim_end_matches(['\n', '\r']).to_owned())
        });
        match text {
            Ok(text) if !text.is_empty() => return Some(text),
            Ok(_) => self.problem(key, "the file is empty"),
            Err(message) => self.problem(key, &message),
        }
        None
    }

    /// The content of a file that is no secret.
    pub(super) fn file(&mut self, key: &str) -> Option<String> {
        let path = self.optional_path(key)?;
        let content = std::fs::read_to_string(&path);
        content.map_err(|error| self.problem(key, &format!("{}: {error}", path.display()))).ok()
    }

    pub(super) fn check_url(&mut self, key: &str, text: &str) {
        let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !text.is_empty() && !Url::parse(text).is_ok_and(|url| web(&url)) {
            self.problem(key, "must be an http or https URL");
        }
    }

    /// A table that reads itself.
    pub(super) fn read<T: DeserializeOwned + Default>(&mut self, key: &str) -> T {
        let Some(value) = self.rest.remove(key) else { return T::default() };
        value.try_into().unwrap_or_else(|error: toml::de::Error| {
            self.problem(key, error.message());
            T::default()
        })
    }

    fn unknown(&mut self) {
        for key in std::mem::take(&mut self.rest).keys() {
            self.problem(key, "is not a known key");
        }
    }
}
