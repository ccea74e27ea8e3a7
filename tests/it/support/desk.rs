//! What people do with the real command line, each step expected to succeed.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use sekisho_demo::site::{AgreementFile, Ran, Site, StageName, Tool, repository};
use serde_json::Value;

pub(crate) const RESEARCHER: StageName = StageName::Researcher;
pub(crate) const REVIEWERS: [StageName; 2] = [StageName::FirstReviewer, StageName::SecondReviewer];

/// Exit statuses, as `sekisho --help` documents them.
pub(crate) const FAILED: i32 = 1;
pub(crate) const REFUSED: i32 = 3;
pub(crate) const NOT_LOGGED_IN: i32 = 4;
pub(crate) const NOT_FOUND: i32 = 5;
pub(crate) const NOT_VERIFIED: i32 = 7;

/// A manifest and its component.
pub(crate) struct Analysis {
    pub(crate) manifest: PathBuf,
    pub(crate) component: PathBuf,
}

/// An example of `sdk/examples`.
pub(crate) fn example(name: &str) -> Analysis {
    let manifest = repository().join("sdk/examples").join(name).join("analysis.toml");
    Analysis { manifest, component: component(name) }
}

/// A guest of `sandbox/guests`.
pub(crate) fn guest(name: &str) -> Analysis {
    let manifest = repository().join("sandbox/guests").join(name).join("analysis.toml");
    Analysis { manifest, component: component(name) }
}

pub(crate) fn component(name: &str) -> PathBuf {
    let path = repository().join(format!("build/wasm/{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `make guests`", path.display());
    path
}

/// A text of a JSON object, which must be there.
pub(crate) fn text(value: &Value, key: &str) -> String {
    match value.get(key).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => panic!("no {key} in {value}"),
    }
}

/// A number, which JSON has as a text where it may be large.
pub(crate) fn number(value: &Value) -> u64 {
    let text = value.to_string();
    text.trim_matches('"').parse().unwrap_or_else(|_| panic!("not a number: {value}"))
}

/// The elements of a JSON list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("not a list: {value}"))
}

/// Records an agreement and returns its project's id.
pub(crate) fn open_project(site: &Site, agreement: &AgreementFile) -> String {
    site.record(agreement).unwrap().field("project").unwrap()
}

/// The code by which recording an agreement is refused.
pub(crate) fn not_recorded(site: &Site, agreement: &AgreementFile) -> String {
    let file = site.root().join("refused.toml");
    fs::write(&file, agreement.to_toml().unwrap()).unwrap();
    let words = ["steward", "agreement", "record"];
    refusal(site.person(StageName::Steward).args(words).arg(&file)).1
}

/// The researcher's command that submits a module.
pub(crate) fn submission(site: &Site, analysis: &Analysis, project: &str) -> Tool {
    site.person(RESEARCHER)
        .args(["module", "submit", "--project", project])
        .arg(&analysis.manifest)
        .arg("--component")
        .arg(&analysis.component)
}

/// Submits a module, has it approved, returns its id.
pub(crate) fn bring_in(site: &Site, analysis: &Analysis, project: &str) -> String {
    let submitted = submission(site, analysis, project).json().unwrap();
    let module = text(&submitted["module"], "module_id");
    let approved =
        site.person(StageName::ModuleReviewer).args(["module", "approve", &module]).json().unwrap();
    assert_eq!(approved["state"], "MODULE_STATE_APPROVED");
    module
}

/// The researcher's command that asks for a run.
pub(crate) fn run_order(site: &Site, project: &str, module: &str, parameters: &[&str]) -> Tool {
    let words = ["run", "start", "--project", project, "--module", module];
    let order = site.person(RESEARCHER).args(words);
    parameters.iter().fold(order, |order, parameter| order.args(["--param", parameter]))
}

/// Asks for a run and returns its id.
pub(crate) fn start(site: &Site, project: &str, module: &str, parameters: &[&str]) -> String {
    text(&run_order(site, project, module, parameters).json().unwrap(), "run_id")
}

/// A run as its researcher sees it.
pub(crate) fn run_of(site: &Site, run: &str) -> Value {
    site.person(RESEARCHER).args(["run", "show", run]).json().unwrap()
}

pub(crate) fn is_final(run: &Value) -> bool {
    ["RUN_STATE_SUCCEEDED", "RUN_STATE_FAILED", "RUN_STATE_CANCELLED"]
        .iter()
        .any(|state| run["state"] == *state)
}

/// Waits until a run is final.
pub(crate) fn finished(site: &Site, run: &str, patience: Duration) -> Value {
    let deadline = Instant::now() + patience;
    loop {
        let seen = run_of(site, run);
        if is_final(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "still not final: {seen}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Asks for a run that succeeds, and returns its id.
pub(crate) fn succeeded(site: &Site, project: &str, module: &str, parameters: &[&str]) -> String {
    let run = start(site, project, module, parameters);
    let seen = finished(site, &run, Duration::from_secs(120));
    assert_eq!(seen["state"], "RUN_STATE_SUCCEEDED", "{seen}");
    run
}

/// Asks for a release and returns the request's id.
pub(crate) fn ask_release(site: &Site, run: &str) -> String {
    let words = ["output", "request-release", run, "--purpose", "Table 1"];
    text(&site.person(RESEARCHER).args(words).json().unwrap(), "review_request_id")
}

/// The command that casts a vote.
pub(crate) fn ballot(site: &Site, who: StageName, request: &str, verdict: &str) -> Tool {
    site.person(who).args(["review", "vote", request, verdict])
}

/// Both reviewers approve; returns the release's id.
pub(crate) fn approved(site: &Site, request: &str) -> String {
    let mut voted = Value::Null;
    for who in REVIEWERS {
        voted = ballot(site, who, request, "approve").json().unwrap();
    }
    assert_eq!(voted["state"], "REVIEW_STATE_RELEASED");
    text(&voted, "release_id")
}

/// Outputs of a run, as a reviewer under whose eyes they are reads them, in order of name.
pub(crate) fn checked_outputs(site: &Site, run: &str) -> Vec<Value> {
    let listed = site.person(RESEARCHER).args(["output", "list", run]).json().unwrap();
    let mut outputs: Vec<Value> = list(&listed)
        .iter()
        .map(|info| {
            let words = ["output", "read", &text(info, "output_id")];
            site.person(REVIEWERS[0]).args(words).json().unwrap()["checked"].clone()
        })
        .collect();
    sort_by_name(&mut outputs);
    outputs
}

pub(crate) fn sort_by_name(outputs: &mut [Value]) {
    outputs.sort_by_key(|checked| checked["output"]["name"].to_string());
}

/// Fetches a release into a new folder.
pub(crate) fn fetch(site: &Site, release: &str, out: &Path) {
    site.person(RESEARCHER)
        .args(["release", "fetch", release, "--out"])
        .arg(out)
        .succeed()
        .unwrap();
}

/// A refused command's stable parts: exit status, reason, rule.
pub(crate) fn refusal(tool: Tool) -> (i32, String, String) {
    let ran: Ran = tool.arg("--json").run().unwrap();
    let error = ran.error().unwrap_or_else(|_| panic!("{} was not refused: {ran:?}", ran.line));
    let part = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(error["exit"].as_i64(), ran.status.map(i64::from), "{error}");
    (ran.status.unwrap_or(-1), part("reason"), part("rule"))
}
