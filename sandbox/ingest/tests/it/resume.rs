//! An ingest that is killed and gone on with.

use std::fs;
use std::io::Write as _;
use std::time::Instant;

use serde_json::Value;

use crate::clinic::{CANARY, Clinic, TABLES, refusal, rows};
use crate::site::{Site, all_files, holds, json};

#[test]
fn killed_in_any_table_and_gone_on_with_it_is_as_if_it_had_not_been() {
    let clinic = Clinic::new();
    let whole = json(&clinic.run(&[]));
    assert!(whole["resumed"].as_array().unwrap().is_empty());
    let whole = clinic.content(&whole);
    let said = &whole.said;
    assert_eq!(said["rejects"].as_array().unwrap().len(), 4);
    assert_eq!(said["report"]["excluded_persons"], 6);
    let smallest = &said["uniqueness"][0]["smallest_class"];
    assert!(smallest.as_u64() > Some(1), "{}", said["uniqueness"]);
    for table in 0..TABLES.len() {
        clinic.killed_in(table, &[]);
        let summary = json(&clinic.run(&["--resume"]));
        assert_eq!(summary["resumed"], serde_json::json!(TABLES[..table]));
        assert_eq!(clinic.content(&summary), whole, "killed in {}", TABLES[table]);
        clinic.nothing_is_left();
    }
}

#[test]
fn it_is_gone_on_with_more_than_once_and_after_the_last_table_too() {
    let clinic = Clinic::new();
    let whole = clinic.content(&json(&clinic.run(&[])));
    clinic.killed_in(1, &[]);
    clinic.killed_in(2, &["--resume"]);
    clinic.killed_in(2, &["--resume"]);
    // Something in the way of the manifest stops it when every table is finished.
    let in_the_way = clinic.site.at("datasets/clinic/.sealing-v2/manifest.json");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(clinic.refused(&[]).0, "dataset.io");
    fs::remove_dir(in_the_way).unwrap();
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!(summary["resumed"], serde_json::json!(TABLES));
    assert_eq!(clinic.content(&summary), whole);
    clinic.nothing_is_left();
    // Nothing is left: it begins.
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!((&summary["version"], &summary["resumed"]), (&"v3".into(), &Value::Array(vec![])));
}

/// Between the version's name and the end there is an entry of the catalogue to be written.
#[test]
fn what_had_published_already_is_finished_and_not_sealed_again() {
    let clinic = Clinic::new();
    let whole = json(&clinic.run(&[]));
    let in_the_way = clinic.site.at("datasets/clinic/v2.catalogue.json");
    let (child, mut pipe) = clinic.waiting_in(2, &[]);
    // Only now, or the number would be taken.
    fs::create_dir_all(in_the_way.join("x")).unwrap();
    pipe.write_all(rows(2).as_bytes()).unwrap();
    drop(pipe);
    assert_eq!(refusal(&child.wait_with_output().unwrap()).0, "ingest.io");
    clinic.whole(2);
    let sealed = fs::read(clinic.site.at("datasets/clinic/v2/manifest.json")).unwrap();
    fs::remove_dir_all(&in_the_way).unwrap();
    let before = fs::read_to_string(clinic.at("optouts.csv")).unwrap();
    clinic.put("optouts.csv", &(before.clone() + "\n"));
    assert_eq!(clinic.refused(&[]).0, "ingest.resume_differs");
    clinic.put("optouts.csv", &before);

    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!(summary["resumed"], serde_json::json!(TABLES));
    assert_eq!(clinic.content(&summary), clinic.content(&whole));
    assert_eq!(fs::read(clinic.site.at("datasets/clinic/v2/manifest.json")).unwrap(), sealed);
    let entry: Value = serde_json::from_slice(&fs::read(&in_the_way).unwrap()).unwrap();
    assert_eq!(entry["manifest_sha256"], summary["manifest_sha256"]);
    for told in ["report", "rejects"] {
        assert!(fs::exists(summary[told].as_str().unwrap()).unwrap(), "{told}");
    }
    assert_eq!(summary["lists"], whole["lists"]);
    assert!(!clinic.site.at("datasets/clinic/v3").exists());
    clinic.nothing_is_left();
}

#[test]
fn what_could_not_be_published_is_gone_on_with_and_what_must_not_be_is_gone() {
    let clinic = Clinic::new();
    let whole = json(&clinic.run(&[]));
    let (child, mut pipe) = clinic.waiting_in(2, &[]);
    let in_the_way = clinic.site.at("datasets/clinic/v2.intake.json");
    fs::create_dir_all(in_the_way.join("x")).unwrap();
    pipe.write_all(rows(2).as_bytes()).unwrap();
    drop(pipe);
    assert_eq!(refusal(&child.wait_with_output().unwrap()).0, "ingest.io");
    clinic.whole(2);
    fs::remove_dir_all(&in_the_way).unwrap();
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!((&summary["resumed"], &summary["version"]), (&TABLES.into(), &"v2".into()));
    assert_eq!(clinic.content(&summary), clinic.content(&whole));
    clinic.nothing_is_left();
}

#[test]
fn killed_at_any_moment_it_goes_on_until_it_is_whole() {
    let clinic = Clinic::new();
    let start = Instant::now();
    let whole = clinic.content(&json(&clinic.run(&[])));
    let whole_run = start.elapsed();
    for step in 1..=12 {
        let mut child = clinic.command(&["--resume"]).spawn().unwrap();
        std::thread::sleep(whole_run * step / 24);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!(clinic.content(&summary), whole);
    clinic.nothing_is_left();
}

#[test]
fn an_input_that_differs_is_refused_by_name_and_nothing_is_lost() {
    let clinic = Clinic::new();
    clinic.killed_in(2, &[]);
    let differs = |extra: &[&str], what: &str| {
        let (code, message) = clinic.refused(extra);
        assert_eq!(code, "ingest.resume_differs", "{message}");
        assert!(message.contains(&format!("{what} differs")), "{what}: {message}");
        assert!(message.contains("Without --resume it starts anew"));
    };
    differs(&["--notice-days", "20"], "--notice-days");
    differs(&["--max-rejected", "0.2"], "--max-rejected");
    differs(&["--buckets", "4"], "--buckets");
    differs(&["--dataset-version", "v7"], "the version");
    let changed = [
        ("clinic.toml", "the profile"),
        ("optouts.csv", "--optouts"),
        ("notices.csv", "--notices"),
        ("people.csv", "the source of people"),
        ("visits.csv", "the source of visits"),
    ];
    for (file, what) in changed {
        let before = fs::read_to_string(clinic.at(file)).unwrap();
        clinic.put(file, &(before.clone() + "\n"));
        differs(&[], what);
        clinic.put(file, &before);
    }
    let stranger = Site::new();
    let own = clinic.site.at("worker/receiving.pub");
    let before = fs::read(&own).unwrap();
    fs::copy(stranger.at("worker/receiving.pub"), &own).unwrap();
    differs(&[], "--receiver");
    fs::write(&own, before).unwrap();
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!(summary["resumed"], serde_json::json!(TABLES[..2]));
}

/// Who asked to be deleted in between must not come in with a table that was read before.
#[test]
fn op_2_a_deletion_request_made_in_between_is_not_passed_over() {
    let clinic = Clinic::new();
    clinic.killed_in(2, &[]);
    clinic.delete(30);
    let (code, message) = clinic.refused(&[]);
    assert_eq!(code, "ingest.resume_differs");
    assert!(message.contains("the deletion requests"), "{message}");
    let anew = json(&clinic.run(&[]));
    assert!(anew["resumed"].as_array().unwrap().is_empty());
    assert_eq!(anew["totals"]["people"]["deleted"], 2);
    clinic.nothing_is_left();
}

/// The signed report must not claim a request that was not joined.
#[test]
fn op_2_a_deletion_request_made_while_it_reads_stops_the_version() {
    let clinic = Clinic::new();
    let (child, mut pipe) = clinic.waiting_in(2, &[]);
    clinic.delete(30);
    pipe.write_all(rows(2).as_bytes()).unwrap();
    drop(pipe);
    let (code, message) = refusal(&child.wait_with_output().unwrap());
    assert_eq!(code, "ingest.deletions_changed");
    assert!(message.contains("run the ingest again"), "{message}");
    clinic.nothing_is_left();
    let left = all_files(&clinic.site.at("datasets"));
    assert!(left.iter().all(|file| file.ends_with(".lock")), "{left:?}");
    clinic.whole(2);
    let anew = json(&clinic.run(&["--resume"]));
    assert_eq!((&anew["version"], &anew["totals"]["people"]["deleted"]), (&"v1".into(), &2.into()));
}

#[test]
fn cr_1_what_was_left_and_changed_is_refused_by_the_file_and_holds_no_person() {
    let clinic = Clinic::new();
    clinic.killed_in(2, &[]);
    for file in all_files(clinic.site.0.path()) {
        assert!(!holds(&fs::read(&file).unwrap(), CANARY.as_bytes()), "{}", file.display());
    }
    for (file, code) in [
        ("datasets/clinic/.sealing-v1/people/bucket-0003.parquet", "dataset.tampered"),
        ("datasets/clinic/.sealing-v1/dictionaries/visits.reason.sealed", "dataset.tampered"),
        ("identified/resume/clinic.sealed", "ingest.resume_tampered"),
        ("identified/rejects/clinic.part", "ingest.resume_tampered"),
    ] {
        let path = clinic.site.at(file);
        let before = fs::read(&path).unwrap();
        let mut flipped = before.clone();
        flipped[before.len() / 2] ^= 1;
        for changed in [&flipped[..], &before[..before.len() - 1], &[]] {
            fs::write(&path, changed).unwrap();
            let (found, message) = clinic.refused(&[]);
            assert_eq!(found, code, "{message}");
            let name = file.strip_prefix("datasets/clinic/.sealing-v1/").unwrap_or(file);
            assert!(message.contains(name), "{name}: {message}");
        }
        fs::write(&path, before).unwrap();
    }
    // What no journal names is no part of the version.
    let stray = clinic.site.at("datasets/clinic/.sealing-v1/people/stray.parquet");
    fs::write(&stray, b"put there").unwrap();
    let summary = json(&clinic.run(&["--resume"]));
    assert_eq!(summary["resumed"], serde_json::json!(TABLES[..2]));
    clinic.site.version("clinic/v1").verify_files().unwrap();
}

/// Keys of another zone do not open what is left, and another's journal is not taken.
#[test]
fn zn_2_what_is_left_belongs_to_its_zone_and_its_data_set() {
    let clinic = Clinic::new();
    clinic.killed_in(1, &[]);
    let journal = clinic.site.at("identified/resume/clinic.sealed");
    let other = Clinic::new();
    other.killed_in(1, &[]);
    fs::copy(other.site.at("identified/resume/clinic.sealed"), &journal).unwrap();
    assert_eq!(clinic.refused(&[]).0, "ingest.resume_tampered");
}

/// Each part of both is sealed by this zone for this data set.
#[test]
fn cr_1_the_journals_of_two_attempts_cannot_be_put_together() {
    let clinic = Clinic::new();
    let path = clinic.site.at("identified/resume/clinic.sealed");
    clinic.killed_in(1, &[]);
    let first = fs::read(&path).unwrap();
    clinic.killed_in(2, &["--resume"]);
    let second = fs::read(&path).unwrap();
    // After the first line, the record with its length before it, then the persons.
    let record = |file: &[u8]| {
        let start = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let size = u32::from_be_bytes(file[start..start + 4].try_into().unwrap());
        start + 4 + size as usize
    };
    for (head, tail) in [(&first, &second), (&second, &first)] {
        let both = [&head[..record(head)], &tail[record(tail)..]].concat();
        fs::write(&path, both).unwrap();
        assert_eq!(clinic.refused(&[]).0, "ingest.resume_tampered");
    }
    fs::write(&path, second).unwrap();
    json(&clinic.run(&["--resume"]));
}
