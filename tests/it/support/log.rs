//! The log as the security watch exports it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sekisho_audit::ExportLine;
use sekisho_demo::site::{Site, StageName};
use serde_json::Value;

/// One entry, as JSON: nothing here leans on the types that wrote it.
pub(crate) struct Entry {
    pub(crate) index: u64,
    leaf: Value,
}

impl Entry {
    pub(crate) fn kind(&self) -> &str {
        self.part("kind")
    }

    /// A text of the event; empty when there is none.
    pub(crate) fn part(&self, key: &str) -> &str {
        self.leaf["event"][key].as_str().unwrap_or_default()
    }

    pub(crate) fn event(&self) -> &Value {
        &self.leaf["event"]
    }

    pub(crate) fn actor(&self) -> &Value {
        &self.leaf["actor"]
    }

    pub(crate) fn request_id(&self) -> &str {
        self.leaf["request_id"].as_str().unwrap_or_default()
    }

    pub(crate) fn is(&self, kind: &str, key: &str, value: &str) -> bool {
        self.kind() == kind && self.part(key) == value
    }
}

/// Exports the log to a file in the site.
pub(crate) fn exported(site: &Site) -> PathBuf {
    let path = site.root().join("people").join(StageName::Watch.text()).join("log.jsonl");
    site.person(StageName::Watch).args(["audit", "export", "--out"]).arg(&path).succeed().unwrap();
    path
}

/// Every entry of the log.
pub(crate) fn entries(site: &Site) -> Vec<Entry> {
    read(&exported(site))
}

/// Every entry of an export.
pub(crate) fn read(export: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(export).unwrap();
    let lines = text.lines().map(|line| ExportLine::parse(line.as_bytes()).unwrap());
    lines
        .filter_map(|line| match line {
            ExportLine::Entry { index, leaf, .. } => {
                Some(Entry { index, leaf: serde_json::from_slice(&leaf).unwrap() })
            }
            ExportLine::Checkpoint(_) => None,
        })
        .collect()
}

/// Proves the log intact, over the wire; returns how many entries it has.
pub(crate) fn verified(site: &Site) -> u64 {
    let verified = site.person(StageName::Watch).args(["audit", "verify"]).json().unwrap();
    assert_eq!(verified["verified"], true);
    verified["entries"].as_u64().unwrap()
}
