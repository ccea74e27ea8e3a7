use std::collections::BTreeSet;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, UInt64Type};

use super::*;

fn shipped(name: &str) -> Profile {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/profiles");
    Profile::parse(&std::fs::read_to_string(format!("{folder}/{name}.toml")).unwrap()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_does_not() {
    for name in ["lung", "ehr"] {
        let profile = shipped(name);
        let rows = |seed| dummy::generate(&profile, 50, seed).unwrap();
        let (one, again, other) = (rows(3), rows(3), rows(4));
        for ((one, again), other) in one.iter().zip(&again).zip(&other) {
            assert_eq!(one.rows, again.rows);
            assert_ne!(one.rows, other.rows);
        }
    }
}

#[test]
fn values_follow_the_profile() {
    let profile = profile();
    let tables = dummy::generate(&profile, 400, 1).unwrap();
    let people = &tables[0].rows;
    assert_eq!(people.num_rows(), 400);
    let tokens: BTreeSet<u64> =
        people.column(0).as_primitive::<UInt64Type>().values().iter().copied().collect();
    assert_eq!(tokens.len(), 400);
    let towns: BTreeSet<_> = people.column(1).as_string::<i32>().iter().collect();
    assert_eq!(towns, BTreeSet::from([None, Some("north"), Some("south")]));
    assert!((40..120).contains(&people.column(1).null_count()));
    let ages = people.column(2).as_primitive::<Int64Type>().values();
    assert!(ages.iter().all(|age| (20..=80).contains(age)));
    let weights = people.column(3).as_primitive::<Float64Type>().values();
    assert!(weights.iter().all(|kg| (30.0..=120.0).contains(kg) && (kg * 10.0).fract() == 0.0));
    let days = people.column(4).as_primitive::<Date32Type>().values();
    let year = date_days("2020-01-01").unwrap()..=date_days("2020-12-31").unwrap();
    assert!(days.iter().all(|day| year.contains(day)));
    // Zero to four rows a patient, two on average.
    assert!((700..900).contains(&tables[1].rows.num_rows()), "{}", tables[1].rows.num_rows());
}

#[test]
fn laboratory_values_belong_to_their_items() {
    let tables = dummy::generate(&shipped("ehr"), 100, 1).unwrap();
    let labs = &tables.iter().find(|table| table.name == "labs").unwrap().rows;
    let column = |name: &str| labs.column_by_name(name).unwrap().clone();
    let (items, units) = (column("item"), column("unit"));
    let (values, results) = (column("value"), column("result"));
    for row in 0..labs.num_rows() {
        // Every item has a number with its unit, or a finding; never both, never neither.
        assert_eq!(values.is_valid(row), units.is_valid(row));
        assert_ne!(values.is_valid(row), results.is_valid(row));
        if items.as_string::<i32>().value(row) == "HbA1c-NGSP" {
            assert!((4.2..=14.0).contains(&values.as_primitive::<Float64Type>().value(row)));
            assert_eq!(units.as_string::<i32>().value(row), "%");
        }
    }
}

#[test]
fn dummy_rows_are_sealed_and_read_like_real_ones() {
    let dir = tempfile::tempdir().unwrap();
    let profile = shipped("lung");
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    let version = dummy::seal(&profile, 30, 5, dir.path(), (&vault, &identity)).unwrap();
    version.verify_files().unwrap();
    let keys = version.unwrap_granted(&vault, &Grant::of(&[("lung", &["sex", "time"])])).unwrap();
    let table = version.open_table(&keys, "lung", FileCheck::Sha256).unwrap();
    assert_eq!(table.dictionary("sex").unwrap(), ["1", "2"]);
    let rows: usize =
        read_table(&table, &["sex", "time"]).unwrap().iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 30);
}
