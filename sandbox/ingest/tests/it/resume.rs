//! An ingest that is killed and gone on with. The source that it is to be killed in is a pipe,
//! so that it is killed there and nowhere else.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use sekisho_dataset::{FileCheck, Grant, read_table};
use serde_json::Value;
use tempfile::TempDir;

use crate::site::{Site, all_files, holds, json};

const PROFILE: &str = r#"
id = "clinic"
holds = "pseudonymised_info"
min_cell = 10
title = { ja = "診療所", en = "Clinic" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"
[[tables]]
name = "people"
one_row_a_person = true
description = { ja = "人", en = "People" }
removed = [{ source = "name", because = { ja = "氏名", en = "a name" } }]
columns = [
  { name = "patient", kind = "patient", source = "id", description = { ja = "患者", en = "Patient" } },
  { name = "age", kind = "int", source = "age", range = [0, 130], quasi_identifier = true, description = { ja = "年齢", en = "Age" }, dummy = { uniform = [1, 99] } },
]
[[tables]]
name = "visits"
description = { ja = "受診", en = "Visits" }
columns = [
  { name = "patient", kind = "patient", source = "id", description = { ja = "患者", en = "Patient" } },
  { name = "reason", kind = "code", source = "reason", rule = { rare_below = 5, other = "other" }, description = { ja = "理由", en = "Reason" }, dummy = { weights = { cough = 1, fever = 1 } } },
  { name = "days", kind = "int", source = "days", range = [0, 400], description = { ja = "日数", en = "Days" }, dummy = { uniform = [1, 99] } },
]
[[tables]]
name = "labs"
description = { ja = "検査", en = "Laboratory" }
columns = [
  { name = "patient", kind = "patient", source = "id", description = { ja = "患者", en = "Patient" } },
  { name = "value", kind = "float", source = "value", description = { ja = "値", en = "Value" }, dummy = { uniform = [1, 99] } },
]
"#;

const TABLES: [&str; 3] = ["people", "visits", "labs"];
/// Stands in every identified row and nowhere else.
const CANARY: &str = "CANARY内閣";

/// What a version says, and its tables.
#[derive(Debug, PartialEq)]
struct Content {
    said: Value,
    values: Vec<RecordBatch>,
}

/// A site, and the sources in a folder apart from it.
struct Clinic {
    site: Site,
    sources: TempDir,
}

impl Clinic {
    fn new() -> Self {
        let clinic = Self { site: Site::new(), sources: tempfile::tempdir().unwrap() };
        let day = |days| {
            let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
            today - jiff::Span::new().days(days)
        };
        let notice = |person: u32| {
            let days = if person == 59 { 5 } else { 60 };
            format!("{CANARY}{person:05},{}\n", day(days))
        };
        clinic.put("clinic.toml", PROFILE);
        let notices: String = (0..60).map(notice).collect();
        clinic.put("notices.csv", &format!("id,date\n{notices}"));
        clinic.put("optouts.csv", &format!("id\n{CANARY}00012\n{CANARY}00013\n"));
        (0..TABLES.len()).for_each(|table| clinic.whole(table));
        clinic.delete(7);
        clinic
    }

    fn at(&self, name: &str) -> PathBuf {
        self.sources.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let _ = fs::remove_file(self.at(name));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(self.at(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The source of a table as a file.
    fn whole(&self, table: usize) {
        self.put(&format!("{}.csv", TABLES[table]), &rows(table));
    }

    /// A deletion request.
    fn delete(&self, person: u32) {
        self.put("id.txt", &format!("{CANARY}{person:05}\n"));
        let id = self.at("id.txt");
        let said = ["--reference", "D-1", "--received-on", "2026-11-01", "--id-space", "clinic"];
        let id = ["deletions", "add", "--new-id-space", "--id-file", id.to_str().unwrap()];
        let args = [&id[..], &said].concat();
        json(&self.site.run(&args, &["--zone"]));
    }

    fn command(&self, extra: &[&str]) -> Command {
        let path = |name: &str| self.at(name).to_str().unwrap().to_owned();
        let mut args = vec!["csv".to_owned(), "--profile".to_owned(), path("clinic.toml")];
        for table in TABLES {
            args.extend([
                "--table".to_owned(),
                format!("{table}={}", path(&format!("{table}.csv"))),
            ]);
        }
        args.extend(["--notices".to_owned(), path("notices.csv")]);
        args.extend(["--optouts".to_owned(), path("optouts.csv")]);
        args.extend(extra.iter().map(ToString::to_string));
        if !extra.contains(&"--max-rejected") {
            args.extend(["--max-rejected".to_owned(), "0.1".to_owned()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.site.command(&args, &["--zone", "--receiver", "--out"])
    }

    fn run(&self, extra: &[&str]) -> Output {
        self.command(extra).output().unwrap()
    }

    /// Kills an ingest in this table: its source is a pipe that gives nothing.
    fn killed_in(&self, table: usize, extra: &[&str]) {
        let pipe = self.at(&format!("{}.csv", TABLES[table]));
        fs::remove_file(&pipe).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut child = self.command(extra).spawn().unwrap();
        // O_NONBLOCK: opens only when somebody reads.
        let writer = loop {
            match OpenOptions::new().write(true).custom_flags(0o4000).open(&pipe) {
                Ok(writer) => break writer,
                Err(_) => assert_eq!(child.try_wait().unwrap(), None, "it ended before"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        drop(writer);
        self.whole(table);
    }

    fn refused(&self, extra: &[&str]) -> (String, String) {
        let done = self.run(&[&["--resume"], extra].concat());
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        let error: Value = serde_json::from_slice(&done.stderr).unwrap();
        let text = |name: &str| error["error"][name].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    /// All that a version says but its own name and time: totals, both reports, every value,
    /// every rejected row.
    fn content(&self, summary: &Value) -> Content {
        let name = summary["version"].as_str().unwrap();
        let report = self.site.at(&format!("datasets/clinic/{name}.intake.json"));
        let signer = self.site.at("identified/ingest-verify.pem");
        let args = ["report", report.to_str().unwrap(), "--signer", signer.to_str().unwrap()];
        let mut report = json(&self.site.run(&args, &[]));
        for own in ["version", "manifest_sha256", "sealed_at"] {
            report.as_object_mut().unwrap().remove(own);
        }
        let rejects = summary["rejects"].as_str().unwrap();
        let rejects = json(&self.site.run(&["rejects", rejects], &["--zone"]));
        let version = self.site.version(&format!("clinic/{name}"));
        version.verify_files().unwrap();
        let worker = self.site.worker();
        let (mut values, mut codes) = (Vec::new(), Vec::new());
        for table in &version.manifest().tables {
            let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let grant = Grant::of(&[(&table.name, &columns)]);
            let keys = version.unwrap_granted(&worker, &grant).unwrap();
            let open = version.open_table(&keys, &table.name, FileCheck::Sha256).unwrap();
            let batches = read_table(&open, &columns).unwrap();
            let all = concat_batches(&batches[0].schema(), &batches).unwrap();
            values.push(all);
            for entry in &table.dictionaries {
                codes.push(open.dictionary(&entry.column).unwrap());
            }
        }
        let manifest = version.manifest();
        let uniqueness: Vec<_> = manifest.tables.iter().map(|table| &table.uniqueness).collect();
        let processing = &manifest.provenance.processing;
        let said = serde_json::json!({
            "patients": summary["patients"], "rows": summary["rows"], "totals": summary["totals"],
            "report": report, "rejects": rejects, "processing": processing, "codes": codes,
            "uniqueness": uniqueness,
        });
        Content { said, values }
    }

    fn nothing_is_left(&self) {
        assert!(all_files(&self.site.at("identified/resume")).is_empty());
        let left = fs::read_dir(self.site.at("datasets/clinic")).unwrap();
        let mut left = left.map(|entry| entry.unwrap().file_name());
        assert!(left.all(|name| !name.to_string_lossy().starts_with(".sealing")));
    }
}

/// The text of a table's source: persons who come in, who opted out, who were not told, one
/// who is to be deleted; codes that are rare in the table as a whole; rows that are wrong.
fn rows(table: usize) -> String {
    let row = |row: u32| {
        let person = format!("{CANARY}{:05}", row % 62);
        match TABLES[table] {
            "people" if row < 62 => format!("{person},{CANARY}子,{}\n", 40 + row % 7),
            "people" if row == 62 => format!("{person},{CANARY}子,999\n"),
            "visits" if row < 200 => {
                let reason = ["cough", "fever", "cough", "fever", "rash"][row as usize % 5];
                let reason = if row.is_multiple_of(67) { "unheard of" } else { reason };
                let days = if row % 50 == 49 { "many".to_owned() } else { (row % 30).to_string() };
                format!("{person},{reason},{days}\n")
            }
            "labs" => format!("{person},{}.5\n", row % 90),
            _ => String::new(),
        }
    };
    let header = ["id,name,age\n", "id,reason,days\n", "id,value\n"][table];
    header.to_owned() + &(0..1000).map(row).collect::<String>()
}

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
        ("identified/rejects/clinic-v1.sealed", "ingest.resume_tampered"),
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
