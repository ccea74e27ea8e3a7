//! Step 10: the log proves itself, and a changed copy does not.

use std::{fs, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sekisho_demo::site::{StageName, Tool};
use serde_json::Value;

use super::Story;

const NOT_VERIFIED: i32 = 7;

impl Story<'_> {
    pub(crate) fn verify_log(&mut self) -> anyhow::Result<()> {
        self.stage.step(10, "The log proves that it was not rewritten");
        let watch = StageName::Watch;
        let (note, key) = (self.path("checkpoint.txt"), self.path("log.key"));
        let checkpoint = self
            .site
            .person(watch)
            .args(["audit", "checkpoint", "--note-out"])
            .arg(&note)
            .arg("--key-out")
            .arg(&key);
        self.shows(watch, checkpoint)?;
        self.plays(watch, &["audit", "verify"])?;
        let export = self.path("log.jsonl");
        let exported = self.site.person(watch).args(["audit", "export", "--out"]).arg(&export);
        self.shows(watch, exported)?;
        self.shows(watch, self.verify_offline(&export))?;
        let refusals = self.refusals.len();
        let recorded = recorded(&export, &self.refusals)?;
        self.claim(recorded, &format!("all {refusals} refusals shown above are in the log"))?;
        let copy = self.path("log-changed.jsonl");
        let entry = flip_one_byte(&export, &copy)?;
        self.stage.say(&format!("\nOne byte of entry {entry} is changed in a copy:"));
        let tool = self.verify_offline(&copy);
        self.stage.types(watch, &self.short(&tool.line()));
        let ran = tool.end_with(NOT_VERIFIED)?;
        self.prints(&ran);
        let said = ran.stderr.contains(&format!("entry {entry} was altered"));
        self.claim(said, &format!("the proof fails at entry {entry}"))?;
        let state = self.path("witness.txt");
        for _ in 0..2 {
            let witness = self.site.person(watch).args(["audit", "witness", "--state"]).arg(&state);
            self.shows(watch, witness)?;
        }
        Ok(())
    }

    /// Verification as somebody without the gateway does it, with what was kept before.
    fn verify_offline(&self, file: &Path) -> Tool {
        self.site
            .person(StageName::Watch)
            .args(["audit", "verify"])
            .arg(file)
            .arg("--checkpoint")
            .arg(self.path("checkpoint.txt"))
            .arg("--key")
            .arg(self.path("log.key"))
    }
}

/// Whether every one of these calls has an entry in the exported log.
fn recorded(export: &Path, requests: &[String]) -> anyhow::Result<bool> {
    let mut entries = String::new();
    for (_, leaf) in leaves(&fs::read_to_string(export)?) {
        entries.push_str(&String::from_utf8(STANDARD.decode(leaf)?)?);
    }
    Ok(!requests.is_empty() && requests.iter().all(|id| entries.contains(id.as_str())))
}

/// Changes one byte of an entry in the middle of the log; returns its index.
fn flip_one_byte(export: &Path, copy: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(export)?;
    let leaves = leaves(&text);
    let (index, leaf) = leaves.get(leaves.len() / 2).context("a log with entries")?;
    // Base64: another letter in the middle is another byte of the entry.
    let (head, tail) = leaf.split_at(leaf.len() / 2);
    let letter = if tail.starts_with('A') { "B" } else { "A" };
    let changed = format!("{head}{letter}{}", tail.get(1..).unwrap_or_default());
    fs::write(copy, text.replacen(leaf.as_str(), &changed, 1))?;
    Ok(*index)
}

/// Index and Base64 leaf of each entry of an export; checkpoints are passed over.
fn leaves(export: &str) -> Vec<(u64, String)> {
    let leaf = |line: &str| {
        let entry: Value = serde_json::from_str(line).ok()?;
        Some((entry.get("index")?.as_u64()?, entry.get("leaf")?.as_str()?.to_owned()))
    };
    export.lines().filter_map(leaf).collect()
}
