//! Hostile modules through the whole system: each ends in its coarse class, and nothing
//! that a module said reaches anybody.

use std::{
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use sekisho_demo::site::{Site, StageName};
use serde_json::Value;

use crate::support::{
    canaries::Canaries,
    clinic::Clinic,
    desk::{self, FAILED, RESEARCHER, guest},
    log,
};

/// Module, parameters, class.
const HOSTILE: [(&str, &[&str], &str); 6] = [
    ("infinite-loop", &[], "LIMIT_EXCEEDED"),
    ("memory-bomb", &[], "LIMIT_EXCEEDED"),
    ("deep-recursion", &[], "LIMIT_EXCEEDED"),
    ("oversized-output", &["rows=1000000"], "LIMIT_EXCEEDED"),
    ("trap", &[], "MODULE_ERROR"),
    ("error-text-with-data", &[], "MODULE_ERROR"),
];
/// What a failed run tells its researcher, and nothing else.
const TOLD: [&str; 15] = [
    "run_id",
    "project_id",
    "module_id",
    "requested_by",
    "state",
    "failure_class",
    "progress_tenths",
    "created_at",
    "ended_at",
    "dataset_id",
    "dataset_version",
    "joined",
    "bring_ins",
    "end_cause",
    "output_count",
];
/// The guest `trap` panics with these words.
const PANIC: &str = "on purpose";
/// Short limits, so that a loop does not take a quarter of an hour to be stopped.
const LIMITS: &str = "\n[runs]\nwall_seconds = 6\nmemory_bytes = 268435456\n";
/// Wall-clock limit, start of a runner on a loaded machine, and then some.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn nx_1_hostile_modules_end_in_their_class_and_say_nothing() {
    let (mut site, staff) = Site::staffed().unwrap();
    shorten(&mut site);
    let outside = tempfile::tempdir().unwrap();
    let clinic = Clinic::seal(&site, outside.path());
    let project = desk::open_project(&site, &Clinic::agreement(&staff));
    let mut shown = String::new();
    for (name, parameters, class) in HOSTILE {
        let module = desk::bring_in(&site, &guest(name), &project);
        let asked = Instant::now();
        let run = desk::start(&site, &project, &module, parameters);
        let ended = desk::finished(&site, &run, PATIENCE);
        assert_eq!(ended["state"], "RUN_STATE_FAILED", "{name}: {ended}");
        assert_eq!(ended["failure_class"], format!("FAILURE_CLASS_{class}"), "{name}");
        assert!(asked.elapsed() < PATIENCE, "{name}");
        coarse(name, &ended);
        no_output(&site, &run);
        for words in [&["run", "show", &run][..], &["run", "list", "--project", &project]] {
            shown.push_str(&site.person(RESEARCHER).args(words).succeed().unwrap().stdout);
        }
        let watched =
            site.person(RESEARCHER).args(["run", "watch", &run]).end_with(FAILED).unwrap();
        shown.push_str(&watched.stdout);
        shown.push_str(&watched.stderr);
    }
    nothing_was_said(&site, &clinic, &shown);
    one_end_each(&site);
    the_worker_still_works(&site, &project);
}

/// Appends limits to the gateway's configuration and restarts it.
fn shorten(site: &mut Site) {
    site.gateway().unwrap().end(sekisho_demo::site::Signal::Terminate).unwrap();
    let config = site.root().join("gateway/config.toml");
    let mut file = fs::OpenOptions::new().append(true).open(config).unwrap();
    file.write_all(LIMITS.as_bytes()).unwrap();
    site.start_gateway().unwrap();
}

fn coarse(name: &str, run: &Value) {
    let fields: Vec<&String> = run.as_object().unwrap().keys().collect();
    let untold: Vec<_> = fields.iter().filter(|field| !TOLD.contains(&field.as_str())).collect();
    assert!(untold.is_empty(), "{name} tells {untold:?}");
    let ended = desk::text(run, "ended_at");
    assert!(ended.ends_with(":00Z"), "{name} ended at {ended}: finer than a minute");
    assert_eq!(run["output_count"], 0, "{name}");
}

fn no_output(site: &Site, run: &str) {
    let outputs = site.person(RESEARCHER).args(["output", "list", run]).json().unwrap();
    assert!(desk::list(&outputs).is_empty(), "{outputs}");
    let ask = ["output", "request-release", run, "--purpose", "Table 1"];
    assert_ne!(site.person(RESEARCHER).args(ask).run().unwrap().status, Some(0));
}

/// Neither data nor the guest's own words: in no file, and in nothing that was printed.
fn nothing_was_said(site: &Site, clinic: &Clinic, shown: &str) {
    let mut words = Canaries::default();
    words.text(PANIC);
    for canaries in [&clinic.values, &clinic.sites, &words] {
        let scan = canaries.hits_below(site.root());
        assert!(scan.hits.is_empty(), "{:#?}", scan.hits);
        assert!(scan.covers("logs/worker.log") && scan.covers("gateway/sekisho.db"));
        assert!(canaries.hits("what was printed", shown.as_bytes()).is_empty());
    }
    let panic = fs::read(desk::component("trap")).unwrap();
    assert!(!words.hits("control", &panic).is_empty(), "trap does not say {PANIC:?}");
}

/// The log holds one end for each, with the class alone.
fn one_end_each(site: &Site) {
    let entries = log::entries(site);
    let failed: Vec<_> = entries.iter().filter(|entry| entry.kind() == "run_failed").collect();
    assert_eq!(failed.len(), HOSTILE.len());
    for (entry, (name, _, class)) in failed.iter().zip(HOSTILE) {
        assert_eq!(entry.part("class"), class.to_lowercase(), "{name}");
        let jail = entry.event()["usage"]["jail"].as_str().unwrap();
        assert!(jail.contains("seccomp") && jail.contains("landlock"), "{name}: {jail:?}");
    }
    log::verified(site);
}

fn the_worker_still_works(site: &Site, project: &str) {
    let module = desk::bring_in(site, &guest("trivial"), project);
    let run = desk::succeeded(site, project, &module, &[]);
    let request = desk::ask_release(site, &run);
    let shown = site.person(StageName::FirstReviewer).args(["review", "show", &request]).json();
    assert_eq!(shown.unwrap()["review_request"]["state"], "REVIEW_STATE_IN_REVIEW");
}
