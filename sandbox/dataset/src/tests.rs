//! Whole versions: sealed, opened, attacked.

mod dummies;
mod grants;
mod keeping;
mod outside;
mod parties;
mod round_trip;
mod shipped;
mod sorting;
mod tampering;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use sekisho_vault::{MemoryVault, SigningIdentity};
use tempfile::TempDir;

use crate::*;

const PROFILE: &str = r#"
id = "trial"
title = { ja = "試験", en = "Trial" }
description = { ja = "試験", en = "Trial" }
source = "tests"
licence = "CC0-1.0"

[[tables]]
name = "people"
description = { ja = "人", en = "People" }
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "town", kind = "code", nullable = true, description = { ja = "町", en = "Town" }, quasi_identifier = true, dummy = { weights = { north = 1, south = 3 }, missing = 0.2 } },
  { name = "age", kind = "int", unit = "year", description = { ja = "年齢", en = "Age" }, dummy = { uniform = [20, 80] } },
  { name = "weight", kind = "float", unit = "kg", nullable = true, description = { ja = "体重", en = "Weight" }, dummy = { normal = [60, 10], min = 30, max = 120, decimals = 1 } },
  { name = "seen", kind = "date", description = { ja = "受診日", en = "Seen" }, dummy = { dates = ["2020-01-01", "2020-12-31"] } },
]

[[tables]]
name = "events"
description = { ja = "事象", en = "Events" }
dummy_rows = [0, 4]
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "event", kind = "code", quasi_identifier = true, description = { ja = "事象", en = "Event" }, dummy = { weights = { a = 1, b = 1 } } },
]
"#;

const CANARY_CODE: &str = "canary-town-8e1f0c77";
const CANARY_EVENT: &str = "canary-event-5b90aa12";
const CANARY_INT: i64 = 0x1122_3344_5566_7788;
const CANARY_FLOAT: f64 = 6.022_140_76e23;
const CANARY_DATE: i32 = 61_437;
const CANARY_TOKEN: u64 = 0xfeed_beef_dead_cafe;

/// A sealed version with canaries, and everything needed to open it.
struct Site {
    dir: TempDir,
    vault: MemoryVault,
    identity: SigningIdentity,
    folder: PathBuf,
}

impl Site {
    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Result<SealedVersion, DatasetError> {
        SealedVersion::open(&self.folder, &self.identity.verifying())
    }

    fn keys(&self, grant: &Grant) -> GrantedKeys {
        self.open().unwrap().unwrap_granted(&self.vault, grant).unwrap()
    }

    fn table(&self, name: &str, columns: &[&str]) -> OpenTable {
        let keys = self.keys(&Grant::of(&[(name, columns)]));
        self.open().unwrap().open_table(&keys, name, FileCheck::Sha256).unwrap()
    }
}

fn profile() -> Profile {
    Profile::parse(PROFILE).unwrap()
}

/// Token, town, age, weight, day seen.
type Person = (u64, Option<&'static str>, i64, Option<f64>, i32);

fn people(rows: &[Person]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.4)).collect::<Date32Array>()),
    ];
    let profile = profile();
    RecordBatch::try_new(source_schema(profile.table("people").unwrap()), columns).unwrap()
}

fn events(rows: &[(u64, &str)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>()),
    ];
    let profile = profile();
    RecordBatch::try_new(source_schema(profile.table("events").unwrap()), columns).unwrap()
}

/// Tokens spread over all buckets.
fn token(number: u64) -> u64 {
    dummy::Stream::token(11, number)
}

fn people_rows() -> Vec<Person> {
    let mut rows: Vec<_> = (0..500)
        .map(|n| {
            let town = [Some("south"), None, Some("north")][n as usize % 3];
            let weight = (n % 7 != 0).then_some(50.5 + n as f64);
            (token(n), town, 20 + n as i64 % 60, weight, 18_000 + n as i32)
        })
        .collect();
    rows.push((CANARY_TOKEN, Some(CANARY_CODE), CANARY_INT, Some(CANARY_FLOAT), CANARY_DATE));
    rows
}

fn event_rows() -> Vec<(u64, &'static str)> {
    let mut rows: Vec<_> =
        (0..900).map(|n| (token(n * 7 % 450), ["b", "a"][n as usize % 2])).collect();
    rows.push((CANARY_TOKEN, CANARY_EVENT));
    rows
}

fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    let mut writer = SealedWriter::create(dir.path(), &profile(), &SealOptions::default()).unwrap();
    let rows = people_rows();
    let (first, second) = rows.split_at(200);
    writer.push("people", &people(first)).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    writer.push("people", &people(second)).unwrap();
    let sealed = writer.finish(Provenance::default(), &vault, &identity, &mut |_, _| {}).unwrap();
    Site { folder: sealed.folder, dir, vault, identity }
}

/// Every file below a folder, by path inside it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
