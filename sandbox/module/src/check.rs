//! From the file as written to a valid [`Manifest`], collecting every error.

mod inputs;
mod outputs;
mod totals;

use crate::error::{ManifestError, ManifestErrors};
use crate::manifest::{KeyDomain, Manifest, TableInput, World};
use crate::raw::{RawManifest, Unknown};

const MAX_BYTES: usize = 64 * 1024;
const MAX_LABEL_CHARS: usize = 80;
const MAX_LABELS: usize = 4096;

pub(crate) fn parse(text: &str) -> Result<Manifest, ManifestErrors> {
    let mut errors = Errors::default();
    if text.len() > MAX_BYTES {
        errors.add("too_large", "analysis.toml", format!("at most {MAX_BYTES} bytes"));
        return Err(errors.finish());
    }
    let raw: RawManifest = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            errors.add("syntax", "analysis.toml", error.to_string());
            return Err(errors.finish());
        }
    };
    let manifest = manifest(raw, &mut errors);
    if errors.0.is_empty() { Ok(manifest) } else { Err(errors.finish()) }
}

fn manifest(raw: RawManifest, errors: &mut Errors) -> Manifest {
    errors.unknown("analysis.toml", &raw.unknown);
    errors.name("name", &raw.name);
    errors.text("title", &raw.title, 200);
    errors.optional_text("description", &raw.description, 2000);
    let world = match raw.world.as_str() {
        "cohort" => World::Cohort,
        "per-patient" => World::PerPatient,
        "rounds" => World::Rounds,
        other => {
            let message = format!("`{other}` must be `per-patient`, `rounds` or `cohort`");
            errors.add("world", "world", message);
            World::PerPatient
        }
    };
    let tables = inputs::tables(raw.tables, world, errors);
    let parameters = inputs::parameters(raw.parameters, errors);
    let rounds = totals::rounds(raw.rounds, world, errors);
    let totals = totals::totals(raw.totals, world, errors);
    let outputs = outputs::outputs(raw.outputs, world, &tables, errors);
    totals::models(&outputs, &totals, world, errors);
    Manifest {
        name: raw.name,
        title: raw.title,
        description: raw.description,
        world,
        tables,
        parameters,
        rounds,
        totals,
        outputs,
    }
}

#[derive(Default)]
pub(crate) struct Errors(Vec<ManifestError>);

impl Errors {
    fn finish(self) -> ManifestErrors {
        ManifestErrors(self.0)
    }

    fn add(&mut self, code: &'static str, at: impl Into<String>, message: impl Into<String>) {
        self.0.push(ManifestError { code, at: at.into(), message: message.into() });
    }

    fn unknown(&mut self, at: &str, unknown: &Unknown) {
        for key in unknown.keys() {
            self.add("unknown_key", at, format!("the key `{key}` is not known here"));
        }
    }

    /// A name that may stand in paths, SQL and logs.
    fn name(&mut self, at: &str, name: &str) {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest =
            bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if !starts || !rest || name.len() > 64 {
            let message = format!(
                "`{name}` must be 1 to 64 of a-z, 0-9, `_` and `-`, and start with a letter"
            );
            self.add("name", at, message);
        }
    }

    fn text(&mut self, at: &str, text: &str, most: usize) {
        if text.trim().is_empty() {
            self.add("text", at, "must not be empty");
        }
        self.optional_text(at, text, most);
    }

    fn optional_text(&mut self, at: &str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.add("text", at, format!("at most {most} characters"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            self.add("text", at, "control characters are not allowed");
        }
    }

    fn at_most(&mut self, at: &str, what: &str, found: usize, most: usize) {
        if found > most {
            self.add("too_many", at, format!("{found} {what}; at most {most}"));
        }
    }

    fn unique<'a>(&mut self, at: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                self.add("duplicate", at, format!("`{name}` is declared twice"));
            }
        }
    }

    fn labels(&mut self, at: &str, labels: &[String]) {
        self.at_most(at, "labels", labels.len(), MAX_LABELS);
        self.unique(at, labels.iter().map(String::as_str));
        for label in labels {
            self.text(at, label, MAX_LABEL_CHARS);
        }
    }

    fn edges(&mut self, at: &str, edges: &[f64]) {
        self.at_most(at, "edges", edges.len(), 257);
        let finite = edges.iter().all(|e| e.is_finite());
        let increasing = edges.is_sorted_by(|a, b| a < b);
        if edges.len() < 2 || !finite || !increasing {
            self.add("edges", at, "must be at least two finite, increasing numbers");
        }
    }

    /// Exactly one of `labels` and `codes_of` (`table.column`, a declared column of codes).
    fn domain(
        &mut self,
        at: &str,
        labels: Option<Vec<String>>,
        codes_of: Option<String>,
        tables: &[TableInput],
        world: World,
    ) -> KeyDomain {
        match (labels, codes_of) {
            (Some(labels), None) if !labels.is_empty() => {
                self.labels(at, &labels);
                KeyDomain::Labels(labels)
            }
            (None, Some(path)) if world == World::Cohort => self.codes_of(at, &path, tables),
            (None, Some(_)) => {
                self.add("key_domain", at, "`codes_of` is for the cohort world; give `labels`");
                KeyDomain::Labels(Vec::new())
            }
            _ => {
                self.add("key_domain", at, "give either `labels` (at least one) or `codes_of`");
                KeyDomain::Labels(Vec::new())
            }
        }
    }

    fn codes_of(&mut self, at: &str, path: &str, tables: &[TableInput]) -> KeyDomain {
        let found = path.split_once('.').and_then(|(table, column)| {
            let t = tables.iter().position(|t| t.name == table)?;
            let columns = &tables.get(t)?.columns;
            let c = columns.iter().position(|c| c.name == column)?;
            let code = columns.get(c)?.kind == crate::ColumnKind::Code;
            code.then_some(KeyDomain::CodesOf { table: t, column: c })
        });
        found.unwrap_or_else(|| {
            let message = format!("`{path}` must name a declared code column as `table.column`");
            self.add("key_domain", at, message);
            KeyDomain::Labels(Vec::new())
        })
    }
}

#[cfg(test)]
mod tests;
