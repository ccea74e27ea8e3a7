//! A clinic of three tables whose ingest can be stopped in any of them: the source that it is
//! to be stopped in is a pipe, so that it is there and nowhere else.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use sekisho_dataset::{FileCheck, Grant, read_table};
use serde_json::Value;
use tempfile::TempDir;

use crate::site::{Site, all_files, json};

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

pub(crate) const TABLES: [&str; 3] = ["people", "visits", "labs"];
/// Stands in every identified row and nowhere else.
pub(crate) const CANARY: &str = "CANARY内閣";

/// What a version says, and its tables.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) said: Value,
    values: Vec<RecordBatch>,
}

/// A site, and the sources in a folder apart from it.
pub(crate) struct Clinic {
    pub(crate) site: Site,
    sources: TempDir,
}

impl Clinic {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.sources.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        let _ = fs::remove_file(self.at(name));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(self.at(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The source of a table as a file.
    pub(crate) fn whole(&self, table: usize) {
        self.put(&format!("{}.csv", TABLES[table]), &rows(table));
    }

    /// A deletion request.
    pub(crate) fn delete(&self, person: u32) {
        self.put("id.txt", &format!("{CANARY}{person:05}\n"));
        let id = self.at("id.txt");
        let said = ["--reference", "D-1", "--received-on", "2026-11-01", "--id-space", "clinic"];
        let id = ["deletions", "add", "--new-id-space", "--id-file", id.to_str().unwrap()];
        let args = [&id[..], &said].concat();
        json(&self.site.run(&args, &["--zone"]));
    }

    pub(crate) fn command(&self, extra: &[&str]) -> Command {
        self.command_into("datasets", extra)
    }

    /// Takes the sources into this folder of the site.
    pub(crate) fn command_into(&self, folder: &str, extra: &[&str]) -> Command {
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
        let mut command = self.site.command(&args, &["--zone", "--receiver"]);
        command.arg("--out").arg(self.site.at(folder));
        command
    }

    pub(crate) fn run(&self, extra: &[&str]) -> Output {
        self.command(extra).output().unwrap()
    }

    /// An ingest that has come to this table, and the pipe that is the table's source.
    pub(crate) fn waiting_in(&self, table: usize, extra: &[&str]) -> (Child, File) {
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
        (child, writer)
    }

    /// Kills an ingest in this table: its source is a pipe that gives nothing.
    pub(crate) fn killed_in(&self, table: usize, extra: &[&str]) {
        let (mut child, writer) = self.waiting_in(table, extra);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(writer);
        self.whole(table);
    }

    pub(crate) fn refused(&self, extra: &[&str]) -> (String, String) {
        refusal(&self.run(&[&["--resume"], extra].concat()))
    }

    /// All that a version says but its own name and time: totals, both reports, every value,
    /// every rejected row.
    pub(crate) fn content(&self, summary: &Value) -> Content {
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

    pub(crate) fn nothing_is_left(&self) {
        let kept = all_files(&self.site.at("identified"));
        let lying = |file: &&PathBuf| file.ends_with("resume/clinic.sealed");
        let unfinished = |file: &&PathBuf| file.extension().is_some_and(|end| end == "part");
        assert_eq!(kept.iter().find(|file| lying(file) || unfinished(file)), None);
        let left = fs::read_dir(self.site.at("datasets/clinic")).unwrap();
        let mut left = left.map(|entry| entry.unwrap().file_name());
        assert!(left.all(|name| !name.to_string_lossy().starts_with(".sealing")));
    }
}

/// Code and message of a command that was refused.
pub(crate) fn refusal(done: &Output) -> (String, String) {
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let error: Value = serde_json::from_slice(&done.stderr).unwrap();
    let text = |name: &str| error["error"][name].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

/// The text of a table's source: persons who come in, who opted out, who were not told, one
/// who is to be deleted; codes that are rare in the table as a whole; rows that are wrong.
pub(crate) fn rows(table: usize) -> String {
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
