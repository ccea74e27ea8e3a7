//! The program as a steward runs it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use sekisho_dataset::{FileCheck, Grant, read_table};
use serde_json::Value;

use crate::site::{REPOSITORY, Site, all_files, holds, json};

#[test]
fn lung_is_sealed_and_listed() {
    let site = Site::new();
    let summary = json(&site.lung(&[]));
    assert_eq!(
        (summary["dataset"].as_str(), summary["version"].as_str()),
        (Some("lung"), Some("v1"))
    );
    assert_eq!(
        (summary["patients"].as_u64(), summary["rows"]["lung"].as_u64()),
        (Some(228), Some(228))
    );
    let catalogue = fs::read(summary["catalogue"].as_str().unwrap()).unwrap();
    let catalogue: Value = serde_json::from_slice(&catalogue).unwrap();
    assert_eq!(catalogue["manifest_sha256"], summary["manifest_sha256"]);
    assert_eq!(catalogue["patients"], 220);

    let version = site.version("lung/v1");
    version.verify_files().unwrap();
    let worker = site.worker();
    let keys =
        version.unwrap_granted(&worker, &Grant::of(&[("lung", &["sex", "status"])])).unwrap();
    let table = version.open_table(&keys, "lung", FileCheck::Sha256).unwrap();
    assert_eq!(table.dictionary("sex").unwrap(), ["1", "2"]);
    let rows: usize = read_table(&table, &["sex"]).unwrap().iter().map(|b| b.num_rows()).sum();
    assert_eq!(rows, 228);
}

#[test]
fn a_version_is_not_sealed_twice() {
    let site = Site::new();
    json(&site.lung(&["--dataset-version", "v1"]));
    let again = site.lung(&["--dataset-version", "v1"]);
    assert_eq!(again.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&again.stderr).unwrap();
    assert_eq!(error["error"]["code"], "dataset.duplicate_version");
    assert_eq!(json(&site.lung(&[]))["version"], "v2");
}

#[test]
fn bad_sources_publish_nothing_and_say_where() {
    let site = Site::new();
    let profile = format!("{REPOSITORY}/policies/profiles/lung.toml");
    let good = fs::read_to_string(format!("{REPOSITORY}/tests/data/lung.csv")).unwrap();
    let file = site.at("bad.csv");
    let table = format!("lung={}", file.display());
    for (from, to, code) in [
        ("\"sex\"", "\"gender\"", "source.missing_column"),
        ("3,306,2,74", "3,many,2,74", "source.bad_number"),
        ("3,306,2,74", "3,306,7,74", "source.undeclared_code"),
        ("3,306,2,74,", "3,306,2,74,1,", "source.bad_row"),
    ] {
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let error = site.csv(&profile, &[&table]);
        assert_eq!(error["error"]["code"], code);
        assert!(error["error"]["errors"][0]["line"].as_u64() <= Some(2));
    }
    fs::write(&file, "").unwrap();
    assert_eq!(site.csv(&profile, &[&table])["error"]["code"], "source.empty_file");
    assert_eq!(site.csv(&profile, &["pets=x.csv"])["error"]["code"], "ingest.tables");
    let wrong = site.at("wrong.toml");
    fs::write(&wrong, fs::read_to_string(&profile).unwrap() + "\ncolour = 1\n").unwrap();
    let error = site.csv(wrong.to_str().unwrap(), &[&table]);
    assert_eq!(error["error"]["errors"][0]["code"], "profile.unknown_key");
    assert!(!site.at("datasets/lung/v1").exists());
}

/// Requirement CR-1 and ZN-2: what the identified zone knows rests nowhere outside it.
#[test]
fn cr_1_canaries_of_the_source_rest_nowhere_in_the_site() {
    let site = Site::new();
    let profile = site.at("canary.toml");
    let toml = fs::read_to_string(format!("{REPOSITORY}/policies/profiles/lung.toml")).unwrap();
    let toml = toml.replace("source = \"@row\"", "source = \"who\"");
    fs::write(&profile, toml).unwrap();
    let mut rows =
        String::from("who,inst,time,status,age,sex,ph.ecog,ph.karno,pat.karno,meal.cal,wt.loss\n");
    for number in 0..200 {
        rows.push_str(&format!(
            "CANARY-PERSON-{number:04},CANARY-SITE-{number:04},{},2,60,1,1,90,90,900,1\n",
            0x1020_3040_5060_0000_i64 + number
        ));
    }
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("CANARY-FILE.csv");
    fs::write(&file, rows).unwrap();
    let table = format!("lung={}", file.display());
    let args = ["csv", "--profile", profile.to_str().unwrap(), "--table", &table];
    let done = site.take(&args);
    json(&done);
    fs::remove_file(profile).unwrap();
    let mut scanned = vec![done.stdout, done.stderr];
    scanned.extend(all_files(site.0.path()).iter().map(|path| fs::read(path).unwrap()));
    assert!(scanned.len() > 15);
    for bytes in scanned {
        assert!(!holds(&bytes, b"CANARY"));
        // The first six bytes of every planted number, either way round.
        assert!(!holds(&bytes, &[0x10, 0x20, 0x30, 0x40, 0x50, 0x60]));
        assert!(!holds(&bytes, &[0x60, 0x50, 0x40, 0x30, 0x20, 0x10]));
    }
    let paths = all_files(site.0.path());
    assert!(paths.iter().all(|path| !path.to_string_lossy().contains("CANARY")));
}

/// Requirement CR-1: ids and keys are in its memory from the first list on.
#[test]
fn cr_1_an_ingest_that_reads_can_leave_no_core_file() {
    let site = Site::new();
    let profile = format!("{REPOSITORY}/policies/profiles/lung.toml");
    let table = format!("lung={REPOSITORY}/tests/data/lung.csv");
    let words = ["csv", "--profile", &profile, "--table", &table, "--notices", "/dev/stdin"];
    let mut ingest = site.taking(&words).stdin(Stdio::piped()).spawn().unwrap();
    // More than fits into a pipe: it is reading when this has been written.
    let list = "id,date\n".to_owned() + &"1,2020-01-01\n".repeat(20_000);
    ingest.stdin.as_mut().unwrap().write_all(list.as_bytes()).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", ingest.id())).unwrap();
    ingest.kill().unwrap();
    ingest.wait().unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>(), ["0", "0", "bytes"]);
}

#[test]
fn zn_2_zones_in_one_folder_are_refused_at_start() {
    let site = Site::new();
    let inside = site.at("identified/datasets");
    let args = ["generate-ehr", "--patients", "10", "--out", inside.to_str().unwrap()];
    let done = site.run(&args, &["--zone", "--receiver"]);
    assert_eq!(done.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "ingest.zones_overlap");
    assert!(!inside.exists());
}

#[test]
fn verify_finds_a_changed_file_and_writes_the_catalogue_again() {
    let site = Site::new();
    let catalogue = PathBuf::from(json(&site.lung(&[]))["catalogue"].as_str().unwrap());
    let first = fs::read(&catalogue).unwrap();
    fs::remove_file(&catalogue).unwrap();
    let folder = site.at("datasets/lung/v1");
    let signer = site.at("identified/ingest-verify.pem");
    let folder_arg = folder.to_str().unwrap();
    let args = ["verify", "--folder", folder_arg, "--signer", signer.to_str().unwrap()];
    assert_eq!(json(&site.run(&args, &[]))["intact"], true);
    assert_eq!(fs::read(&catalogue).unwrap(), first);
    let file = folder.join("lung/bucket-0002.parquet");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let done = site.run(&args, &[]);
    assert_eq!(done.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "dataset.tampered");
    assert!(error["error"]["message"].as_str().unwrap().contains("lung/bucket-0002.parquet"));
}
