//! Step 7: two people decide what leaves.

use anyhow::Context as _;
use sekisho_demo::site::{Ran, StageName};
use serde_json::Value;

use super::{Story, text};

const FIRST: StageName = StageName::FirstReviewer;
const SECOND: StageName = StageName::SecondReviewer;

impl Story<'_> {
    pub(crate) fn review(&mut self) -> anyhow::Result<()> {
        self.stage.step(7, "Two reviewers, blind to each other, decide what leaves");
        let who = StageName::Researcher;
        let run = self.survival.run.clone();
        let purpose = "Figure 1 of a paper: survival by sex";
        let asked = self.plays(who, &["output", "request-release", &run, "--purpose", purpose])?;
        self.survival.request = asked.field("request")?;
        let request = self.survival.request.clone();
        self.plays(FIRST, &["review", "show", &request, "--outputs"])?;
        self.stage.say("\nEach vote is signed with a fresh assertion over exactly that vote.");
        self.votes(FIRST, &request, "approve", "steps hold at least 10 events")?;
        let seen = self.reads(SECOND, &["review", "show", &request])?;
        let votes = seen.pointer("/review_request/votes").and_then(Value::as_array);
        let blind = votes.is_some_and(Vec::is_empty);
        self.claim(blind, "the second reviewer cannot see the first one's vote")?;
        let released = self.votes(SECOND, &request, "approve", "")?;
        self.claim(released.field("state")? == "released", "both approved: released")?;
        self.survival.release = released.field("release")?;
        self.mend()
    }

    /// The cross-table comes back once.
    fn mend(&mut self) -> anyhow::Result<()> {
        let who = StageName::Researcher;
        self.stage.say("\nThe cross-table has small cells.");
        let run = self.crosstab.run.clone();
        let purpose = "Table 2: conditions by age and sex";
        let asked = self.plays(who, &["output", "request-release", &run, "--purpose", purpose])?;
        self.crosstab.request = asked.field("request")?;
        let request = self.crosstab.request.clone();
        self.plays(FIRST, &["review", "show", &request, "--outputs"])?;
        let (small, _) = self.small_cells(&request)?;
        self.claim(small > 0, &format!("the check flags {small} cells below 10 patients"))?;
        self.stage.say("One reviewer sends it back, with a comment:");
        self.votes(FIRST, &request, "return", "cells below 10 patients: withhold them")?;
        self.votes(SECOND, &request, "approve", "")?;
        let words = ["review", "list", "--project", &self.crosstab.id.clone()];
        self.plays(who, &words)?;
        let state = self.reads(who, &["review", "show", &request])?;
        let state = state.pointer("/review_request/state").and_then(Value::as_str);
        self.claim(state == Some("REVIEW_STATE_RETURNED"), "one did not approve: returned")?;
        self.stage.say("The researcher runs it again with small cells withheld, and resubmits:");
        let (project, module) = (self.crosstab.id.clone(), self.crosstab.module.clone());
        let mended = self.starts(&project, &module, &["suppress_below=10"])?;
        self.crosstab.run = mended.clone();
        let purpose = "Table 2, cells below 10 withheld";
        let words = ["output", "resubmit", &request, "--run", &mended, "--purpose", purpose];
        self.plays(who, &words)?;
        self.plays(FIRST, &["review", "show", &request, "--outputs"])?;
        let (small, blocking) = self.small_cells(&request)?;
        self.claim(small == 0 && blocking == 0, "no cell below 10 patients is left")?;
        self.votes(FIRST, &request, "approve", "mended")?;
        let released = self.votes(SECOND, &request, "approve", "")?;
        self.claim(released.field("state")? == "released", "the mended table is released")?;
        self.crosstab.release = released.field("release")?;
        Ok(())
    }

    fn votes(
        &self,
        who: StageName,
        request: &str,
        verdict: &str,
        comment: &str,
    ) -> anyhow::Result<Ran> {
        let mut words = vec!["review", "vote", request, verdict];
        if !comment.is_empty() {
            words.extend(["--comment", comment]);
        }
        self.plays(who, &words)
    }

    /// How many small cells, and how many findings that forbid a release, the check found
    /// in the outputs under this request.
    fn small_cells(&self, request: &str) -> anyhow::Result<(usize, usize)> {
        let shown = self.reads(FIRST, &["review", "show", request])?;
        let output = shown.pointer("/outputs/0").context("an output")?;
        let read = self.reads(FIRST, &["output", "read", &text(output, "output_id")?])?;
        let findings = read.pointer("/checked/findings").and_then(Value::as_array);
        let count = |key: &str, value: &str| {
            let is = |finding: &&Value| finding.get(key).and_then(Value::as_str) == Some(value);
            findings.map_or(0, |findings| findings.iter().filter(is).count())
        };
        Ok((count("code", "small_cell"), count("severity", "FINDING_SEVERITY_BLOCK")))
    }
}
