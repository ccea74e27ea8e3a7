//! Deletion requests: which are recorded, what they keep out, and that none is lost.

use std::fs;

use crate::intake::{Ward, totals};
use crate::site::{holds, json};

#[test]
fn op_2_a_deletion_request_takes_effect_in_the_next_version_and_is_traceable() {
    let ward = Ward::new();
    assert_eq!(totals(&json(&ward.seal(&[])))[1], 38);
    let id = ward.put("id.txt", b"00000007\n");
    let zone = ["--id-space", "ward", "--id-file", &id, "--reference", "D-2026-1"];
    let dated = [&["deletions", "add"][..], &zone, &["--received-on", "2026-11-01"]].concat();
    json(&ward.0.run(&dated, &["--zone"]));
    let summary = json(&ward.seal(&[]));
    assert_eq!((totals(&summary)[1], totals(&summary)[4]), (36, 2));
    let report = ward.report("v2");
    assert_eq!(report["deletions"][0]["reference"], "D-2026-1");
    assert_eq!(report["deletions"][0]["rows"], 2);
    let listed = ward.0.run(&["deletions", "list"], &["--zone"]);
    assert_eq!(json(&listed)[0]["received_on"], "2026-11-01");
    assert!(!holds(&listed.stdout, b"00000007"));
}

#[test]
fn op_2_a_deletion_request_under_a_mistyped_id_space_is_refused() {
    let ward = Ward::new();
    let id = ward.put("id.txt", b"00000007\n");
    let add = |extra: &[&str]| {
        let request = ["--id-file", &id, "--reference", "D-1", "--received-on", "2026-11-01"];
        ward.0.run(&[&["deletions", "add"], &request[..], extra].concat(), &["--zone"])
    };
    let profile = ward.0.at("ward.toml");
    let profile = ["--profile", profile.to_str().unwrap()];
    // Nothing was taken in yet, so that no id space is known.
    assert_eq!(Ward::refusal(&add(&["--id-space", "ward"])).0, "ingest.unknown_id_space");
    assert_eq!(Ward::refusal(&add(&profile)).0, "ingest.unknown_id_space");
    assert_eq!(ward.seal(&["--max-rejected", "2"]).status.code(), Some(2), "a failed ingest");
    assert_eq!(Ward::refusal(&add(&profile)).0, "ingest.unknown_id_space");
    json(&ward.seal(&[]));
    for mistyped in ["wards", "", "../ward", "Ward"] {
        let refused = Ward::refusal(&add(&["--id-space", mistyped]));
        assert_eq!(refused.0, "ingest.unknown_id_space", "{mistyped}");
    }
    let listed = || json(&ward.0.run(&["deletions", "list"], &["--zone"]));
    assert_eq!(listed().as_array().unwrap().len(), 0);
    json(&add(&["--id-space", "checkups", "--new-id-space"]));
    assert_eq!(json(&add(&["--id-space", "ward"]))["id_space"], "ward");
    assert_eq!(json(&add(&profile))["id_space"], "ward", "the same again");
    let spaces: Vec<_> =
        listed().as_array().unwrap().iter().map(|it| it["id_space"].clone()).collect();
    assert_eq!(spaces, ["checkups", "ward"]);
}

#[test]
fn op_2_a_deletion_request_that_could_match_nobody_is_refused() {
    let ward = Ward::new();
    json(&ward.seal(&[]));
    let add = |id: &[u8], extra: &[&str]| {
        let id = ward.put("id.txt", id);
        let request = ["--id-file", &id, "--reference", "D-1", "--received-on", "2026-11-01"];
        ward.0.run(&[&["deletions", "add"], &request[..], extra].concat(), &["--zone"])
    };
    let (space, new) = (["--id-space", "ward"], ["--id-space", "new", "--new-id-space"]);
    let profile = ward.0.at("ward.toml");
    let profile = ["--new-id-space", "--profile", profile.to_str().unwrap()];
    let (kana, _, _) = encoding_rs::SHIFT_JIS.encode("ナイカク\n");
    for (id, extra, code) in [
        (&kana[..], &space[..], "ingest.id_encoding"),
        (b"", &space, "ingest.no_id"),
        ("\u{feff}\n \n".as_bytes(), &space, "ingest.no_id"),
        (b"00000007\n2003-02-26\n", &space, "ingest.id_parts"),
        (b"00000007\n2003-02-26\n", &profile, "ingest.id_parts"),
    ] {
        assert_eq!(Ward::refusal(&add(id, extra)).0, code);
    }
    json(&add(&kana, &[&new[..], &["--encoding", "cp932"]].concat()));
    json(&add(b"ABE\n2003-02-26\n", &new));
    // As an editor of Windows writes it.
    json(&add("\u{feff}00000007\r\n".as_bytes(), &space));
    assert_eq!(totals(&json(&ward.seal(&[])))[4], 2);
}

#[test]
fn op_2_without_its_register_of_deletion_requests_a_zone_takes_nothing_in() {
    let ward = Ward::new();
    let register = ward.0.at("identified/deletions.sealed");
    let before = fs::read(&register).unwrap();
    fs::remove_file(&register).unwrap();
    let list = || ward.0.run(&["deletions", "list"], &["--zone"]);
    json(&ward.0.run(&["init"], &["--zone", "--receiver"]));
    for refused in [ward.seal(&[]), list()] {
        let (code, error) = Ward::refusal(&refused);
        assert_eq!(code, "ingest.register_missing");
        assert!(error["message"].as_str().unwrap().contains(register.to_str().unwrap()));
    }
    ward.put("identified/deletions.sealed", &before);
    assert!(json(&list()).as_array().unwrap().is_empty(), "a new zone has one");
    fs::remove_file(&register).unwrap();
    let init = || ward.0.run(&["deletions", "init"], &["--zone"]);
    json(&init());
    assert_eq!(init().status.code(), Some(1), "one that is there is kept");
    json(&ward.seal(&[]));
}

#[test]
fn op_2_a_register_put_back_from_before_an_earlier_version_is_refused() {
    let ward = Ward::new();
    json(&ward.seal(&[]));
    let add = |person: u32| {
        let id = ward.put("id.txt", format!("{person:08}\n").as_bytes());
        let reference = format!("D-{person}");
        let said = ["--id-space", "ward", "--id-file", &id, "--reference", &reference];
        let args = [&["deletions", "add", "--received-on", "2026-11-01"], &said[..]].concat();
        json(&ward.0.run(&args, &["--zone"]));
    };
    add(7);
    let old = fs::read(ward.0.at("identified/deletions.sealed")).unwrap();
    json(&ward.seal(&[]));
    add(8);
    json(&ward.seal(&[]));
    ward.put("identified/deletions.sealed", &old);
    for in_between in [None, Some(9)] {
        in_between.into_iter().for_each(add);
        let (code, error) = ward.refused(&[]);
        assert_eq!(code, "ingest.register_rolled_back");
        let report = ward.0.at("datasets/ward/v3.intake.json");
        assert!(error["message"].as_str().unwrap().contains(report.to_str().unwrap()));
    }
    assert!(!ward.0.at("datasets/ward/v4").exists());
    ward.put("identified/deletions.sealed", &old);
    add(8);
    assert_eq!(totals(&json(&ward.seal(&[])))[4], 4, "recorded again");
}
