//! The way to a release with the real command line, and the log that proves it.

use std::{fs, path::Path};

use sekisho_audit::{Checkpoint, Hash, VerifierKey, verify_inclusion};
use sekisho_demo::site::{AgreementFile, Site, StageName};
use serde_json::Value;

use crate::support::{
    desk::{
        self, NOT_VERIFIED, REFUSED, RESEARCHER, REVIEWERS, ballot, example, list, refusal, text,
    },
    log::{self, Entry},
};

/// R's survival 3.5-3, survfit(Surv(time, status) ~ 1, lung) and ~ sex, conf.type "log":
/// output, sex, patients, deaths, median in days with its 95 % limits.
const PUBLISHED: [(&str, &str, u64, u64, [f64; 3]); 3] = [
    ("overall", "", 228, 165, [310.0, 285.0, 363.0]),
    ("by_sex", "male", 138, 112, [270.0, 212.0, 310.0]),
    ("by_sex", "female", 90, 53, [426.0, 348.0, 550.0]),
];
/// What a call may bring about, and the action that must have been allowed before.
const EFFECTS: [(&str, &str); 12] = [
    ("organisation_registered", "RegisterOrganisation"),
    ("person_registered", "RegisterPerson"),
    ("dataset_registered", "RegisterDataset"),
    ("agreement_recorded", "RecordAgreement"),
    ("worker_enrolled", "EnrolWorker"),
    ("module_submitted", "SubmitModule"),
    ("module_decided", "DecideModule"),
    ("run_requested", "StartRun"),
    ("review_requested", "RequestRelease"),
    ("vote_cast", "CastVote"),
    ("released", "CastVote"),
    ("release_fetched", "FetchRelease"),
];

#[test]
fn ou_1_two_blind_votes_release_the_published_survival() {
    let (site, staff) = Site::staffed().unwrap();
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    let request = desk::ask_release(&site, &run);
    let release = two_blind_votes(&site, &request);
    let bundle = site.root().join("people/suzuki/bundle");
    desk::fetch(&site, &release, &bundle);
    published(&bundle);
    in_the_log(&bundle, &release);
    decided_before_done(&log::entries(&site));
    log::verified(&site);
}

/// Until both have voted, nobody sees how the other one did.
fn two_blind_votes(site: &Site, request: &str) -> String {
    let votes = |who: StageName| {
        let shown = site.person(who).args(["review", "show", request]).json().unwrap();
        list(&shown["review_request"]["votes"]).len()
    };
    let listed = |who: StageName| {
        let requests = site.person(who).args(["review", "list"]).json().unwrap();
        let found = list(&requests).iter().find(|found| found["review_request_id"] == request);
        list(&found.unwrap()["votes"]).len()
    };
    let [first, second] = REVIEWERS;
    let voted = ballot(site, first, request, "approve").json().unwrap();
    assert_eq!(voted["state"], "REVIEW_STATE_IN_REVIEW", "one vote is not enough");
    assert_eq!((votes(first), listed(first)), (1, 1));
    assert_eq!((votes(second), listed(second)), (0, 0), "the second reviewer sees the first vote");
    assert_eq!(votes(RESEARCHER), 0, "the researcher sees the first vote");
    let (status, _, rule) = refusal(ballot(site, first, request, "approve"));
    assert_eq!((status, rule.as_str()), (REFUSED, "OU-1"), "one person voted twice");
    let voted = ballot(site, second, request, "approve").json().unwrap();
    assert_eq!(voted["state"], "REVIEW_STATE_RELEASED");
    assert_eq!(list(&voted["votes"]).len(), 2);
    text(&voted, "release_id")
}

fn published(bundle: &Path) {
    for (output, sex, patients, deaths, median) in PUBLISHED {
        let body = read(&bundle.join(format!("outputs/{output}.json")));
        let groups = list(&body["survival"]["groups"]);
        let of_sex = |group: &&Value| match group["key"].as_array().map(Vec::as_slice) {
            None | Some([]) => sex.is_empty(),
            Some(key) => key[0] == sex,
        };
        let group = groups.iter().find(of_sex).unwrap();
        let found =
            ["median", "medianLower", "medianUpper"].map(|key| group[key].as_f64().unwrap());
        assert_eq!(found, median, "{output} {sex}");
        assert_eq!((number(&group["patients"]), number(&group["events"])), (patients, deaths));
        let steps = list(&group["steps"]);
        assert!(!steps.is_empty() && steps.iter().all(|step| number(&step["events"]) >= 10));
        assert_eq!(steps.iter().map(|step| number(&step["events"])).sum::<u64>(), deaths);
    }
}

/// The bundle alone proves that the release is in the log.
fn in_the_log(bundle: &Path, release: &str) {
    let proof = read(&bundle.join("log/inclusion.json"));
    let key: VerifierKey = text(&proof, "verifier_key").parse().unwrap();
    let note = fs::read_to_string(bundle.join("log/checkpoint.txt")).unwrap();
    let head = Checkpoint::verify(&note, &key).unwrap().head;
    let leaf = fs::read(bundle.join("log/entry.json")).unwrap();
    let hash = |hash: &Value| {
        let bytes = hex::decode(hash.as_str().unwrap()).unwrap();
        Hash::try_from(bytes.as_slice()).unwrap()
    };
    let hashes: Vec<Hash> = list(&proof["hashes"]).iter().map(hash).collect();
    let index = proof["index"].as_u64().unwrap();
    verify_inclusion(&leaf, index, &head, &hashes).unwrap();
    let entry: Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!(entry["event"]["release_id"], release);
    let changed = [&leaf[..leaf.len() - 1], b"]"].concat();
    assert!(verify_inclusion(&changed, index, &head, &hashes).is_err());
}

/// No effect without a permit, no permit without a record: each effect of this story stands
/// between the decision that allowed it and the end of its call.
fn decided_before_done(entries: &[Entry]) {
    let mut done = 0;
    for (kind, action) in EFFECTS {
        // The first steward and their organisation were founded with the site.
        let by_call = |entry: &&Entry| entry.kind() == kind && !entry.request_id().is_empty();
        let effects: Vec<&Entry> = entries.iter().filter(by_call).collect();
        assert!(!effects.is_empty(), "no {kind} in the log");
        for effect in effects {
            let of_call = |entry: &&Entry| entry.request_id() == effect.request_id();
            let index = |entry: &Entry| entry.index;
            let allowed = |entry: &&Entry| {
                entry.is("decision", "action", action) && entry.event()["allowed"] == true
            };
            let started = entries.iter().filter(of_call).find(|e| e.kind() == "call_started");
            let decided = entries.iter().filter(of_call).find(allowed).map(index);
            let ended = entries.iter().filter(of_call).find(|e| e.kind() == "call_ended");
            let at = Some(effect.index);
            let (started, ended) = (started.map(index), ended.map(index));
            assert!(started.is_some() && started < decided && decided < at, "{kind} at {at:?}");
            assert!(at < ended, "{kind} at {at:?} was told before it was recorded");
            done += 1;
        }
    }
    assert!(done > EFFECTS.len(), "{done}");
}

#[test]
fn lg_2_the_verifier_names_the_entry_with_a_flipped_byte() {
    let (site, _) = Site::staffed().unwrap();
    log::verified(&site);
    let export = log::exported(&site);
    let verify = |file: &Path| site.person(StageName::Watch).args(["audit", "verify"]).arg(file);
    verify(&export).succeed().unwrap();
    let whole = fs::read_to_string(&export).unwrap();
    let entries: Vec<&str> = whole.lines().filter(|line| line.contains("\"leaf\"")).collect();
    for entry in [0, entries.len() / 2, entries.len() - 1] {
        let copy = export.with_file_name("changed.jsonl");
        fs::write(&copy, whole.replacen(entries[entry], &flipped(entries[entry]), 1)).unwrap();
        let ran = verify(&copy).arg("--json").end_with(NOT_VERIFIED).unwrap();
        assert_eq!(ran.error().unwrap()["entry"], entry);
    }
}

/// The line with another letter in the middle of its Base64: another byte of the entry.
fn flipped(line: &str) -> String {
    let leaf = text(&serde_json::from_str(line).unwrap(), "leaf");
    let (head, tail) = leaf.split_at(leaf.len() / 2);
    let letter = if tail.starts_with('A') { "B" } else { "A" };
    let changed = line.replace(&leaf, &format!("{head}{letter}{}", &tail[1..]));
    assert_ne!(changed, line);
    changed
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A 64-bit number, which the JSON mapping of Protocol Buffers writes as text.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value}"))
}
