//! Step 10: the log proves itself, and a changed copy does not.

use std::fs;

use anyhow::Context as _;
use sekisho_demo::site::StageName;
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
        let verify = |file: &std::path::Path| {
            self.site
                .person(watch)
                .args(["audit", "verify"])
                .arg(file)
                .arg("--checkpoint")
                .arg(&note)
                .arg("--key")
                .arg(&key)
        };
        self.shows(watch, verify(&export))?;
        let copy = self.path("log-changed.jsonl");
        let entry = self.flip_one_byte(&export, &copy)?;
        self.stage.say(&format!("\nOne byte of entry {entry} is changed in a copy:"));
        let ran = self.refused(watch, verify(&copy), NOT_VERIFIED)?;
        let said = ran.stderr.contains(&format!("entry {entry} was altered"));
        self.claim(said, &format!("the proof fails at entry {entry}"))?;
        let state = self.path("witness.txt");
        for _ in 0..2 {
            let witness = self.site.person(watch).args(["audit", "witness", "--state"]).arg(&state);
            self.shows(watch, witness)?;
        }
        Ok(())
    }

    /// Changes one byte inside an entry in the middle of the log; returns its index.
    fn flip_one_byte(
        &self,
        export: &std::path::Path,
        copy: &std::path::Path,
    ) -> anyhow::Result<u64> {
        let text = fs::read_to_string(export)?;
        let lines: Vec<&str> = text.lines().collect();
        let middle = lines.len() / 2;
        let line = lines.get(middle).context("a log with entries")?;
        let entry: Value = serde_json::from_str(line)?;
        let leaf = entry.get("leaf").and_then(Value::as_str).context("an entry")?;
        let index = entry.get("index").and_then(Value::as_u64).context("an index")?;
        // Base64: another letter in the middle is another byte of the entry.
        let (head, tail) = leaf.split_at(leaf.len() / 2);
        let letter = if tail.starts_with('A') { "B" } else { "A" };
        let changed = format!("{head}{letter}{}", tail.get(1..).unwrap_or_default());
        let changed = text.replacen(leaf, &changed, 1);
        fs::write(copy, changed)?;
        Ok(index)
    }
}
