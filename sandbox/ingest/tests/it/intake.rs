//! Who is let in, and where every row of a source goes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use sekisho_dataset::{FileCheck, Grant, Profile, SealOptions, read_table};
use sekisho_ingest::{
    Encoding, Format, IdentifiedZone, Ingest, Intake, IntakeLists, PersonList, Silent,
};
use sekisho_vault::ReceivingPublic;
use serde_json::Value;

use crate::site::{Site, TODAY, all_files, holds, json};

const PROFILE: &str = r#"
id = "ward"
holds = "pseudonymised_info"
title = { ja = "病棟", en = "Ward" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"
[[tables]]
name = "stays"
description = { ja = "入院", en = "Stays" }
removed = [{ source = "氏名", because = { ja = "氏名", en = "a name" } }]
columns = [
  { name = "patient", kind = "patient", source = "被保険者番号", description = { ja = "患者", en = "Patient" } },
  { name = "age", kind = "int", source = "年齢", range = [0, 130], description = { ja = "年齢", en = "Age" }, dummy = { uniform = [1, 99] } },
  { name = "ward", kind = "code", source = "病棟", rule = { undeclared = "row" }, description = { ja = "病棟", en = "Ward" }, codes = { "東" = { ja = "東", en = "east" }, "西" = { ja = "西", en = "west" } } },
  { name = "note", kind = "code", source = "備考", nullable = true, rule = { free_text = true }, description = { ja = "備考", en = "Note" }, dummy = { always = "特記なし" } },
]
"#;

pub(crate) const HEADER: &str = "被保険者番号,氏名,年齢,病棟,備考\n";

/// Twenty persons with two rows each, person 3 in a ward the profile does not know.
pub(crate) fn rows() -> String {
    let row = |number: u32| {
        let ward = if number == 3 { "北" } else { "東" };
        format!(
            "{number:08},内閣　花子{number},{},{ward},花子{number}は090-1234-5678へ\n",
            40 + number
        )
    };
    HEADER.to_owned() + &(1..=20).flat_map(|number| [row(number), row(number)]).collect::<String>()
}

pub(crate) struct Ward(pub(crate) Site);

impl Ward {
    pub(crate) fn new() -> Self {
        let ward = Self(Site::new());
        ward.put("ward.toml", PROFILE.as_bytes());
        ward.put("stays.csv", rows().as_bytes());
        ward
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.at(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn seal(&self, extra: &[&str]) -> Output {
        let words = self.words();
        self.0.take(&[&words.each_ref().map(String::as_str), extra].concat())
    }

    pub(crate) fn words(&self) -> [String; 5] {
        let [profile, file] = ["ward.toml", "stays.csv"].map(|name| self.0.at(name));
        let table = format!("stays={}", file.display());
        ["csv", "--profile", profile.to_str().unwrap(), "--table", &table].map(str::to_owned)
    }

    pub(crate) fn refused(&self, extra: &[&str]) -> (String, Value) {
        Self::refusal(&self.seal(extra))
    }

    pub(crate) fn refusal(done: &Output) -> (String, Value) {
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        let error: Value = serde_json::from_slice(&done.stderr).unwrap();
        (error["error"]["code"].as_str().unwrap().to_owned(), error["error"].clone())
    }

    pub(crate) fn report(&self, version: &str) -> Value {
        let file = self.0.at(&format!("datasets/ward/{version}.intake.json"));
        let signer = self.0.at("identified/ingest-verify.pem");
        let args = ["report", file.to_str().unwrap(), "--signer", signer.to_str().unwrap()];
        json(&self.0.run(&args, &[]))
    }
}

pub(crate) fn totals(summary: &Value) -> [u64; 7] {
    let of = &summary["totals"]["stays"];
    ["read", "sealed", "opted_out", "not_notified", "deleted", "rejected", "removed_by_rule"]
        .map(|name| of[name].as_u64().unwrap())
}

#[test]
fn op_1_who_opted_out_or_was_not_told_stays_out_and_a_signed_report_says_so() {
    let ward = Ward::new();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (old, young) = (today - jiff::Span::new().days(31), today - jiff::Span::new().days(5));
    let mut notices = String::from("id,date\n");
    for number in 1..=18 {
        let date = if number == 18 { young } else { old };
        notices.push_str(&format!("{number:08},{date}\n"));
    }
    let notices = ward.put("notices.csv", notices.as_bytes());
    let optouts = ward.put("optouts.csv", "id\n００００００１２\n00000013\n".as_bytes());
    let lists = ["--notices", &notices, "--optouts", &optouts];
    let summary = json(&ward.seal(&lists));
    // 17 told in time, less two who opted out, less the one in an unknown ward.
    assert_eq!(totals(&summary), [40, 28, 4, 6, 0, 0, 2]);
    assert_eq!(summary["patients"], 14);
    let report = ward.report("v1");
    assert_eq!((&report["excluded_persons"], &report["survivors"]), (&5.into(), &0.into()));
    assert_eq!(report["manifest_sha256"], summary["manifest_sha256"]);
    assert_eq!(report["lists"][1]["entries"], 2);

    let file = ward.0.at("datasets/ward/v1.intake.json");
    let changed =
        fs::read_to_string(&file).unwrap().replace("\"survivors\": 0", "\"survivors\": 1");
    fs::write(&file, changed).unwrap();
    let signer = ward.0.at("identified/ingest-verify.pem");
    let args = ["report", file.to_str().unwrap(), "--signer", signer.to_str().unwrap()];
    assert_eq!(ward.0.run(&args, &[]).status.code(), Some(1), "a changed report");
}

#[test]
fn op_1_a_source_is_not_taken_until_it_is_said_of_each_list_that_it_is_or_is_not() {
    let ward = Ward::new();
    let list = ward.put("list.csv", b"id,date\n00000001,2020-01-01\n");
    let words = ward.words();
    let words = words.each_ref().map(String::as_str);
    let run =
        |extra: &[&str]| ward.0.run(&[&words, extra].concat(), &["--zone", "--receiver", "--out"]);
    for unsaid in [
        &[][..],
        &["--no-notices"],
        &["--no-optouts"],
        &["--notices", &list],
        &["--optouts", &list],
    ] {
        assert_eq!(Ward::refusal(&run(unsaid)).0, "ingest.list_not_said", "{unsaid:?}");
    }
    let both = ["--notices", &list, "--no-notices", "--no-optouts"];
    assert_eq!(run(&both).status.code(), Some(2), "a list that is and is not");
    assert!(!ward.0.at("datasets").exists());

    let summary = json(&run(&["--no-notices", "--optouts", &list]));
    let report = ward.report("v1");
    assert_eq!(report["lists"], summary["lists"]);
    let said = |at: usize, what: &str| report["lists"][at][what].clone();
    assert_eq!((said(0, "kind"), said(0, "joined")), ("notice".into(), false.into()));
    assert_eq!((said(1, "kind"), said(1, "joined")), ("optout".into(), true.into()));
    let file = ward.0.at("datasets/ward/v1.intake.json");
    let signer = ward.0.at("identified/ingest-verify.pem");
    let shown = Command::new(env!("CARGO_BIN_EXE_sekisho-ingest"))
        .args(["report".as_ref(), file.as_os_str(), "--signer".as_ref(), signer.as_os_str()])
        .output()
        .unwrap();
    for list in ["notice list: there is none", "optout list joined: 1 row(s)"] {
        assert!(holds(&shown.stdout, list.as_bytes()), "{shown:?}");
    }
}

#[test]
fn op_1_days_since_a_notice_are_counted_in_japan() {
    let ward = Ward::new();
    let notices = ward.put("notices.csv", b"id,date\n00000001,2026-01-01\n");
    let at = |name: &str| ward.0.at(name);
    let zone = IdentifiedZone::open(&at("identified"), TODAY).unwrap();
    let receiver = ReceivingPublic::load(&at("worker/receiving.pub")).unwrap();
    let (profile, encoding) = (Profile::parse(PROFILE).unwrap(), Encoding::Utf8);
    let (notices, optouts) = (PersonList::File(notices.into()), PersonList::NoList);
    let lists = IntakeLists { notices, notice_days: 30, optouts, encoding };
    let intake = Intake { encoding, lists, max_rejected: 0.0, resume: false };
    let files = [("stays".to_owned(), at("stays.csv"))];
    let sealed = |now: &str| {
        let (zone, receiver, out) = (&zone, &receiver, &*at("datasets"));
        let (options, now) = (SealOptions::default(), now.parse().unwrap());
        let ingest = Ingest { zone, receiver, out, options, now };
        ingest.source(Format::Csv, &profile, &files, &intake, &mut Silent)
    };
    // The thirty-first of January in Japan, still the thirtieth elsewhere.
    assert_eq!(sealed("2026-01-30T14:59:59Z").unwrap_err().code(), "dataset.empty");
    assert_eq!(sealed("2026-01-30T15:00:00Z").unwrap().totals["stays"].sealed, 2);
}

#[test]
fn wrong_rows_go_to_a_sealed_file_up_to_the_share_that_is_allowed() {
    let ward = Ward::new();
    let bad = "00000021,厚労　太郎,four,東,\n00000022,厚労　次郎,200,東,\n,厚労　三郎,30,東,\n";
    ward.put("stays.csv", (rows() + bad + "only,three,fields\n").as_bytes());
    let (code, error) = ward.refused(&[]);
    assert_eq!(code, "source.bad_number");
    assert_eq!(error["errors"].as_array().unwrap().len(), 4);
    let (code, error) = ward.refused(&["--max-rejected", "0.05"]);
    assert_eq!(code, "ingest.too_many_rejected");
    assert!(!ward.0.at("datasets/ward/v1").exists());
    // They can be looked at, and where they are is said.
    let refused = ward.0.at("identified/rejects/ward-v1.sealed");
    let refused = refused.to_str().unwrap();
    assert!(error["message"].as_str().unwrap().contains(refused), "{error}");
    let shown = json(&ward.0.run(&["rejects", refused], &["--zone"]));
    assert_eq!(shown.as_array().unwrap().len(), 4);

    let summary = json(&ward.seal(&["--max-rejected", "0.1"]));
    assert_eq!(totals(&summary), [44, 38, 0, 0, 0, 4, 2]);
    let rejects = summary["rejects"].as_str().unwrap();
    assert!(!holds(&fs::read(rejects).unwrap(), "厚労".as_bytes()));
    let shown = json(&ward.0.run(&["rejects", rejects], &["--zone"]));
    assert_eq!(shown.as_array().unwrap().len(), 4);
    assert_eq!((&shown[0]["line"], &shown[0]["fields"][1]), (&42.into(), &"厚労　太郎".into()));
    assert_eq!(shown[1]["errors"][0][0], "source.out_of_range");
}

#[test]
fn what_a_rejected_row_holds_does_not_steer_the_terminal() {
    let ward = Ward::new();
    let bad = "00000021,\u{1b}]0;x\u{7}\u{9b}2J\u{202e}内閣,many,東,\n";
    ward.put("stays.csv", (rows() + bad).as_bytes());
    let summary = json(&ward.seal(&["--max-rejected", "0.1"]));
    let zone = ward.0.at("identified");
    let shown = Command::new(env!("CARGO_BIN_EXE_sekisho-ingest"))
        .args(["rejects", summary["rejects"].as_str().unwrap(), "--zone"])
        .arg(zone)
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("00000021,\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}内閣,many"), "{text}");
    assert!(text.trim_end().lines().all(|line| !line.contains(char::is_control)), "{text}");
}

#[test]
fn without_a_wrong_row_there_is_no_reject_file() {
    let ward = Ward::new();
    let summary = json(&ward.seal(&["--max-rejected", "0.5"]));
    assert_eq!(summary["rejects"], Value::Null);
    assert!(all_files(&ward.0.at("identified/rejects")).is_empty());
}

#[test]
fn shift_jis_is_read_when_it_is_declared_and_refused_when_not() {
    let ward = Ward::new();
    let plain = rows();
    let (bytes, _, lossy) = encoding_rs::SHIFT_JIS.encode(&plain);
    assert!(!lossy);
    ward.put("stays.csv", &bytes);
    assert_eq!(ward.refused(&[]).0, "source.bad_encoding");
    let summary = json(&ward.seal(&["--encoding", "cp932"]));
    assert_eq!(totals(&summary)[1], 38);
    ward.put("stays.csv", rows().as_bytes());
    assert!(ward.seal(&["--encoding", "cp932"]).status.code() == Some(1), "UTF-8 is no Shift_JIS");
}

#[test]
fn dp_1_names_and_numbers_of_the_source_rest_in_no_sealed_value() {
    let ward = Ward::new();
    let summary = json(&ward.seal(&[]));
    let version = ward.0.version("ward/v1");
    let worker = ward.0.worker();
    let keys = version.unwrap_granted(&worker, &Grant::of(&[("stays", &["note"])])).unwrap();
    let table = version.open_table(&keys, "stays", FileCheck::Sha256).unwrap();
    assert_eq!(table.dictionary("note").unwrap(), ["〔氏名等〕は〔電話番号〕へ"]);
    let rows: usize = read_table(&table, &["note"]).unwrap().iter().map(|b| b.num_rows()).sum();
    assert_eq!(rows, 38);
    let note = &version.manifest().provenance.processing[0];
    // Also in the two rows that another rule left out.
    assert_eq!((note.removed[0].as_str(), note.found_in_text["telephone"]), ("氏名", 40));
    for file in all_files(&ward.0.at("datasets")) {
        assert!(!holds(&fs::read(&file).unwrap(), "花子".as_bytes()), "{}", file.display());
    }
    assert_eq!(summary["rejects"], Value::Null);
}
