//! The end of a project: nothing of it decrypts any more, and a record proves it.

use std::{collections::BTreeSet, fs};

use sekisho_demo::site::{AgreementFile, Site, StageName};
use serde_json::Value;

use crate::support::{
    desk::{
        self, NOT_FOUND, NOT_VERIFIED, REFUSED, RESEARCHER, example, list, refusal, run_order,
        submission,
    },
    log,
};

/// What everything sealed begins with.
const SEALED: &[u8] = b"SKSE";

#[test]
fn sv_3_a_closed_project_is_erased_and_the_record_is_proved_offline() {
    let (site, staff) = Site::staffed().unwrap();
    let before = sealed_files(&site);
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    let release = desk::approved(&site, &desk::ask_release(&site, &run));
    assert!(sealed_files(&site).len() > before.len() + 3, "sealed objects were there");
    let steward = |words: &[&str]| site.person(StageName::Steward).args(words);
    let early = refusal(steward(&["steward", "project", "erasure", &project]));
    assert_eq!(early.0, NOT_FOUND, "an open project has no erasure record");
    let order = ["steward", "project", "close", &project, "--reason", "the study has ended"];
    let (status, ..) = refusal(site.person(StageName::Watch).args(order));
    assert_eq!(status, NOT_FOUND, "closing is the steward's");

    let closed = steward(&order).json().unwrap();
    assert_eq!(closed["closure"]["reason"], "the study has ended");
    assert_eq!(sealed_files(&site), before, "nothing of the project is left anywhere");
    for refused in [
        run_order(&site, &project, &module, &[]),
        submission(&site, &example("km-by-sex"), &project),
        site.person(RESEARCHER).args(["release", "fetch", &release, "--out"]).arg(site.root()),
        steward(&order),
    ] {
        let (status, _, rule) = refusal(refused);
        assert_eq!((status, rule.as_str()), (REFUSED, "SV-3"));
    }

    let kept = site.root().join("erasure");
    let fetch = ["steward", "project", "erasure", &project, "--out"];
    let shown = steward(&fetch).arg(&kept).json().unwrap();
    assert_eq!((&shown["verified"], &shown["removed"]), (&true.into(), &true.into()));
    for what in [&project, &module, &run] {
        let keys = list(&shown["erasure"]["keys"]);
        assert!(keys.contains(&Value::from(what.as_str())), "no {what} in {keys:?}");
    }
    let verify = || steward(&["audit", "erasure"]).arg(&kept);
    verify().succeed().unwrap();
    // A record that names one key less is not the one in the log.
    let record = fs::read_to_string(kept.join("erasure.json")).unwrap();
    fs::write(kept.join("erasure.json"), record.replace(&format!(",\"{run}\""), "")).unwrap();
    verify().arg("--json").end_with(NOT_VERIFIED).unwrap();
    log::verified(&site);
}

/// Files anywhere in the site that hold something sealed.
fn sealed_files(site: &Site) -> BTreeSet<String> {
    let files = walkdir::WalkDir::new(site.root()).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let sealed = files.filter(|entry| {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        bytes.windows(SEALED.len()).any(|window| window == SEALED)
    });
    sealed.map(|entry| entry.path().display().to_string()).collect()
}
