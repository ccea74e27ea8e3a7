//! The story and what it has found out so far.

mod develop;
mod log;
mod outcome;
mod people;
mod refusals;
mod review;
mod sealing;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use sekisho_demo::site::{Ran, Site, Staff, StageName, Tool, repository};
use serde_json::Value;

use crate::stage::Stage;

/// A project with what was done under it.
#[derive(Debug, Default)]
struct Project {
    id: String,
    module: String,
    run: String,
    request: String,
    release: String,
}

/// The running story.
pub(crate) struct Story<'a> {
    stage: &'a mut Stage,
    site: Site,
    staff: Staff,
    /// The researcher's, until it is spent.
    invitation: String,
    /// Request ids of calls that were refused.
    refusals: Vec<String>,
    survival: Project,
    crosstab: Project,
}

impl<'a> Story<'a> {
    /// Starts the gateway of a new site and brings its steward in.
    pub(crate) fn open(stage: &'a mut Stage, root: Option<&Path>) -> anyhow::Result<Self> {
        stage.say(
            "Sekisho (関所): the analysis travels to the data; only reviewed results leave.\n\
             Everything below happens now, on this machine, with the real programs. Only the\n\
             identity provider, the browser and the authenticators are stand-ins.",
        );
        let mut site = Site::new(root)?;
        let made = site.init_gateway()?;
        let invitation = text(&made.json()?, "invitation")?;
        site.start_gateway()?;
        stage.say(&format!(
            "\nA site in {}: the gateway listens on {}.",
            site.root().display(),
            site.gateway_url()
        ));
        site.enrol(StageName::Steward, &invitation)?;
        site.init_worker()?;
        site.start_worker()?;
        stage
            .say("Its steward is enrolled, and a worker of the pseudonymised zone waits for runs.");
        let (staff, invitation, refusals, survival, crosstab) = Default::default();
        Ok(Self { stage, site, staff, invitation, refusals, survival, crosstab })
    }

    /// Ends the processes.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        self.site.stop()?;
        self.stage.finished();
        Ok(())
    }

    /// Runs a command as this person, shows it and what it printed, expects success.
    fn plays(&self, who: StageName, words: &[&str]) -> anyhow::Result<Ran> {
        self.shows(who, self.site.person(who).args(words))
    }

    /// The same for a command made elsewhere.
    fn shows(&self, who: StageName, tool: Tool) -> anyhow::Result<Ran> {
        self.stage.types(who, &self.short(&tool.line()));
        let ran = tool.succeed()?;
        self.prints(&ran);
        Ok(ran)
    }

    /// A command that is refused: shows it, expects this exit status, and remembers the
    /// call for the log.
    fn refused(&mut self, who: StageName, tool: Tool, status: i32) -> anyhow::Result<Ran> {
        self.stage.types(who, &self.short(&tool.line()));
        let ran = tool.end_with(status)?;
        self.prints(&ran);
        self.refusals.push(ran.field("request")?);
        Ok(ran)
    }

    /// Shows what a command printed.
    fn prints(&self, ran: &Ran) {
        self.stage.printed(&self.short(&format!("{}{}", ran.stderr, ran.stdout)));
    }

    /// Reads something as JSON without showing it.
    fn reads(&self, who: StageName, words: &[&str]) -> anyhow::Result<Value> {
        Ok(self.site.person(who).args(words).json()?)
    }

    /// Prints a claim if it holds, else fails.
    fn claim(&mut self, holds: bool, claim: &str) -> anyhow::Result<()> {
        ensure!(holds, "this does not hold: {claim}");
        self.stage.checked(claim);
        Ok(())
    }

    /// Folders that mean nothing to a reader, shortened.
    fn short(&self, line: &str) -> String {
        let site = self.site.root().display().to_string();
        let tree = repository().display().to_string();
        line.replace(&site, "SITE").replace(&format!("{tree}/"), "")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.root().join(name)
    }
}

/// A text of a JSON object, which must be there.
fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    let found = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.map(str::to_owned).with_context(|| format!("an answer without {key}: {value}"))
}

/// Where an example's manifest and component are.
fn example(name: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let component = component(name)?;
    Ok((repository().join("sdk/examples").join(name), component))
}

/// A component built by `infra/build-wasm.sh`.
fn component(name: &str) -> anyhow::Result<PathBuf> {
    let path = repository().join(format!("build/wasm/{name}.wasm"));
    ensure!(path.is_file(), "{} is missing: run `make guests`", path.display());
    Ok(path)
}
