//! Parquet as a source.

use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use parquet::arrow::ArrowWriter;
use sekisho_dataset::{FileCheck, Grant, read_table};
use serde_json::Value;

use crate::site::{Site, json};

const PROFILE: &str = r#"
id = "checks"
title = { ja = "検査", en = "Checks" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"
[[tables]]
name = "checks"
description = { ja = "検査", en = "Checks" }
columns = [
  { name = "patient", kind = "patient", source = "番号", description = { ja = "患者", en = "Patient" } },
  { name = "item", kind = "code", source = "項目", description = { ja = "項目", en = "Item" }, dummy = { weights = { hba1c = 1, "LDL-C" = 1 } } },
  { name = "value", kind = "float", source = "値", nullable = true, description = { ja = "値", en = "Value" }, dummy = { uniform = [1, 2], decimals = 1 } },
  { name = "day", kind = "date", source = "日", description = { ja = "日", en = "Day" }, dummy = { dates = ["2024-01-01", "2024-12-31"] } },
  { name = "times", kind = "int", source = "回", description = { ja = "回", en = "Times" }, dummy = { uniform = [1, 3] } },
]
"#;

pub(crate) fn columns() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("番号", Arc::new(StringArray::from(vec!["P1", "P2", "P1"]))),
        ("項目", Arc::new(StringArray::from(vec!["hba1c", "hba1c", "LDL-C"]))),
        ("値", Arc::new(Float64Array::from(vec![Some(6.25), None, Some(120.0)]))),
        ("日", Arc::new(Date32Array::from(vec![19_800, 19_801, 19_802]))),
        ("回", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("氏名", Arc::new(StringArray::from(vec!["内閣 花子", "厚労 太郎", "内閣 花子"]))),
    ]
}

pub(crate) fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

pub(crate) fn seal(site: &Site, command: &str, content: &[u8]) -> std::process::Output {
    fs::write(site.at("checks.toml"), PROFILE).unwrap();
    fs::write(site.at("source"), content).unwrap();
    let (profile, table) = (site.at("checks.toml"), site.at("source"));
    let table = format!("checks={}", table.display());
    let args = [command, "--profile", profile.to_str().unwrap(), "--table", &table];
    site.take(&args)
}

fn sealed_rows(site: &Site, version: &str) -> Vec<RecordBatch> {
    let opened = site.version(&format!("checks/{version}"));
    let worker = site.worker();
    let names = ["patient", "item", "value", "day", "times"];
    let keys = opened.unwrap_granted(&worker, &Grant::of(&[("checks", &names)])).unwrap();
    let table = opened.open_table(&keys, "checks", FileCheck::Sha256).unwrap();
    read_table(&table, &names).unwrap()
}

#[test]
fn parquet_is_sealed_as_the_same_rows_of_a_csv_file_are() {
    let site = Site::new();
    let csv = "番号,項目,値,日,回,氏名\nP1,hba1c,6.25,2024-03-18,1,内閣 花子\n\
        P2,hba1c,,2024-03-19,2,厚労 太郎\nP1,LDL-C,120.0,2024-03-20,3,内閣 花子\n";
    json(&seal(&site, "csv", csv.as_bytes()));
    json(&seal(&site, "parquet", &parquet(columns())));
    assert_eq!(sealed_rows(&site, "v1"), sealed_rows(&site, "v2"));
}

fn refusal(content: &[u8]) -> (String, String) {
    let done = seal(&Site::new(), "parquet", content);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let error: Value = serde_json::from_slice(&done.stderr).unwrap();
    let first = &error["error"]["errors"][0];
    let of = |key: &str| first[key].as_str().unwrap().to_owned();
    (of("code"), of("column"))
}

#[test]
fn files_that_are_no_plain_parquet_are_refused() {
    let good = parquet(columns());
    assert_eq!(refusal(b"").0, "source.not_parquet");
    assert_eq!(refusal(b"PAR1 and then nothing of the kind PAR1").0, "source.not_parquet");
    assert_eq!(refusal(&good[..good.len() - 9]).0, "source.not_parquet");
    let mut list = ListBuilder::new(StringBuilder::new());
    for _ in 0..3 {
        list.append_value([Some("x")]);
    }
    let nested = [columns(), vec![("list", Arc::new(list.finish()))]].concat();
    assert_eq!(refusal(&parquet(nested)), ("source.bad_type".to_owned(), "list".to_owned()));
    let lacking: Vec<_> = columns().into_iter().filter(|(name, _)| *name != "日").collect();
    assert_eq!(refusal(&parquet(lacking)), ("source.missing_column".to_owned(), "日".to_owned()));
}

#[test]
fn wrong_values_are_named_by_row_and_column() {
    let mut wrong = columns();
    wrong[4].1 = Arc::new(StringArray::from(vec!["1", "two", "3"]));
    assert_eq!(refusal(&parquet(wrong)), ("source.bad_number".to_owned(), "回".to_owned()));
}
