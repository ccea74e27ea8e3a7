//! A kill or a full disk leaves the version that was there, or the whole new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use sekisho_ingest::{IdentifiedZone, verify_report};
use sekisho_vault::VerifyingIdentity;
use serde_json::Value;

use crate::intake::{HEADER, Ward};
use crate::site::{Site, TODAY, json};

#[test]
fn a_killed_ingest_leaves_no_version_or_a_whole_one() {
    let site = Site::new();
    let whole = |version: &str| site.version(&format!("ehr/{version}")).verify_files().unwrap();
    killed_at_any_step(&site.at("datasets/ehr"), 20, &|| site.ehr(), &whole);
    let summary = json(&site.ehr().output().unwrap());
    assert_eq!(summary["patients"], 3000);
    whole(summary["version"].as_str().unwrap());
    assert!(!half_written(&site.at("datasets/ehr")));
}

#[test]
fn a_full_disk_leaves_the_old_version_and_no_half_of_a_new_one() {
    let site = Site::new();
    json(&site.ehr().output().unwrap());
    let folder = site.at("datasets/ehr");
    for blocks in [0, 8, 64] {
        let full = on_a_full_disk(&site.ehr(), blocks);
        assert_eq!(full.status.code(), Some(1), "{blocks}: {full:?}");
        let error: Value = serde_json::from_slice(&full.stderr).unwrap();
        assert!(error["error"]["code"].is_string(), "{error}");
        assert_eq!(all_versions(&folder), ["v1"], "{blocks}");
        site.version("ehr/v1").verify_files().unwrap();
    }
    assert_eq!(json(&site.ehr().output().unwrap())["version"], "v2");
}

#[test]
fn op_1_a_killed_intake_leaves_no_version_without_its_report_and_rejects() {
    let intake = Intake::new();
    let whole = |version: &str| intake.whole(version);
    killed_at_any_step(&intake.folder(), 12, &|| intake.command(), &whole);
    let summary = json(&intake.command().output().unwrap());
    whole(summary["version"].as_str().unwrap());
    assert!(!half_written(&intake.folder()));
}

#[test]
fn op_1_a_full_disk_leaves_no_version_without_its_report_and_rejects() {
    let intake = Intake::new();
    json(&intake.command().output().unwrap());
    // From no room at all to enough of it.
    let rooms = std::iter::once(0).chain((0..12).map(|power| 1 << power));
    let mut failed = 0;
    for blocks in rooms {
        let full = on_a_full_disk(&intake.command(), blocks);
        all_versions(&intake.folder()).iter().for_each(|version| intake.whole(version));
        if full.status.success() {
            break;
        }
        let error: Value = serde_json::from_slice(&full.stderr).unwrap();
        assert!(error["error"]["code"].is_string(), "{error}");
        failed += 1;
    }
    assert!((3..13).contains(&failed), "{failed} were too small");
    let versions = all_versions(&intake.folder());
    assert!(versions.contains(&"v2".to_owned()), "{versions:?}");
}

/// A CSV file with wrong rows, joined with both lists.
struct Intake {
    ward: Ward,
    lists: [String; 2],
}

/// Persons, with three rows each. Of a hundred, two opted out, three were not told, and one
/// has a wrong row.
const PERSONS: u64 = 2_000;

impl Intake {
    fn new() -> Self {
        let ward = Ward::new();
        let (mut rows, mut notices, mut optouts) =
            (HEADER.to_owned(), "id,date\n".to_owned(), "id\n".to_owned());
        for number in 0..PERSONS {
            let of_hundred = number % 100;
            for row in 0..3 {
                let age = if of_hundred == 9 && row == 0 { "four" } else { "40" };
                rows.push_str(&format!("{number:08},内閣　花子{number},{age},東,花子{number}\n"));
            }
            if of_hundred >= 3 {
                notices.push_str(&format!("{number:08},2020-01-01\n"));
            }
            if (3..5).contains(&of_hundred) {
                optouts.push_str(&format!("{number:08}\n"));
            }
        }
        ward.put("stays.csv", rows.as_bytes());
        let lists = [("notices.csv", notices), ("optouts.csv", optouts)];
        let lists = lists.map(|(name, list)| ward.put(name, list.as_bytes()));
        Self { ward, lists }
    }

    fn command(&self) -> Command {
        let ([notices, optouts], words) = (&self.lists, self.ward.words());
        let lists = ["--notices", notices, "--optouts", optouts, "--max-rejected", "0.1"];
        self.ward.0.taking(&[&words.each_ref().map(String::as_str), &lists[..]].concat())
    }

    fn folder(&self) -> PathBuf {
        self.ward.0.at("datasets/ward")
    }

    /// The version's files are as signed, its report speaks of them, and every row is
    /// accounted for, rejected ones in the reject file.
    fn whole(&self, version: &str) {
        let site = &self.ward.0;
        let sealed = site.version(&format!("ward/{version}"));
        sealed.verify_files().unwrap();
        let signer = VerifyingIdentity::load(&site.at("identified/ingest-verify.pem")).unwrap();
        let report = site.at(&format!("datasets/ward/{version}.intake.json"));
        let report = verify_report(&report, &signer).unwrap();
        assert_eq!(report.manifest_sha256, sealed.manifest_sha256());
        let (hundreds, totals) = (PERSONS / 100, report.tables[0].totals);
        assert!(totals.balance());
        assert_eq!((totals.read, totals.not_notified), (PERSONS * 3, hundreds * 9));
        assert_eq!((totals.opted_out, totals.rejected), (hundreds * 6, hundreds));
        let rejects = site.at(&format!("identified/rejects/ward-{version}.sealed"));
        let zone = IdentifiedZone::open(&site.at("identified"), TODAY).unwrap();
        assert_eq!(zone.rejected(&rejects).unwrap().len() as u64, hundreds);
    }
}

/// Ingests once, then kills as many more at moments from the beginning to after the end.
/// Whatever version is there after each must be whole, and none may go.
fn killed_at_any_step(
    folder: &Path,
    steps: u32,
    command: &dyn Fn() -> Command,
    whole: &dyn Fn(&str),
) {
    let start = Instant::now();
    json(&command().output().unwrap());
    let (whole_run, mut versions, mut halves) = (start.elapsed(), 1, 0);
    for step in 1..=steps {
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole_run * step * 5 / (steps * 4));
        child.kill().unwrap();
        child.wait().unwrap();
        halves += usize::from(half_written(folder));
        let found = all_versions(folder);
        assert!(found.len() >= versions);
        versions = found.len();
        found.iter().for_each(|version| whole(version));
    }
    assert!(halves > 0, "no kill hit a version being written");
}

/// Runs it where no file can grow over so many blocks of 512 bytes: writing fails as it does
/// on a full disk.
fn on_a_full_disk(command: &Command, blocks: u32) -> Output {
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()])
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .unwrap()
}

fn half_written(folder: &Path) -> bool {
    let mut names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with(".sealing"))
}

fn all_versions(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = names.filter(|entry| entry.path().is_dir());
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}
