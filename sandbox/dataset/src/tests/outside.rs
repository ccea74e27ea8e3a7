//! A reader that is not ours: what is sealed is Parquet as others understand it, to whoever
//! is given the keys and to nobody else.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use arrow::array::AsArray as _;
use arrow::datatypes::{Int64Type, UInt64Type};
use serde_json::{Value, json};

use super::*;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/outside.py");

/// What pyarrow makes of a file, or its complaint.
fn read(file: &Path, columns: &[&str], keys: &BTreeMap<String, String>) -> Result<Value, String> {
    let asked = json!({ "file": file, "columns": columns, "keys": keys }).to_string();
    let mut reader = Command::new("sekisho-python")
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`make test` installs sekisho-python with pyarrow");
    reader.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let read = reader.wait_with_output().unwrap();
    if read.status.success() {
        Ok(serde_json::from_slice(&read.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&read.stderr).into_owned())
    }
}

#[test]
fn cr_1_pyarrow_reads_what_it_has_keys_for_and_nothing_else() {
    let site = site();
    let version = site.open().unwrap();
    let grant = Grant::of(&[("people", &["age", "weight"])]);
    let granted = version.unwrap_granted(&site.vault, &grant).unwrap();
    let table = version.open_table(&granted, "people", FileCheck::Sha256).unwrap();
    let largest = table.files().iter().max_by_key(|file| file.rows).unwrap();

    let of_table = &granted.tables["people"];
    let hex = |key: &sekisho_vault::Key| hex::encode(key.danger_bytes());
    let mut keys = BTreeMap::from([("people".to_owned(), hex(&of_table.footer))]);
    keys.extend(of_table.columns.iter().map(|(name, key)| (format!("people.{name}"), hex(key))));

    let found = read(&largest.path, &["patient", "age"], &keys).unwrap();
    let ours = read_table(&table, &["patient", "age"]).unwrap();
    let ours: Vec<_> = ours.iter().filter(|batch| batch.num_rows() > 0).collect();
    let numbers = |name: &str| found[name].as_array().unwrap().len() as u64;
    assert_eq!((numbers("patient"), numbers("age")), (largest.rows, largest.rows));
    for batch in ours {
        let tokens = batch.column(0).as_primitive::<UInt64Type>();
        let ages = batch.column(1).as_primitive::<Int64Type>();
        for (token, age) in tokens.values().iter().zip(ages.values()) {
            if bucket_of(*token, DEFAULT_BUCKETS) == largest.bucket {
                let token = token.to_string();
                let place = |value: &Value| value.as_str() == Some(&token);
                let place = found["patient"].as_array().unwrap().iter().position(place).unwrap();
                assert_eq!(found["age"][place], age.to_string());
            }
        }
    }

    // A column whose key was not given; a key that is another column's; no footer key.
    assert!(read(&largest.path, &["town"], &keys).is_err());
    let mut swapped = keys.clone();
    swapped.insert("people.age".to_owned(), keys["people.weight"].clone());
    assert!(read(&largest.path, &["age"], &swapped).is_err());
    keys.remove("people");
    assert!(read(&largest.path, &["age"], &keys).is_err());
}
