//! The reviewed list of authenticator models a site accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use toml::{Table, Value};
use uuid::Uuid;
use webauthn_rs::prelude::{AttestationCaList, AttestationCaListBuilder};
use x509_parser::pem::Pem;

use super::BiometricLevel;

const KEYS: [&str; 4] = ["aaguid", "model", "level", "ca"];

/// One accepted model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedModel {
    /// The vendor's id of the model.
    pub aaguid: Uuid,
    /// The model's name, for people.
    pub model: String,
    /// What its verification is worth.
    pub level: BiometricLevel,
}

/// The accepted models and the authorities that attest them.
#[derive(Debug, Clone)]
pub struct AllowList {
    models: BTreeMap<Uuid, AllowedModel>,
    authorities: AttestationCaList,
}

/// Everything that is wrong with an allow-list, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowListError {
    /// One line each.
    pub problems: Vec<String>,
}

impl AllowListError {
    /// Stable code for logs and callers.
    pub fn code(&self) -> &'static str {
        "allow_list_refused"
    }
}

impl fmt::Display for AllowListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list of authenticator models is refused: {}", self.problems.join("; "))
    }
}

impl std::error::Error for AllowListError {}

impl AllowList {
    /// Reads a list such as
    ///
    /// ```toml
    /// [[model]]
    /// aaguid = "00000000-0000-4000-8000-000000000000"
    /// model = "Example Bio"
    /// level = "B1"
    /// ca = "roots/example.pem"
    /// ```
    ///
    /// `ca` is a path relative to `folder`, or PEM itself; it may hold several certificates.
    ///
    /// # Errors
    /// All of: unknown keys, missing or unreadable values, the nil AAGUID (which says "no
    /// model"), a model listed twice, an authority that is no CA, a list without models.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, AllowListError> {
        let table: Table = text
            .parse()
            .map_err(|e| AllowListError { problems: vec![format!("it is not TOML: {e}")] })?;
        let mut reader = Reader { folder, problems: Vec::new(), models: BTreeMap::new() };
        let mut authorities = AttestationCaListBuilder::new();
        reader.top(&table, &mut authorities);
        if !reader.problems.is_empty() {
            return Err(AllowListError { problems: reader.problems });
        }
        Ok(Self { models: reader.models, authorities: authorities.build() })
    }

    /// The entry of a model.
    pub fn model(&self, aaguid: Uuid) -> Option<&AllowedModel> {
        self.models.get(&aaguid)
    }

    /// All entries, by AAGUID.
    pub fn models(&self) -> impl Iterator<Item = &AllowedModel> {
        self.models.values()
    }

    pub(super) fn authorities(&self) -> &AttestationCaList {
        &self.authorities
    }
}

struct Reader<'a> {
    folder: &'a Path,
    problems: Vec<String>,
    models: BTreeMap<Uuid, AllowedModel>,
}

impl Reader<'_> {
    fn top(&mut self, table: &Table, authorities: &mut AttestationCaListBuilder) {
        for key in table.keys().filter(|key| *key != "model") {
            self.problems.push(format!("unknown key {key:?}"));
        }
        let entries = match table.get("model") {
            Some(Value::Array(entries)) if !entries.is_empty() => entries.as_slice(),
            _ => {
                self.problems.push("it lists no [[model]]".to_owned());
                &[]
            }
        };
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("model {}", index + 1);
            match entry.as_table() {
                Some(entry) => self.entry(&place, entry, authorities),
                None => self.problems.push(format!("{place} is not a table")),
            }
        }
    }

    fn entry(&mut self, place: &str, entry: &Table, authorities: &mut AttestationCaListBuilder) {
        let known = BTreeSet::from(KEYS);
        for key in entry.keys().filter(|key| !known.contains(key.as_str())) {
            self.problems.push(format!("{place}: unknown key {key:?}"));
        }
        let aaguid = self.text(place, entry, "aaguid").and_then(|text| {
            let aaguid = Uuid::parse_str(text).ok().filter(|aaguid| !aaguid.is_nil());
            self.check(aaguid, || format!("{place}: {text:?} is not an AAGUID"))
        });
        let model = self.text(place, entry, "model").map(str::to_owned);
        let level = self.text(place, entry, "level").and_then(|text| {
            let level = BiometricLevel::parse(text);
            self.check(level, || format!("{place}: level {text:?} is not one of B0 to B3"))
        });
        let roots = self.text(place, entry, "ca").and_then(|text| self.roots(place, text));
        let (Some(aaguid), Some(model), Some(level), Some(roots)) = (aaguid, model, level, roots)
        else {
            return;
        };
        for der in roots {
            if authorities.insert_device_der(&der, aaguid, model.clone(), BTreeMap::new()).is_err()
            {
                self.problems.push(format!("{place}: its authority cannot be used"));
            }
        }
        if self.models.insert(aaguid, AllowedModel { aaguid, model, level }).is_some() {
            self.problems.push(format!("{place}: {aaguid} is listed twice"));
        }
    }

    fn text<'t>(&mut self, place: &str, entry: &'t Table, key: &str) -> Option<&'t str> {
        let text = entry.get(key).and_then(Value::as_str).map(str::trim);
        self.check(text.filter(|t| !t.is_empty()), || {
            format!("{place}: {key} is missing or no text")
        })
    }

    fn roots(&mut self, place: &str, ca: &str) -> Option<Vec<Vec<u8>>> {
        let pem = if ca.starts_with("-----BEGIN") {
            ca.as_bytes().to_vec()
        } else {
            let path = self.folder.join(ca);
            let read = std::fs::read(&path);
            if let Err(error) = &read {
                self.problems.push(format!("{place}: cannot read {}: {error}", path.display()));
            }
            read.ok()?
        };
        let roots = certificates(&pem);
        self.check(roots, || format!("{place}: ca holds something else than certificates of CAs"))
    }

    fn check<T>(&mut self, value: Option<T>, problem: impl FnOnce() -> String) -> Option<T> {
        if value.is_none() {
            self.problems.push(problem());
        }
        value
    }
}

/// DER of every certificate in a PEM file; `None` unless all of them are CAs and there is one.
fn certificates(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut roots = Vec::new();
    for block in Pem::iter_from_buffer(pem) {
        let block = block.ok()?;
        let certificate = block.parse_x509().ok()?;
        if !certificate.is_ca() {
            return None;
        }
        roots.push(block.contents);
    }
    (!roots.is_empty()).then_some(roots)
}
