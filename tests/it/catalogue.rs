//! What anybody may know of the data, and how little that is.

use std::{fs, path::Path};

use sekisho_demo::site::Site;
use serde_json::Value;

use crate::support::desk::{self, RESEARCHER, list, refusal, text};

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
