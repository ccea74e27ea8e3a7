//! Step 9: what is refused, with the rule that refuses it, and what a burst of it does.

use std::{thread, time::Duration};

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use sekisho_demo::site::{AgreementFile, Background, Ran, StageName, repository};
use serde_json::Value;

use super::{Story, component, example, text};

const REFUSED: i32 = 3;
const NOT_LOGGED_IN: i32 = 4;
/// Long enough to submit and approve a module in, short enough to wait for.
const SHORT_PERIOD: SignedDuration = SignedDuration::from_secs(8);
const RESEARCHER: StageName = StageName::Researcher;

impl Story<'_> {
    pub(crate) fn refuse(&mut self) -> anyhow::Result<()> {
        self.stage.step(9, "What is refused, and by which rule");
        self.refuse_wasi()?;
        self.refuse_ungranted_column()?;
        self.refuse_after_period()?;
        self.refuse_unreleased_output()?;
        self.refuse_own_organisation()?;
        self.refuse_login_by_touch()?;
        self.raise_alert()
    }

    fn refuse_wasi(&mut self) -> anyhow::Result<()> {
        self.stage.say("A module that imports WASI:");
        let (manifest, _) = example("km-by-sex")?;
        let tool = self
            .site
            .person(RESEARCHER)
            .args(["module", "submit"])
            .arg(manifest)
            .arg("--component")
            .arg(component("wasi-import")?)
            .args(["--project", &self.survival.id]);
        let ran = self.refused(RESEARCHER, tool, REFUSED)?;
        let named = ran.stderr.contains("wasi:") && ran.field("rule")? == "OU-3";
        self.claim(named, "refused by OU-3, which names the import that is not allowed")
    }

    fn refuse_ungranted_column(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nA module that reads a column the agreement does not grant (sex):");
        let mut agreement = AgreementFile::for_lung(&self.staff);
        agreement.project_name = "Survival without sex".to_owned();
        for table in &mut agreement.tables {
            table.columns.retain(|column| column != "sex");
        }
        let project = self.site.record(&agreement)?.field("project")?;
        let (manifest, survival) = example("km-by-sex")?;
        let tool = self
            .site
            .person(RESEARCHER)
            .args(["module", "submit"])
            .arg(manifest)
            .arg("--component")
            .arg(survival)
            .args(["--project", &project]);
        let ran = self.refused(RESEARCHER, tool, REFUSED)?;
        let named = ran.stderr.contains("lung.sex") && ran.field("rule")? == "AG-3";
        self.claim(named, "refused by AG-3, which names the column that is not granted")
    }

    fn refuse_after_period(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nA run after the agreement's period, which was seconds long:");
        let mut agreement = AgreementFile::for_lung(&self.staff);
        agreement.project_name = "Survival in a hurry".to_owned();
        agreement.period_end = Timestamp::now() + SHORT_PERIOD;
        let (project, module) = self.open_project(&agreement)?;
        while Timestamp::now() <= agreement.period_end {
            thread::sleep(Duration::from_millis(100));
        }
        self.refuse_run(&project, &module, "AG-6")
    }

    fn refuse_unreleased_output(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nThe content of an output that was not released:");
        let runs = self.reads(RESEARCHER, &["run", "list", "--project", &self.crosstab.id])?;
        let first = runs.as_array().and_then(|runs| runs.last()).context("a run")?;
        let outputs = self.reads(RESEARCHER, &["output", "list", &text(first, "run_id")?])?;
        let output = text(outputs.get(0).context("an output")?, "output_id")?;
        let tool = self.site.person(RESEARCHER).args(["output", "read", &output]);
        let ran = self.refused(RESEARCHER, tool, REFUSED)?;
        self.claim(ran.field("rule")? == "OU-1", "refused by OU-1")
    }

    fn refuse_own_organisation(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nA reviewer who votes on a request of their own organisation:");
        let (project, module) = (self.survival.id.clone(), self.survival.module.clone());
        let run = self.starts(&project, &module, &[])?;
        let purpose = ["--purpose", "A second look"];
        let words = [&["output", "request-release", run.as_str()][..], &purpose[..]].concat();
        let asked = self.site.person(RESEARCHER).args(words).succeed()?;
        let request = asked.field("request")?;
        let inside = StageName::InsideReviewer;
        let tool = self.site.person(inside).args(["review", "vote", &request, "approve"]);
        let ran = self.refused(inside, tool, REFUSED)?;
        self.claim(ran.field("rule")? == "OU-1", "refused by OU-1")
    }

    fn refuse_login_by_touch(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nA login with an authenticator that was only touched:");
        let tool = self.site.person(RESEARCHER).arg("login").env("SEKISHO_DEMO_TOUCH_ONLY", "1");
        let ran = self.refused(RESEARCHER, tool, NOT_LOGGED_IN)?;
        self.claim(
            ran.field("rule")? == "AU-1",
            "refused by AU-1: no user verification, no session",
        )
    }

    /// Refusals go on until the watch cuts the session.
    fn raise_alert(&mut self) -> anyhow::Result<()> {
        self.stage.say("\nThe security watch looks on while the refusals go on:");
        let watch = StageName::Watch;
        let watching = self.site.person(watch).args(["alert", "watch", "--count", "1"]);
        self.stage.types(watch, &watching.line());
        let watching = watching.background()?;
        // The stream only shows what is raised from now on.
        thread::sleep(Duration::from_millis(700));
        let alert = self.provoke(watching)?;
        self.prints(&alert);
        self.claim(alert.stdout.contains("denied_burst"), "a burst of refusals raised an alert")?;
        let cut = self.site.person(RESEARCHER).arg("whoami");
        self.refused(RESEARCHER, cut, NOT_LOGGED_IN)?;
        self.claim(true, "and cut the session at once")
    }

    /// The researcher asks for the roster, which is the steward's, until somebody minds.
    fn provoke(&self, mut watching: Background) -> anyhow::Result<Ran> {
        for _ in 0..60 {
            if watching.has_ended()? {
                return Ok(watching.wait()?);
            }
            self.site.person(RESEARCHER).args(["steward", "person", "list"]).run()?;
            thread::sleep(Duration::from_millis(20));
        }
        bail!("60 refusals raised no alert")
    }

    /// Records an agreement and brings the survival module in under it.
    fn open_project(&self, agreement: &AgreementFile) -> anyhow::Result<(String, String)> {
        let project = self.site.record(agreement)?.field("project")?;
        let (_, component) = example("km-by-sex")?;
        let submitted = self
            .site
            .person(RESEARCHER)
            .args(["module", "submit"])
            .arg(repository().join("sdk/examples/km-by-sex"))
            .arg("--component")
            .arg(component)
            .args(["--project", &project])
            .succeed()?;
        let module = submitted.field("module")?;
        let approve = ["module", "approve", &module];
        self.site.person(StageName::ModuleReviewer).args(approve).succeed()?;
        Ok((project, module))
    }

    fn refuse_run(&mut self, project: &str, module: &str, rule: &str) -> anyhow::Result<()> {
        let words = ["run", "start", "--project", project, "--module", module];
        let tool = self.site.person(RESEARCHER).args(words);
        let ran = self.refused(RESEARCHER, tool, REFUSED)?;
        let cited = ran.field("rule")?;
        self.claim(cited == rule, &format!("refused by {rule}"))?;
        let runs = self.reads(RESEARCHER, &["run", "list", "--project", project])?;
        let none = runs.as_array().is_some_and(Vec::is_empty);
        self.claim(none || runs == Value::Null, "and no run exists")
    }
}
