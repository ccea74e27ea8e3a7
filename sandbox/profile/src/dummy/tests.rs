//! What dummy data promises, over every profile we ship and several seeds.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, UInt64Type};

use super::*;
use crate::{ColumnSpec, Draw, Kind, Rule, Undeclared, date_days};

const PATIENTS: u32 = 250;
const SEEDS: [u64; 3] = [1, 7, 20_260];

fn shipped() -> Vec<Profile> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/profiles");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let parse = |path| Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    files.map(parse).collect()
}

fn one(name: &str) -> Profile {
    shipped().into_iter().find(|profile| profile.id == name).unwrap()
}

/// Shows every table of every profile and seed with its dummy rows.
fn every_table(mut show: impl FnMut(&TableSpec, &RecordBatch, &str)) {
    for profile in shipped() {
        for seed in SEEDS {
            for table in generate(&profile, PATIENTS, seed).unwrap() {
                let at = format!("{}.{} seed {seed}", profile.id, table.name);
                show(profile.table(&table.name).unwrap(), &table.rows, &at);
            }
        }
    }
}

fn column<'r>(rows: &'r RecordBatch, name: &str) -> &'r ArrayRef {
    rows.column_by_name(name).unwrap()
}

/// The numbers of a column, days included, by row.
fn numbers(spec: &ColumnSpec, rows: &RecordBatch) -> Vec<Option<f64>> {
    let values = column(rows, &spec.name);
    match spec.kind {
        Kind::Int => {
            values.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect()
        }
        Kind::Float => values.as_primitive::<Float64Type>().iter().collect(),
        Kind::Date => {
            values.as_primitive::<Date32Type>().iter().map(|v| v.map(f64::from)).collect()
        }
        Kind::Code | Kind::Patient => vec![None; rows.num_rows()],
    }
}

fn codes<'r>(name: &str, rows: &'r RecordBatch) -> Vec<Option<&'r str>> {
    column(rows, name).as_string::<i32>().iter().collect()
}

fn tokens(rows: &RecordBatch) -> BTreeSet<u64> {
    rows.column(0).as_primitive::<UInt64Type>().values().iter().copied().collect()
}

#[test]
fn ct_1_numbers_and_dates_obey_range_order_and_rule() {
    every_table(|table, rows, at| {
        for spec in &table.columns {
            let at = format!("{at}, {}", spec.name);
            let found = numbers(spec, rows);
            let first = spec.not_before.as_ref().and_then(|first| table.column(first));
            let first = first.map(|first| numbers(first, rows));
            for (row, value) in found.iter().enumerate() {
                let Some(value) = *value else { continue };
                if let Some((low, high)) = spec.range {
                    let processed = |limit: f64| match &spec.rule {
                        Rule::DateTo(to) => f64::from(to.first_day(limit as i32).unwrap()),
                        rule => rule.coarser(limit),
                    };
                    assert!(processed(low) <= value && value <= processed(high), "{at}: {value}");
                }
                match &spec.rule {
                    Rule::DateTo(to) if spec.kind == Kind::Date => {
                        assert_eq!(to.first_day(value as i32), Some(value as i32), "{at}");
                    }
                    Rule::Round { .. } | Rule::Limit { .. } => {
                        assert_eq!(spec.rule.coarser(value), value, "{at}");
                    }
                    _ => {}
                }
                if let Some(Some(first)) = first.as_ref().map(|first| first[row]) {
                    assert!(first <= value, "{at}: {value} is before {first}");
                }
            }
        }
    });
}

#[test]
fn ct_1_codes_are_those_that_can_come_out() {
    every_table(|table, rows, at| {
        for spec in table.columns.iter().filter(|spec| spec.kind == Kind::Code) {
            let labels = spec.rule.labels();
            for code in codes(&spec.name, rows).into_iter().flatten() {
                let declared = spec.codes.is_empty() || spec.codes.contains_key(code);
                let fits = match &spec.rule {
                    Rule::Token { .. } => {
                        code.len() == 16
                            && code.bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7'))
                    }
                    Rule::Bands { .. } => labels.iter().any(|label| label == code),
                    Rule::DateTo(_) => date_days(&format!("{code}-01-01")[..10]).is_some(),
                    Rule::Rare { other, .. } => declared || other == code,
                    Rule::Allow(Undeclared::Other(other)) => declared || other == code,
                    _ => declared,
                };
                assert!(fits, "{at}, {}: {code}", spec.name);
            }
        }
    });
}

#[test]
fn ct_1_as_many_values_are_missing_as_the_profile_says() {
    every_table(|table, rows, at| {
        for spec in &table.columns {
            let Some(dummy) = &spec.dummy else { continue };
            let certain: Vec<bool> = match &dummy.draw {
                Draw::PerCode { of, cases, otherwise: None } => {
                    let none =
                        |code: Option<&str>| code.is_none_or(|code| !cases.contains_key(code));
                    codes(of, rows).into_iter().map(none).collect()
                }
                Draw::DaysAfter { of, .. } => {
                    let first = column(rows, of);
                    (0..rows.num_rows()).map(|row| first.is_null(row)).collect()
                }
                _ => vec![false; rows.num_rows()],
            };
            let values = column(rows, &spec.name);
            let open: Vec<usize> = (0..rows.num_rows())
                .filter(|row| !certain[*row] || values.is_valid(*row))
                .collect();
            assert!(open.iter().all(|row| !certain[*row]), "{at}, {}", spec.name);
            let missing = open.iter().filter(|row| values.is_null(**row)).count() as f64;
            let (many, share) = (open.len() as f64, dummy.missing);
            // Five standard deviations of a binomial count.
            let off = 5.0 * (many * share * (1.0 - share)).sqrt() + 1.0;
            let at = format!("{at}, {}: {missing} of {many}", spec.name);
            assert!((missing - many * share).abs() <= off, "{at}");
            assert!(share > 0.0 || missing == 0.0, "{at}");
        }
    });
}

#[test]
fn ct_1_every_code_occurs_as_often_as_its_weight_says() {
    every_table(|table, rows, at| {
        for spec in table.columns.iter().filter(|spec| spec.kind == Kind::Code) {
            let Some(Draw::Weights(weights)) = spec.dummy.as_ref().map(|dummy| &dummy.draw) else {
                continue;
            };
            for code in spec.codes.keys() {
                assert!(
                    weights.iter().any(|(named, _)| named == code),
                    "{at}: {code} never occurs"
                );
            }
            if matches!(spec.rule, Rule::Token { .. }) {
                continue;
            }
            let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
            for code in codes(&spec.name, rows).into_iter().flatten() {
                *counts.entry(code).or_default() += 1.0;
            }
            let many: f64 = counts.values().sum();
            let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
            for (code, weight) in weights {
                let (found, share) =
                    (counts.get(code.as_str()).copied().unwrap_or(0.0), weight / total);
                let off = 5.0 * (many * share * (1.0 - share)).sqrt() + 1.0;
                assert!((found - many * share).abs() <= off, "{at}, {}: {code} {found}", spec.name);
            }
        }
    });
}

#[test]
fn ct_1_every_patient_of_a_table_is_in_the_table_of_persons() {
    for profile in shipped() {
        let tables = generate(&profile, PATIENTS, 5).unwrap();
        let everybody: BTreeSet<u64> =
            (0..u64::from(PATIENTS)).map(|patient| Stream::token(5, patient)).collect();
        for (spec, table) in profile.tables.iter().zip(&tables) {
            let (found, at) = (tokens(&table.rows), format!("{}.{}", profile.id, spec.name));
            assert!(found.is_subset(&everybody), "{at}");
            if spec.one_row_a_person {
                assert_eq!(found.len(), table.rows.num_rows(), "{at}");
            }
            if spec.dummy_rows.0 > 0 {
                assert_eq!(found, everybody, "{at}");
            }
        }
    }
}

#[test]
fn ct_1_each_laboratory_item_has_its_own_numbers() {
    let profile = one("emr");
    let spec = profile.table("observations").unwrap().column("value").unwrap();
    let items = spec.items.as_ref().unwrap();
    let tables = generate(&profile, 2000, 3).unwrap();
    let rows = &tables.iter().find(|table| table.name == "observations").unwrap().rows;
    let (found, units) = (codes("item", rows), codes("unit", rows));
    let mut by_item: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((item, value), unit) in found.iter().zip(numbers(spec, rows)).zip(units) {
        let values = by_item.entry(item.unwrap()).or_default();
        match items.by_code.get(item.unwrap()) {
            Some(item) => {
                assert_eq!(unit, Some(item.unit.as_str()));
                let (low, high) = item.range.unwrap();
                assert!(value.is_none_or(|value| low <= value && value <= high));
                values.extend(value);
            }
            None => assert_eq!((value, unit), (None, None)),
        }
    }
    assert_eq!(by_item.len(), 48);
    let mut middle = |item: &str| {
        let values = by_item.get_mut(item).unwrap();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    assert!((4.0..=4.4).contains(&middle("K")));
    assert!((135.0..=146.0).contains(&middle("Na")));
    assert!((0.05..=0.3).contains(&middle("CRP")));
    // A long tail: the largest of thousands is many times the middle.
    let crp = by_item.get("CRP").unwrap();
    assert!(crp.last().unwrap() > &5.0, "{:?}", crp.last());
}

#[test]
fn rules_make_of_dummy_values_what_they_make_of_real_ones() {
    let profile = Profile::parse(
        r#"
id = "ruled"
title = { ja = "試", en = "Trial" }
description = { ja = "試", en = "Trial" }
source = "tests"
licence = "CC0-1.0"
[[tables]]
name = "rows"
description = { ja = "行", en = "Rows" }
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "band", kind = "code", rule = { bands = [50, 60] }, range = [0, 200], description = { ja = "帯", en = "Band" }, dummy = { skewed = [40, 1.5], max = 500 } },
  { name = "month", kind = "code", rule = { date_to = "month" }, description = { ja = "月", en = "Month" }, dummy = { dates = ["2020-01-15", "2020-02-14"] } },
  { name = "year", kind = "int", rule = { date_to = "year" }, description = { ja = "年", en = "Year" }, dummy = { dates = ["2019-06-01", "2020-05-31"] } },
  { name = "held", kind = "int", rule = { bottom = 80, top = 90 }, description = { ja = "値", en = "Held" }, dummy = { normal = [85, 20] } },
  { name = "fives", kind = "int", rule = { round = 5 }, description = { ja = "値", en = "Fives" }, dummy = { uniform = [0, 20] } },
]
"#,
    )
    .unwrap();
    let rows = &generate(&profile, 300, 1).unwrap()[0].rows;
    let set = |name: &str| codes(name, rows).into_iter().flatten().collect::<BTreeSet<_>>();
    assert_eq!(set("band"), BTreeSet::from(["50未満", "50～60", "60以上"]));
    assert_eq!(set("month"), BTreeSet::from(["2020-01", "2020-02"]));
    let ints = |name: &str| {
        column(rows, name)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ints("year"), BTreeSet::from([2019, 2020]));
    assert_eq!((ints("held").first(), ints("held").last()), (Some(&80), Some(&90)));
    assert_eq!(ints("fives"), BTreeSet::from([0, 5, 10, 15, 20]));
}
