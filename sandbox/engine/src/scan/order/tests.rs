use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, UInt64Array};
use arrow::datatypes::Int64Type;
use sekisho_module::ColumnKind;

use super::*;
use crate::cohort::Numbers;
use crate::scan::{ReadAhead, Scanner};
use crate::view::{ColumnView, Dictionaries, TableView};
use crate::{Batches, Source, SourceColumn, SourceError};

/// Rows sorted by token, split into four buckets; the only column counts them.
struct Rows(Vec<u64>);

impl Source for Rows {
    fn buckets(&self) -> u32 {
        4
    }

    fn columns(&self, _: &str) -> Option<Vec<SourceColumn>> {
        Some(vec![SourceColumn { name: "row".to_owned(), kind: ColumnKind::Int, token: false }])
    }

    fn rows(&self, _: &str) -> Result<u64, SourceError> {
        Ok(self.0.len() as u64)
    }

    fn dictionary(&self, _: &str, column: &str) -> Result<Vec<String>, SourceError> {
        Err(SourceError::NotGranted(column.to_owned()))
    }

    fn scan(&self, _: &str, bucket: u32, _: &[String]) -> Result<Batches, SourceError> {
        let of = |token: &u64| (token >> 62) as u32;
        let from = self.0.partition_point(|token| of(token) < bucket);
        let to = self.0.partition_point(|token| of(token) <= bucket);
        let tokens: ArrayRef = Arc::new(UInt64Array::from(self.0[from..to].to_vec()));
        let rows = Int64Array::from_iter_values(from as i64..to as i64);
        let all = [("patient", tokens, false), ("row", Arc::new(rows) as ArrayRef, true)];
        let all = RecordBatch::try_from_iter_with_nullable(all).unwrap();
        let batches = (0..all.num_rows()).step_by(5000);
        let batches: Vec<_> =
            batches.map(|at| Ok(all.slice(at, 5000.min(all.num_rows() - at)))).collect();
        Ok(Box::new(batches.into_iter()))
    }
}

/// So many patients, each with so many rows.
fn patients(patients: u64, rows: usize) -> Vec<u64> {
    let token = |patient: u64| patient * (u64::MAX / patients);
    (0..patients).flat_map(|patient| std::iter::repeat_n(token(patient), rows)).collect()
}

/// Tokens and rows as a guest of a project gets them.
fn seen(tokens: &[u64], project: u8) -> (Vec<u64>, Vec<i64>) {
    let key = Key::danger_from_bytes(&[project; 32]).unwrap();
    let scanner = Scanner::new(Arc::new(Rows(tokens.to_vec())), &key).unwrap();
    let column = ColumnView {
        name: "row".to_owned(),
        kind: ColumnKind::Int,
        looked_up: None,
        positions: Vec::new(),
    };
    let view = TableView {
        name: "visits".to_owned(),
        columns: vec![column],
        patient_at: Some(0),
        granted: Vec::new(),
        row_filter: String::new(),
        rows: tokens.len() as u64,
    };
    let scan = scanner.plan(&view, &mut Dictionaries::default()).unwrap();
    let (mut given, mut rows) = (Vec::new(), Vec::new());
    let mut ahead = ReadAhead::over(&scan).unwrap();
    while let Some(mut block) = ahead.next().unwrap() {
        assert!(!block.is_empty());
        while !block.is_empty() {
            let runs = block.take(1000);
            assert!((1..=1000).contains(&runs.iter().map(|run| run.rows).sum::<usize>()));
            for run in runs {
                given.extend(std::iter::repeat_n(run.token, run.rows));
                let part = block.parts()[run.part].slice(run.from, run.rows);
                assert!(super::tokens(&part).unwrap().values().iter().all(|t| *t == run.token));
                rows.extend(part.column(1).as_primitive::<Int64Type>().values());
            }
        }
    }
    (given, rows)
}

/// Every row once, with its token; a patient's together and as they rest.
fn is_whole(tokens: &[u64], (given, rows): &(Vec<u64>, Vec<i64>)) {
    assert!(given.iter().zip(rows).all(|(token, row)| tokens[*row as usize] == *token));
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert!(sorted.iter().copied().eq(0..tokens.len() as i64));
    let mut at = 0;
    let mut met = std::collections::HashSet::new();
    for patient in given.chunk_by(|one, other| one == other) {
        assert!(met.insert(patient[0]), "a patient stands in two places");
        assert!(rows[at..at + patient.len()].is_sorted());
        at += patient.len();
    }
}

fn places(tokens: &[u64]) -> Vec<u64> {
    let mut places = tokens.to_vec();
    places.dedup();
    places
}

#[test]
fn two_projects_see_one_versions_patients_in_orders_of_their_own() {
    let tokens = patients(3000, 3);
    let (one, other) = (seen(&tokens, 1), seen(&tokens, 2));
    is_whole(&tokens, &one);
    is_whole(&tokens, &other);
    assert_eq!(one, seen(&tokens, 1), "a project sees them as before");
    let (one, other) = (places(&one.0), places(&other.0));
    let alike = |one: &[u64], other: &[u64]| one.iter().zip(other).filter(|(a, b)| a == b).count();
    let rest = places(&tokens);
    // Of two random orders about one place is alike.
    for (one, other) in [(&one, &other), (&one, &rest), (&other, &rest)] {
        assert!(alike(one, other) < 12, "{} places are alike", alike(one, other));
        // Nor do they rise together.
        let place = |token: &u64| other.iter().position(|found| found == token);
        let steps: Vec<_> = one.iter().map(place).collect();
        let rising = steps.windows(2).filter(|two| two[0] < two[1]).count();
        assert!((1300..1700).contains(&rising), "{rising} of 2999 rise");
    }
    // The numbers follow, so that they tell no more.
    let number = |order: &[u64]| {
        let mut numbers = Numbers::default();
        order.iter().for_each(|token| _ = numbers.of(*token));
        rest.iter().map(|token| numbers.of(*token)).collect::<Vec<_>>()
    };
    let (one, other) = (number(&one), number(&other));
    assert!(one.iter().zip(&other).filter(|(a, b)| a == b).count() < 12);
}

#[test]
fn views_of_several_blocks_are_given_whole() {
    let tokens = patients(9000, 31);
    assert!(tokens.len() > 2 * BLOCK_ROWS);
    let one = seen(&tokens, 1);
    is_whole(&tokens, &one);
    assert_ne!(places(&one.0), places(&seen(&tokens, 2).0));
}

#[test]
fn a_patient_of_more_rows_than_a_block_stays_together() {
    for before in [0, 500] {
        let mut tokens: Vec<u64> = (1..=before).collect();
        tokens.extend(std::iter::repeat_n(7000, 2 * BLOCK_ROWS + 100));
        tokens.extend(8000..9000);
        is_whole(&tokens, &seen(&tokens, 1));
    }
}

#[test]
fn a_view_without_rows_ends() {
    assert!(seen(&[], 1).0.is_empty());
}
