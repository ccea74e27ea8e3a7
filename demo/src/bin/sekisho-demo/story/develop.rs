//! Steps 4 to 6: try on dummy data, submit, run.

use anyhow::Context as _;
use sekisho_demo::site::{Ran, StageName};

use super::{Story, example};

impl Story<'_> {
    pub(crate) fn develop(&mut self) -> anyhow::Result<()> {
        self.stage.step(4, "The researcher develops against dummy data");
        let who = StageName::Researcher;
        self.plays(who, &["catalog", "show", "lung"])?;
        self.stage.say(
            "\nThe module runs here, on rows made up from that profile, in the runner and jail\n\
             the server uses, and the same disclosure check reads its outputs.",
        );
        let (manifest, component) = example("km-by-sex")?;
        let tool = self
            .site
            .person(who)
            .arg("try")
            .arg(manifest)
            .arg("--component")
            .arg(component)
            .args(["--dataset", "lung", "--patients", "500", "--seed", "7"]);
        let tried = self.shows(who, tool.show_progress())?;
        self.claim(tried.stdout.contains("by_sex"), "the module gave its outputs on dummy data")
    }

    pub(crate) fn submit(&mut self) -> anyhow::Result<()> {
        self.stage.step(5, "The module enters, once a reviewer has seen what it is");
        let module = self.submits("km-by-sex", &self.survival.id.clone(), true)?;
        self.survival.module = module.field("module")?;
        let reviewer = StageName::ModuleReviewer;
        self.plays(reviewer, &["module", "list"])?;
        let id = self.survival.module.clone();
        let shown = self.plays(reviewer, &["module", "show", &id])?;
        let imports = shown.field("imports").unwrap_or_default();
        let ours = imports.split(", ").all(|name| name.starts_with("sekisho:analysis/"));
        self.claim(ours || imports.is_empty(), "it imports nothing but sekisho:analysis")?;
        let comment = ["--comment", "read the source; contributes one event per patient"];
        let words = [&["module", "approve", id.as_str()][..], &comment[..]].concat();
        let approved = self.plays(reviewer, &words)?;
        self.claim(approved.field("state")? == "approved", "the module is approved")?;
        self.stage.say("The cross-table goes the same way.");
        let module = self.submits("crosstab", &self.crosstab.id.clone(), false)?;
        self.crosstab.module = module.field("module")?;
        let id = self.crosstab.module.clone();
        self.site.person(reviewer).args(["module", "approve", &id]).succeed()?;
        Ok(())
    }

    pub(crate) fn run(&mut self) -> anyhow::Result<()> {
        self.stage.step(6, "Runs: a worker leases each, opens exactly the granted columns");
        self.stage.say(
            "Kaplan-Meier by sex in the per-patient world: the module sees one patient at a\n\
             time, the host counts and aggregates.",
        );
        let (project, module) = (self.survival.id.clone(), self.survival.module.clone());
        self.survival.run = self.starts(&project, &module, &[])?;
        self.stage.say(
            "\nA cross-table in the cohort world: age band x sex x condition, with mean HbA1c.",
        );
        let (project, module) = (self.crosstab.id.clone(), self.crosstab.module.clone());
        self.crosstab.run = self.starts(&project, &module, &[])?;
        let run = self.crosstab.run.clone();
        let outputs = self.reads(StageName::Researcher, &["output", "list", &run])?;
        let outputs = outputs.as_array().context("a list of outputs")?;
        self.claim(outputs.len() == 1, "the outputs wait, sealed; the researcher sees names only")
    }

    fn submits(&self, name: &str, project: &str, shown: bool) -> anyhow::Result<Ran> {
        let who = StageName::Researcher;
        let (manifest, component) = example(name)?;
        let tool = self
            .site
            .person(who)
            .args(["module", "submit"])
            .arg(manifest)
            .arg("--component")
            .arg(component)
            .args(["--project", project]);
        if shown { self.shows(who, tool.show_progress()) } else { Ok(tool.succeed()?) }
    }

    /// Starts a run, follows it to its end, returns its id.
    pub(super) fn starts(
        &mut self,
        project: &str,
        module: &str,
        parameters: &[&str],
    ) -> anyhow::Result<String> {
        let who = StageName::Researcher;
        let words = ["run", "start", "--project", project, "--module", module, "--watch"];
        let mut tool = self.site.person(who).args(words);
        for parameter in parameters {
            tool = tool.args(["--param", parameter]);
        }
        let ran = self.shows(who, tool.show_progress())?;
        self.claim(ran.field("state")? == "succeeded", "the run succeeded")?;
        Ok(ran.field("run")?)
    }
}
