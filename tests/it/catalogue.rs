//! What anybody may know of the data, and how little that is.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use sekisho_demo::site::{Site, StageName};
use serde_json::Value;

use crate::support::{
    desk::{self, RESEARCHER, list, refusal, text},
    dummy, log,
};

/// The longest anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn ct_1_anybody_may_read_the_catalogue_and_nothing_else() {
    let (site, _) = Site::staffed().unwrap();
    let visitor = profile_without_session(&site);
    let ask = |words: &[&str]| site.person(RESEARCHER).env("SEKISHO_HOME", &visitor).args(words);
    let listed = ask(&["catalog", "list"]).json().unwrap();
    assert_eq!(text(&list(&listed)[0], "dataset_id"), "lung");
    let shown = ask(&["catalog", "show", "lung"]).json().unwrap();
    assert_eq!(shown["tables"][0]["quick_counts"]["cells"], Value::Array(vec![]));
    let (status, ..) = refusal(ask(&["run", "list", "--project", "project_1"]));
    assert_eq!(status, desk::NOT_LOGGED_IN);
}

#[test]
fn ct_2_the_public_counts_are_rounded_and_sum_what_is_published() {
    let (site, _) = Site::staffed().unwrap();
    let visitor = profile_without_session(&site);
    let ask = |words: &[&str]| {
        let count = ["catalog", "count", "lung", "--table", "lung"];
        site.person(RESEARCHER).env("SEKISHO_HOME", &visitor).args(count).args(words)
    };
    let count = |words: &[&str]| {
        let answer = ask(words).json().unwrap();
        answer["patients_rounded"].as_u64().unwrap()
    };
    // 26 + 112 men and 37 + 53 women by outcome, each rounded down to tens.
    assert_eq!(count(&["--where", "sex=1"]), 20 + 110);
    assert_eq!(count(&["--where", "sex=2"]), 30 + 50);
    assert_eq!(count(&["--where", "sex=2", "--where", "status=1"]), 30);
    assert_eq!(count(&[]), 210);
    let (status, reason, _) = refusal(ask(&["--where", "age=60"]));
    assert_eq!((status, reason.as_str()), (2, "NOT_COUNTED"));
}

#[test]
fn ct_2_only_the_newest_version_is_counted_in() {
    let (site, _) = Site::staffed().unwrap();
    let visitor = profile_without_session(&site);
    let count = |version: &str| {
        let count = ["catalog", "count", "emr", "--table", "patients", "--version", version];
        site.person(RESEARCHER).env("SEKISHO_HOME", &visitor).args(count)
    };
    sealed_emr(&site, "v1", "2190-04-01");
    count("v1").succeed().unwrap();
    sealed_emr(&site, "v2", "2190-04-01");
    let (status, reason, _) = refusal(count("v1"));
    assert_eq!((status, reason.as_str()), (2, "SUPERSEDED"));
    count("v2").succeed().unwrap();
}

/// A visitor sees what the guideline asks a producer to publish.
#[test]
fn ct_1_a_visitor_sees_years_missing_values_terms_and_the_next_version() {
    let (site, _) = Site::staffed().unwrap();
    sealed_emr(&site, "v1", "2190-04-01");
    let shown = shown_to_visitor(&site);
    assert_eq!(text(&shown, "next_update"), "2190-04-01");
    assert!(!shown["overdue"].as_bool().unwrap_or_default());
    assert!(!text(&shown, "terms_ja").is_empty() && !text(&shown, "terms_en").is_empty());
    assert_eq!(shown["patients_rounded"].as_u64(), Some(400));
    let table = |name: &str| {
        list(&shown["tables"]).iter().find(|table| table["name"] == name).unwrap().clone()
    };
    let coverage = table("encounters")["coverage"].clone();
    let years: Vec<_> = list(&coverage).iter().map(|year| year["year"].as_i64().unwrap()).collect();
    assert_eq!(years, (2019..=2024).collect::<Vec<_>>());
    for year in list(&coverage) {
        assert!((100..=400).contains(&year["patients_rounded"].as_u64().unwrap()), "{year}");
    }
    let columns = table("encounters")["columns"].clone();
    let end = list(&columns).iter().find(|column| column["name"] == "end").unwrap();
    // 20 % by the profile; shown in steps of 3 %, which are worth ten of 400 persons.
    assert!((15..=24).contains(&end["missing_percent"].as_u64().unwrap()), "{end}");
    assert_eq!(end["missing_percent"].as_u64().unwrap() % 3, 0);
}

#[test]
fn ct_1_a_data_set_whose_day_is_past_is_overdue_and_raises_one_alert() {
    let (mut site, _) = Site::staffed().unwrap();
    sealed_emr(&site, "v1", "2026-04-01");
    // It looks once at its start, then every minute.
    for _ in 0..2 {
        site.kill_gateway().unwrap();
        site.start_gateway().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while shown_to_visitor(&site)["overdue"].as_bool() != Some(true) {
            assert!(Instant::now() < deadline, "the data set never was overdue");
            thread::sleep(Duration::from_millis(200));
        }
    }
    let entries = log::entries(&site);
    let count = |kind: &str, key: &str, value: &str| {
        entries.iter().filter(|entry| entry.is(kind, key, value)).count()
    };
    assert_eq!(count("dataset_overdue", "dataset_id", "emr"), 1);
    assert_eq!(count("alert_raised", "rule", "dataset_overdue"), 1);
    let alerts = site.person(StageName::Watch).args(["alert", "list"]).json().unwrap();
    assert_eq!(list(&alerts).len(), 1);

    sealed_emr(&site, "v2", "2190-04-01");
    assert!(!shown_to_visitor(&site)["overdue"].as_bool().unwrap_or_default());
}

fn shown_to_visitor(site: &Site) -> Value {
    let visitor = profile_without_session(site);
    let show = site.person(RESEARCHER).env("SEKISHO_HOME", &visitor);
    show.args(["catalog", "show", "emr"]).json().unwrap()
}

/// Made-up rows of the shipped profile, with another day for its next version.
fn sealed_emr(site: &Site, version: &str, next_update: &str) {
    let shipped = sekisho_tests::root().join("policies/profiles/emr.toml");
    let profile = fs::read_to_string(shipped).unwrap();
    let line = profile.lines().find(|line| line.starts_with("next_update")).unwrap();
    let changed = profile.replace(line, &format!("next_update = \"{next_update}\""));
    // Every change of a profile counts its revision up.
    let line = changed.lines().find(|line| line.starts_with("revision")).unwrap().to_owned();
    let changed = changed.replace(&line, &format!("revision = 10{}", version.trim_matches('v')));
    let path = site.root().join("emr.toml");
    fs::write(&path, changed).unwrap();
    dummy::seal(site, &path, 400, 1, version);
}

/// What dummy data is made of is the public profile: nothing of the zones that hold rows and
/// keys need be there.
#[test]
fn ct_1_dummy_data_is_made_without_the_stores() {
    let (site, _) = Site::staffed().unwrap();
    let visitor = profile_without_session(&site);
    let dummy = |out: &str| {
        let out = site.root().join(out);
        let dummy = site.person(RESEARCHER).env("SEKISHO_HOME", &visitor);
        dummy.args(["catalog", "dummy", "lung", "--out"]).arg(&out).succeed().unwrap();
        fs::read_to_string(out.join("lung.csv")).unwrap()
    };
    let before = dummy("before");
    for store in ["datasets", "identified"] {
        fs::rename(site.root().join(store), site.root().join(format!("{store}.away"))).unwrap();
    }
    assert_eq!(dummy("after"), before);
    assert_eq!(before.lines().count(), 101);
}

/// A profile that knows the gateway and nobody's session.
fn profile_without_session(site: &Site) -> std::path::PathBuf {
    let folder = site.root().join("visitor");
    fs::create_dir_all(&folder).unwrap();
    let config = format!("gateway = \"{}\"\n", site.gateway_url());
    fs::write(folder.join("config.toml"), config).unwrap();
    fs::copy(Path::new(&site.ca()), folder.join("ca.pem")).unwrap();
    folder
}
