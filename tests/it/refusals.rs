//! What is refused, by which rule, with the record it leaves; and what a burst of refusals
//! brings about.

use std::{
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use sekisho_demo::site::{AgreementFile, Site, Staff, StageName, Tool};
use serde_json::Value;

use crate::support::{
    desk::{
        self, Analysis, NOT_FOUND, NOT_LOGGED_IN, REFUSED, RESEARCHER, REVIEWERS, ballot, example,
        list, refusal, text,
    },
    log,
};

/// How long a watched alert may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn ag_3_a_module_that_wants_more_than_is_granted_is_not_let_in() {
    let (site, staff) = Site::staffed().unwrap();
    let mut narrow = named(&staff, "Narrow");
    narrow.tables[0].columns.retain(|column| column != "sex");
    let project = desk::open_project(&site, &narrow);
    let submission = || desk::submission(&site, &example("km-by-sex"), &project);
    let (status, reason, rule) = refusal(submission());
    assert_eq!((status, reason.as_str(), rule.as_str()), (REFUSED, "NOT_GRANTED", "AG-3"));
    let told = submission().run().unwrap();
    assert!(told.stderr.contains("lung.sex"), "the column is not named: {told:?}");
    let modules = site.person(RESEARCHER).args(["module", "list", "--project", &project]).json();
    assert!(list(&modules.unwrap()).is_empty());
    let entries = log::entries(&site);
    let refused = |entry: &log::Entry| entry.is("module_refused_statically", "code", "NOT_GRANTED");
    assert!(entries.iter().any(refused));
    assert!(entries.iter().any(|entry| entry.is("call_ended", "rule", "AG-3")));
    log::verified(&site);
}

#[test]
fn ag_6_before_and_after_the_period_nothing_runs() {
    let (site, staff) = Site::staffed().unwrap();
    let from_now = |seconds| Timestamp::now() + SignedDuration::from_secs(seconds);
    // Long enough to bring a module in.
    let mut short = named(&staff, "Short");
    short.period_end = from_now(10);
    let (project, module) = opened(&site, &short);
    let mut later = named(&staff, "Later");
    later.period_start = from_now(3600);
    no_module(&site, &later, "AG-6");
    while from_now(0) <= short.period_end {
        thread::sleep(Duration::from_millis(50));
    }
    no_run(&site, &project, &module, "AG-6");
    every_refusal_is_in_the_log(&site, &["AG-6"]);
}

#[test]
fn ag_2_from_a_place_that_is_not_declared_nothing_is_done() {
    let (site, staff) = Site::staffed().unwrap();
    let mut elsewhere = named(&staff, "Elsewhere");
    elsewhere.places = vec!["192.0.2.0/24".to_owned()];
    no_module(&site, &elsewhere, "AG-2");
    every_refusal_is_in_the_log(&site, &["AG-2"]);
}

#[test]
fn ag_5_nothing_is_brought_in_or_taken_out_unless_agreed() {
    let (site, staff) = Site::staffed().unwrap();
    let mut closed = named(&staff, "Closed");
    closed.bring_in = false;
    no_module(&site, &closed, "AG-5");
    let mut inside = named(&staff, "Inside");
    inside.take_out = false;
    let (project, module) = opened(&site, &inside);
    let run = desk::succeeded(&site, &project, &module, &[]);
    let ask = ["output", "request-release", &run, "--purpose", "Table 1"];
    let (status, _, rule) = refusal(site.person(RESEARCHER).args(ask));
    assert_eq!((status, rule.as_str()), (REFUSED, "AG-5"));
    every_refusal_is_in_the_log(&site, &["AG-5"]);
}

#[test]
fn ou_3_no_module_runs_that_was_not_approved_for_its_project() {
    let (site, staff) = Site::staffed().unwrap();
    let project = desk::open_project(&site, &named(&staff, "One"));
    wasi_is_not_let_in(&site, &project);
    let submitted = desk::submission(&site, &example("km-by-sex"), &project).json().unwrap();
    let module = text(&submitted["module"], "module_id");
    no_run(&site, &project, &module, "OU-3");
    let own = site.person(RESEARCHER).args(["module", "approve", &module]);
    assert_ne!(refusal(own).0, 0, "a researcher approved their own module");
    no_run(&site, &project, &module, "OU-3");
    let (_, elsewhere) = opened(&site, &named(&staff, "Other"));
    assert_ne!(refusal(desk::run_order(&site, &project, &elsewhere, &[])).0, 0);
    no_runs(&site, &project);
    every_refusal_is_in_the_log(&site, &["OU-3"]);
}

#[test]
fn sv_4_no_more_runs_in_an_hour_than_agreed() {
    let (site, staff) = Site::staffed().unwrap();
    let mut slow = named(&staff, "Slow");
    slow.runs_per_hour = 2;
    let (project, module) = opened(&site, &slow);
    let runs = [(), ()].map(|()| desk::start(&site, &project, &module, &[]));
    let (status, reason, rule) = refusal(desk::run_order(&site, &project, &module, &[]));
    assert_eq!((status, reason.as_str(), rule.as_str()), (REFUSED, "RUN_RATE", "SV-4"));
    let listed = site.person(RESEARCHER).args(["run", "list", "--project", &project]).json();
    assert_eq!(list(&listed.unwrap()).len(), runs.len());
}

/// Somebody else's project, module and run answer exactly like ids that never were.
#[test]
fn zn_1_what_is_not_ones_own_looks_like_what_does_not_exist() {
    let (site, staff) = Site::staffed().unwrap();
    let (project, module) = opened(&site, &named(&staff, "Own"));
    let run = desk::start(&site, &project, &module, &[]);
    // A handler of the same university, but of no project.
    let other = StageName::InsideReviewer;
    let mut theirs = named(&staff, "Theirs");
    theirs.handlers = vec![staff.id(other).to_owned()];
    let hidden = desk::open_project(&site, &theirs);
    let unknown = |id: &str| format!("{}{}", &id[..id.len() - 6], "000000");
    let asks = |who: StageName, words: &[&str]| refusal(site.person(who).args(words));
    let never = asks(RESEARCHER, &["project", "show", &unknown(&project)]);
    assert_eq!((never.0, never.1.as_str()), (NOT_FOUND, "NOT_FOUND"));
    for words in [
        &["project", "show", hidden.as_str()][..],
        &["module", "list", "--project", &hidden],
        &["run", "list", "--project", &hidden],
        &["release", "list", "--project", &hidden],
        &["run", "start", "--project", &hidden, "--module", &module],
    ] {
        assert_eq!(asks(RESEARCHER, words), never, "{words:?}");
    }
    let submission = desk::submission(&site, &example("km-by-sex"), &hidden);
    assert_eq!(refusal(submission), never);
    for words in [
        &["module", "show", module.as_str()][..],
        &["run", "show", &run],
        &["run", "cancel", &run],
        &["output", "list", &run],
        &["output", "request-release", &run, "--purpose", "Table 1"],
    ] {
        assert_eq!(asks(other, words), never, "{words:?}");
    }
    let projects = site.person(RESEARCHER).args(["project", "list"]).json().unwrap();
    let ids: Vec<_> = list(&projects).iter().map(|found| text(found, "project_id")).collect();
    assert_eq!(ids, [project]);
}

#[test]
fn nx_1_no_output_is_read_before_its_release() {
    let (site, staff) = Site::staffed().unwrap();
    let (project, module) = opened(&site, &named(&staff, "Survival"));
    let run = desk::succeeded(&site, &project, &module, &[]);
    let outputs = site.person(RESEARCHER).args(["output", "list", &run]).json().unwrap();
    let output = text(&list(&outputs)[0], "output_id");
    let read = |who: StageName| refusal(site.person(who).args(["output", "read", &output]));
    let (status, _, rule) = read(RESEARCHER);
    assert_eq!((status, rule.as_str()), (REFUSED, "OU-1"));
    for who in [StageName::Steward, StageName::Watch, REVIEWERS[0]] {
        assert_ne!(read(who).0, 0, "{who:?} read an output that nobody asked to release");
    }
    let request = desk::ask_release(&site, &run);
    let (status, _, rule) = refusal(ballot(&site, StageName::InsideReviewer, &request, "approve"));
    assert_eq!((status, rule.as_str()), (REFUSED, "OU-1"), "a vote for one's own organisation");
    desk::approved(&site, &request);
    let read = site.person(RESEARCHER).args(["output", "read", &output]).json().unwrap();
    assert!(read["checked"]["output"]["survival"].is_object(), "{read}");
    every_refusal_is_in_the_log(&site, &["OU-1"]);
}

#[test]
fn au_1_a_touch_neither_logs_in_nor_votes() {
    let (site, staff) = Site::staffed().unwrap();
    let (project, module) = opened(&site, &named(&staff, "Survival"));
    let run = desk::succeeded(&site, &project, &module, &[]);
    let request = desk::ask_release(&site, &run);
    let touched = |tool: Tool| refusal(tool.env("SEKISHO_DEMO_TOUCH_ONLY", "1"));
    assert_ne!(touched(ballot(&site, REVIEWERS[0], &request, "approve")).0, 0);
    assert!(!log::entries(&site).iter().any(|entry| entry.kind() == "vote_cast"));
    let (status, reason, rule) = touched(site.person(RESEARCHER).arg("login"));
    assert_eq!((status, rule.as_str()), (NOT_LOGGED_IN, "AU-1"), "{reason}");
    let entries = log::entries(&site);
    let refused = entries.iter().rfind(|entry| entry.kind() == "login_refused").unwrap();
    assert_eq!(refused.part("reason"), reason);
    let cited = |entry: &&log::Entry| entry.is("call_ended", "reason", &reason);
    assert_eq!(entries.iter().rfind(cited).unwrap().part("rule"), "AU-1");
}

#[test]
fn lg_3_a_burst_of_refusals_raises_an_alert_and_cuts_the_session() {
    let (site, _) = Site::staffed().unwrap();
    let watch = site.person(StageName::Watch).args(["alert", "watch", "--count", "1", "--json"]);
    let mut watch = watch.background().unwrap();
    // The stream shows what is raised from its beginning on.
    thread::sleep(Duration::from_secs(1));
    let deadline = Instant::now() + PATIENCE;
    while !watch.has_ended().unwrap() {
        assert!(Instant::now() < deadline, "refusals without end raised no alert");
        let refused = site.person(RESEARCHER).args(["steward", "person", "list"]).run().unwrap();
        assert_ne!(refused.status, Some(0));
    }
    let alert: Value = serde_json::from_str(watch.wait().unwrap().stdout.trim()).unwrap();
    assert_eq!(alert["rule"], "denied_burst");
    assert_eq!(alert["access_cut"], true);
    let (status, reason, _) = refusal(site.person(RESEARCHER).arg("whoami"));
    assert_eq!((status, reason.as_str()), (NOT_LOGGED_IN, "SESSION_ENDED"));
    let entries = log::entries(&site);
    let session = text(&alert, "session_id");
    let ended = |entry: &&log::Entry| entry.is("session_ended", "session_id", &session);
    assert_eq!(entries.iter().find(ended).unwrap().part("cause"), "alert");
    assert!(entries.iter().any(|entry| entry.is("alert_raised", "rule", "denied_burst")));
    log::verified(&site);
}

fn named(staff: &Staff, name: &str) -> AgreementFile {
    AgreementFile { project_name: name.to_owned(), ..AgreementFile::for_lung(staff) }
}

/// Opens a project with the survival module approved in it.
fn opened(site: &Site, agreement: &AgreementFile) -> (String, String) {
    let project = desk::open_project(site, agreement);
    let module = desk::bring_in(site, &example("km-by-sex"), &project);
    (project, module)
}

fn no_run(site: &Site, project: &str, module: &str, by: &str) {
    let (status, reason, rule) = refusal(desk::run_order(site, project, module, &[]));
    assert_eq!((status, reason.as_str(), rule.as_str()), (REFUSED, "REFUSED", by));
    no_runs(site, project);
}

fn no_runs(site: &Site, project: &str) {
    let runs = site.person(RESEARCHER).args(["run", "list", "--project", project]).json().unwrap();
    assert!(list(&runs).is_empty(), "refused, and yet there is {runs}");
}

fn no_module(site: &Site, agreement: &AgreementFile, by: &str) {
    let project = desk::open_project(site, agreement);
    let (status, reason, rule) = refusal(desk::submission(site, &example("km-by-sex"), &project));
    assert_eq!((status, reason.as_str(), rule.as_str()), (REFUSED, "REFUSED", by));
}

fn every_refusal_is_in_the_log(site: &Site, rules: &[&str]) {
    let entries = log::entries(site);
    for rule in rules {
        let cited = |entry: &&log::Entry| {
            let event = entry.event();
            let by =
                event["rules"].as_array().is_some_and(|all| all.iter().any(|r| r["rule"] == *rule));
            entry.kind() == "decision" && event["allowed"] == false && by
        };
        let refused = entries.iter().find(cited);
        let refused = refused.unwrap_or_else(|| panic!("no refusal by {rule} in the log"));
        assert_eq!(refused.actor()["type"], "person");
    }
    log::verified(site);
}

fn wasi_is_not_let_in(site: &Site, project: &str) {
    let manifest = example("km-by-sex").manifest;
    let wasi = Analysis { manifest, component: desk::component("wasi-import") };
    let (status, reason, rule) = refusal(desk::submission(site, &wasi, project));
    assert_eq!((status, rule.as_str()), (REFUSED, "OU-3"), "{reason}");
    let refused = log::entries(site);
    let refused = refused.iter().find(|entry| entry.kind() == "module_refused_statically");
    assert!(!refused.unwrap().part("code").is_empty(), "{reason}");
    let modules = site.person(RESEARCHER).args(["module", "list", "--project", project]).json();
    assert!(list(&modules.unwrap()).is_empty());
}
