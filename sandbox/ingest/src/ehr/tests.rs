use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, UInt64Type};
use sekisho_dataset::source_schema;
use sekisho_vault::Key;

use super::*;

fn records(patients: u32, seed: u64) -> BTreeMap<String, RecordBatch> {
    let profile = profile().unwrap();
    let mut tokens = PatientTokens::new(Key::danger_from_bytes(&[7; 32]).unwrap(), "ehr");
    let mut batches: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    let mut sink = |table: &str, batch| {
        batches.entry(table.to_owned()).or_default().push(batch);
        Ok(())
    };
    generate(&profile, patients, seed, &mut tokens, &mut |_| {}, &mut sink).unwrap();
    let join = |(name, parts): (String, Vec<RecordBatch>)| {
        let schema = source_schema(profile.table(&name).unwrap());
        let batch = concat_batches(&schema, &parts).unwrap();
        (name, batch)
    };
    batches.into_iter().map(join).collect()
}

fn tokens(batch: &RecordBatch) -> &[u64] {
    batch.column(0).as_primitive::<UInt64Type>().values()
}

fn codes<'b>(batch: &'b RecordBatch, column: &str) -> Vec<Option<&'b str>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter().collect()
}

#[test]
fn the_same_seed_gives_the_same_records() {
    assert_eq!(records(300, 7), records(300, 7));
    assert_ne!(records(300, 7), records(300, 8));
}

#[test]
fn codes_are_the_profiles_and_every_laboratory_item_occurs() {
    let profile = profile().unwrap();
    let records = records(3000, 1);
    for (table, column) in
        [("patients", "sex"), ("conditions", "code"), ("labs", "item"), ("prescriptions", "drug")]
    {
        let declared = &profile.table(table).unwrap().column(column).unwrap().codes;
        let found: BTreeSet<_> = codes(&records[table], column).into_iter().flatten().collect();
        let declared: BTreeSet<_> = declared.keys().map(String::as_str).collect();
        assert_eq!(found, declared, "{table}.{column}");
    }
    assert_eq!(profile.table("labs").unwrap().column("item").unwrap().codes.len(), 48);
}

#[test]
fn row_counts_are_those_of_a_hospital() {
    let records = records(2000, 1);
    assert_eq!(records["patients"].num_rows(), 2000);
    assert_eq!(tokens(&records["patients"]).iter().collect::<HashSet<_>>().len(), 2000);
    let mut each: HashMap<u64, usize> = HashMap::new();
    for token in tokens(&records["labs"]) {
        *each.entry(*token).or_default() += 1;
    }
    let mean = records["labs"].num_rows() / 2000;
    assert!((20..45).contains(&mean), "{mean}");
    assert_eq!(each.len(), 2000);
    assert!(each.values().all(|rows| (10..=61).contains(rows)));
}

#[test]
fn hba1c_depends_on_diabetes() {
    let records = records(3000, 1);
    let conditions = &records["conditions"];
    let diabetics: HashSet<u64> = tokens(conditions)
        .iter()
        .zip(codes(conditions, "code"))
        .filter(|(_, code)| *code == Some("E11"))
        .map(|(token, _)| *token)
        .collect();
    assert!((150..600).contains(&diabetics.len()), "{}", diabetics.len());
    let labs = &records["labs"];
    let values = labs.column_by_name("value").unwrap().as_primitive::<Float64Type>();
    let mut sums = [(0.0, 0_u32); 2];
    for (row, (token, item)) in tokens(labs).iter().zip(codes(labs, "item")).enumerate() {
        if item == Some("HbA1c-NGSP") {
            let sum = &mut sums[usize::from(diabetics.contains(token))];
            *sum = (sum.0 + values.value(row), sum.1 + 1);
        }
    }
    let [without, with] = sums.map(|(sum, count)| sum / f64::from(count));
    assert!((5.4..5.9).contains(&without) && (6.9..7.5).contains(&with), "{without} {with}");
}

#[test]
fn values_and_dates_stay_in_their_bounds() {
    let records = records(1000, 2);
    let years = records["patients"].column(1).as_primitive::<Int64Type>();
    assert!(years.values().iter().all(|year| (1920..=2006).contains(year)));
    let last = sekisho_dataset::date_days("2024-12-31").unwrap();
    let first = sekisho_dataset::date_days("2015-01-01").unwrap();
    for (table, column) in [("labs", "date"), ("prescriptions", "start")] {
        let days = records[table].column_by_name(column).unwrap().as_primitive::<Date32Type>();
        assert!(days.values().iter().all(|day| (first..=last).contains(day)));
    }
    let labs = &records["labs"];
    let values = labs.column_by_name("value").unwrap();
    let results = labs.column_by_name("result").unwrap();
    assert!((0..labs.num_rows()).all(|row| values.is_valid(row) != results.is_valid(row)));
    let men = codes(&records["patients"], "sex").iter().filter(|sex| **sex == Some("1")).count();
    assert!((400..560).contains(&men), "{men}");
}

#[test]
fn a_blood_group_never_changes() {
    let records = records(3000, 3);
    let labs = &records["labs"];
    let mut groups: HashMap<u64, HashSet<&str>> = HashMap::new();
    let results = codes(labs, "result");
    for (row, (token, item)) in tokens(labs).iter().zip(codes(labs, "item")).enumerate() {
        if item == Some("BLD-ABO") {
            groups.entry(*token).or_default().insert(results[row].unwrap());
        }
    }
    assert!(groups.len() > 50 && groups.values().all(|found| found.len() == 1));
}
