mod persons;

use std::fs;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use sekisho_vault::Key;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::run::Silent;
use crate::source::{CsvRows, Encoding};

const PROFILE: &str = r#"
id = "small"
title = { ja = "小", en = "Small" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"
missing = ["", "NA"]
[[tables]]
name = "visits"
description = { ja = "受診", en = "Visits" }
columns = [
  { name = "patient", kind = "patient", source = "pid", description = { ja = "患者", en = "Patient" } },
  { name = "sex", kind = "code", description = { ja = "性別", en = "Sex" }, codes = { f = { ja = "女", en = "f" }, m = { ja = "男", en = "m" } } },
  { name = "ward", kind = "code", nullable = true, description = { ja = "病棟", en = "Ward" }, dummy = { always = "w" } },
  { name = "age", kind = "int", description = { ja = "年齢", en = "Age" }, dummy = { uniform = [1, 9] } },
  { name = "temp", kind = "float", nullable = true, description = { ja = "体温", en = "Temperature" }, dummy = { uniform = [36, 37] } },
  { name = "seen", kind = "date", description = { ja = "受診日", en = "Seen" }, dummy = { dates = ["2020-01-01", "2020-12-31"] } },
]
"#;

const HEADER: &str = "seen,pid,sex,ward,age,temp,extra\n";
const GOOD: &str = "2024-02-29,P1,f,west,41,36.6,x\n";

fn tokens() -> PatientTokens {
    PatientTokens::new(Key::danger_from_bytes(&[7; 32]).unwrap(), "small")
}

fn read(content: &[u8]) -> Result<(TableRead, Vec<RecordBatch>), IngestError> {
    taken(PROFILE, content, &mut Gate::default(), None)
}

fn taken(
    profile: &str,
    content: &[u8],
    gate: &mut Gate,
    rejects: Option<&mut Rejects>,
) -> Result<(TableRead, Vec<RecordBatch>), IngestError> {
    told(profile, content, gate, rejects, &mut Silent)
}

/// The same, telling of its steps.
fn told(
    profile: &str,
    content: &[u8],
    gate: &mut Gate,
    rejects: Option<&mut Rejects>,
    steps: &mut dyn Progress,
) -> Result<(TableRead, Vec<RecordBatch>), IngestError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("visits.csv");
    fs::write(&file, content).unwrap();
    let profile = Profile::parse(profile).unwrap();
    let mut batches = Vec::new();
    let mut sink = |batch| {
        batches.push(batch);
        Ok(())
    };
    let table = profile.table("visits").unwrap();
    let mut intake = TableIntake { profile: &profile, tokens: &mut tokens(), gate, rejects };
    let open = || -> Result<Box<dyn Rows>, IngestError> {
        Ok(Box::new(CsvRows::open(&file, Encoding::Utf8)?))
    };
    let from = TableSource { file: &file, size: content.len() as u64, open: &open };
    let read = intake.read(table, &from, steps, &mut sink)?;
    Ok((read, batches))
}

fn errors(content: &[u8]) -> Vec<(&'static str, u64, String)> {
    match read(content).unwrap_err() {
        IngestError::Source { errors, .. } => {
            errors.into_iter().map(|error| (error.code, error.line, error.column)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn error_in(field: &str, with: &[u8]) -> (&'static str, u64, String) {
    let at = GOOD.find(field).unwrap();
    let (before, after) = (&GOOD[..at], &GOOD[at + field.len()..]);
    let row = [before.as_bytes(), with, after.as_bytes()].concat();
    let mut found = errors(&[HEADER.as_bytes(), GOOD.as_bytes(), &row].concat());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn good_rows_are_read() {
    let rows = "\u{feff}seen,pid,sex,ward,age,temp,extra\n\
                2024-02-29, P1 ,f,\"west, 2\",41,36.6,x\r\n2023-01-01,P2,m,,-3,NA,\n";
    let (read, batches) = read(rows.as_bytes()).unwrap();
    assert_eq!((read.totals.read, read.totals.sealed), (2, 2));
    assert_eq!(read.sha256, <[u8; 32]>::from(Sha256::digest(rows)));
    let batch = &batches[0];
    let column = |name: &str| batch.column_by_name(name).unwrap().clone();
    let mut tokens = tokens();
    let wanted = [tokens.token(b"P1").unwrap(), tokens.token(b"P2").unwrap()];
    assert_eq!(column("patient").as_primitive::<UInt64Type>().values().as_ref(), wanted);
    assert_eq!(column("ward").as_string::<i32>().value(0), "west, 2");
    assert!(column("ward").is_null(1) && column("temp").is_null(1));
    assert_eq!(column("age").as_primitive::<Int64Type>().values().as_ref(), [41, -3]);
    assert_eq!(column("temp").as_primitive::<Float64Type>().value(0), 36.6);
}

#[test]
fn wrong_fields_are_named_by_line_and_column() {
    let at = |code, column: &str| (code, 3, column.to_owned());
    for bad in ["4.5", "forty", "9223372036854775808", "0x10", "1,"] {
        let quoted = format!("\"{bad}\"");
        assert_eq!(error_in("41", quoted.as_bytes()), at("source.bad_number", "age"), "{bad}");
    }
    for bad in ["inf", "NaN", "1e999", "36,6", "36.6C"] {
        let quoted = format!("\"{bad}\"");
        assert_eq!(error_in("36.6", quoted.as_bytes()), at("source.bad_number", "temp"), "{bad}");
    }
    for bad in ["2024-02-30", "29/02/2024", "2024-2-9", "0001-01-01"] {
        assert_eq!(error_in("2024-02-29", bad.as_bytes()), at("source.bad_date", "seen"), "{bad}");
    }
    assert_eq!(error_in("f", b"x"), at("source.undeclared_code", "sex"));
    assert_eq!(error_in("41", b""), at("source.missing_value", "age"));
    assert_eq!(error_in("P1", b"NA"), at("source.missing_value", "pid"));
    assert_eq!(error_in("west", b"w\xffst"), at("source.bad_encoding", "ward"));
    assert_eq!(error_in("west", &[b'w'; 65]), at("source.long_field", "ward"));
    assert_eq!(error_in("P1", &[b'p'; 1025]), at("source.long_field", "pid"));
    assert_eq!(error_in(",x", b""), ("source.bad_row", 3, String::new()));
}

#[test]
fn a_quote_that_is_never_closed_is_named_by_its_row_and_not_read_to_the_end() {
    let row = GOOD.replace("west", "\"west");
    let rest = GOOD.repeat(100_000);
    let found = errors(&[HEADER, GOOD, &row, &rest].concat().into_bytes());
    assert_eq!(found, [("source.long_row", 3, String::new())]);
    // As many bytes in rows that end are nobody's concern.
    assert_eq!(read([HEADER, &rest].concat().as_bytes()).unwrap().0.totals.read, 100_000);
}

#[test]
fn lines_are_counted_through_quoted_line_breaks() {
    let rows = "2024-02-29,P1,f,\"a\nb\",41,36.6,x\n2024-02-29,P1,f,w,old,36.6,x\n";
    let found = errors(format!("{HEADER}{rows}").as_bytes());
    assert_eq!(found, [("source.bad_number", 4, "age".to_owned())]);
}

#[test]
fn all_errors_of_a_file_are_listed_up_to_twenty() {
    let bad = "2024-02-31,P1,x,west,old,36.6,x\n";
    let found = errors(format!("{HEADER}{GOOD}{bad}{GOOD}{bad}").as_bytes());
    let codes: Vec<_> = found.iter().map(|(code, line, _)| (*code, *line)).collect();
    let three = ["source.undeclared_code", "source.bad_number", "source.bad_date"];
    let wanted: Vec<_> = [3, 5].iter().flat_map(|line| three.map(|code| (code, *line))).collect();
    assert_eq!(codes, wanted);
    let many = errors(format!("{HEADER}{}", bad.repeat(100_000)).as_bytes());
    assert!((20..23).contains(&many.len()));
}

#[test]
fn errors_carry_no_value() {
    let rows = "2024-99-99,P-SECRET,secret-sex,w,secret-age,secret-temp,x\n";
    let error = read(format!("{HEADER}{rows}").as_bytes()).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.to_lowercase().contains("secret") && !shown.contains("99-99"), "{shown}");
}

#[test]
fn missing_columns_are_listed_together() {
    let found = errors(b"pid,sex,seen,temp\nP1,f,2024-01-01,1\n");
    let wanted = ["ward", "age"].map(|column| ("source.missing_column", 1, column.to_owned()));
    assert_eq!(found, wanted);
}

#[test]
fn empty_files_and_bad_headers_are_refused() {
    assert_eq!(errors(b"")[0].0, "source.empty_file");
    assert_eq!(errors(b"pid,pid\n1,2\n")[0].0, "source.duplicate_column");
    let names: Vec<_> = (0..150_000).map(|number| number.to_string()).collect();
    let many = format!("{}\n1\n", names.join(","));
    let wanted = ("source.too_many_columns", 1, "number 4097".to_owned());
    assert_eq!(errors(many.as_bytes()), [wanted]);
    assert_eq!(errors(b"pid,\xff\n1,2\n")[0].0, "source.bad_encoding");
}

#[test]
fn a_file_of_a_header_alone_is_a_table_without_rows() {
    let (read, batches) = read(HEADER.as_bytes()).unwrap();
    assert_eq!(read.totals, Totals::default());
    assert!(batches.is_empty());
    assert_eq!(errors(b"pid,sex,seen,temp,age\n")[0].0, "source.missing_column");
}

#[test]
fn batches_are_cut_and_nothing_is_lost() {
    let (read, batches) = read(format!("{HEADER}{}", GOOD.repeat(20_000)).as_bytes()).unwrap();
    assert_eq!(read.totals.sealed, 20_000);
    let sizes: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [8192, 8192, 3616]);
}
