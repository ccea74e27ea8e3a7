use sekisho_module::Manifest;

use super::*;
use crate::bindings::types::Likelihood;

fn specs(totals: &str) -> Vec<TotalSpec> {
    let head = "name = \"a\"\ntitle = \"A\"\nworld = \"rounds\"\nrounds = 3\n[[tables]]\n\
                name = \"t\"\ncolumns = [{ name = \"x\", kind = \"int\" }]\n[[outputs]]\n\
                name = \"o\"\ntitle = \"O\"\nkind = \"text\"\n";
    Manifest::parse(&format!("{head}{totals}")).unwrap().totals
}

const PAIR: &str =
    "[[totals]]\nname = \"v\"\nkind = \"vector\"\nlength = 2\nclamp = [-1e15, 1e15]\n";
const CELLS: &str = "[[totals]]\nname = \"c\"\nkind = \"vector\"\nlength = 1\nclamp = [0.0, 1.0]\n\
    max_contributions = 2\nkeys = [{ name = \"k\", labels = [\"a\", \"b\", \"c\"] }]\n";
const RISK: &str = "[[totals]]\nname = \"r\"\nkind = \"cox\"\ncovariates = 1\nclamp = [0.0, 9.0]\n";

fn given(keys: &[u32], values: &[f64]) -> Contribution {
    Contribution { output: 0, keys: keys.to_vec(), values: values.to_vec() }
}

fn sums(totals: Totals<'_>, least: u64) -> Vec<(u64, Vec<f64>)> {
    let Total::Vector(cells) = totals.finish(least).unwrap().0.remove(0) else { panic!() };
    cells.into_iter().map(|cell| (cell.patients, cell.sums)).collect()
}

#[test]
fn invariant_9_sums_are_exact_and_so_the_same_in_every_order() {
    let specs = specs(PAIR);
    let total = |values: &[f64]| {
        let mut totals = Totals::new(&specs);
        for value in values {
            totals.accept(&[given(&[], &[*value, 0.25])]).unwrap();
        }
        sums(totals, 1).remove(0).1
    };
    // Floating sums of these give 0 or 2, as they are ordered.
    assert_eq!(total(&[1e15, 1.0 / 64.0, -1e15, 1.0]), [1.015_625, 1.0]);
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i).sin() * 1e6_f64.powi(i % 3)).collect();
    let mut other = values.clone();
    other.reverse();
    other.rotate_left(333);
    let bits = |sums: Vec<f64>| sums.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(total(&values)), bits(total(&other)));
}

#[test]
fn components_are_clamped_and_a_missing_one_leaves_the_patient_out() {
    let specs = specs(CELLS);
    let mut totals = Totals::new(&specs);
    for value in [0.5, 7.0, f64::NEG_INFINITY, f64::NAN] {
        totals.accept(&[given(&[1], &[value])]).unwrap();
    }
    assert_eq!(sums(totals, 1), [(0, vec![0.0]), (3, vec![1.5]), (0, vec![0.0])]);
}

#[test]
fn a_reducer_is_told_of_enough_patients_or_of_none() {
    let specs = specs(CELLS);
    let finished = |in_cells: [u32; 3]| {
        let mut totals = Totals::new(&specs);
        for (cell, patients) in (0..).zip(in_cells) {
            for _ in 0..patients {
                totals.accept(&[given(&[cell], &[1.0])]).unwrap();
            }
        }
        totals.finish(10).map(|(_, counted)| counted[0].patients).map_err(|failed| failed.code)
    };
    assert_eq!(finished([10, 0, 12]), Ok(22));
    assert_eq!(finished([10, 9, 12]), Err("round_floor"));
    assert_eq!(finished([0, 0, 0]), Err("round_floor"));
    let patients = |events: u32| {
        let specs = self::specs(RISK);
        let mut totals = Totals::new(&specs);
        for patient in 0..30 {
            let event = f64::from(u8::from(patient < events));
            totals.accept(&[given(&[], &[f64::from(patient), event, 0.0, 1.0])]).unwrap();
        }
        totals.finish(10).map(|(_, counted)| counted[0]).map_err(|failed| failed.code)
    };
    assert_eq!(patients(10), Ok(Counted { patients: 30, events: Some(10) }));
    assert_eq!(patients(9), Err("round_floor"));
}

#[test]
fn a_malformed_answer_is_refused_as_a_whole() {
    let whole = given(&[0], &[1.0]);
    let cases: [(&str, Vec<Contribution>, Misfit); 8] = [
        (PAIR, vec![Contribution { output: 1, ..given(&[], &[]) }], Misfit::Unknown(1)),
        (PAIR, vec![given(&[], &[1.0])], Misfit::Arity("v".into())),
        (CELLS, vec![whole.clone(), given(&[3], &[1.0])], Misfit::Keys("c".into())),
        (CELLS, vec![whole.clone(), whole.clone()], Misfit::Twice("c".into())),
        (CELLS, vec![whole, given(&[1], &[1.0]), given(&[2], &[1.0])], Misfit::TooMany("c".into())),
        (RISK, vec![given(&[], &[1.0, 0.5, 0.0, 1.0])], Misfit::Subject("r".into())),
        (RISK, vec![given(&[], &[-1.0, 1.0, 0.0, 1.0])], Misfit::Subject("r".into())),
        (RISK, vec![given(&[], &[1.0, 1.0, f64::INFINITY, 1.0])], Misfit::Subject("r".into())),
    ];
    for (total, answer, expected) in cases {
        let specs = specs(total);
        let mut totals = Totals::new(&specs);
        assert_eq!(totals.accept(&answer), Err(expected));
        assert_eq!(totals.finish(1).unwrap_err().code, "round_floor");
    }
}

#[test]
fn a_failed_patient_adds_the_declared_default_or_nothing() {
    let with_default = format!("{CELLS}default = {{ keys = [1], values = [0.25] }}\n");
    let specs = specs(&with_default);
    let mut totals = Totals::new(&specs);
    totals.accept_default();
    assert_eq!(sums(totals, 1)[1], (1, vec![0.25]));
    let specs = self::specs(CELLS);
    let mut totals = Totals::new(&specs);
    totals.accept_default();
    assert!(totals.finish(1).is_err());
}

/// Rows of time, event, age, sex and ph.ecog of the public lung data.
fn lung() -> Vec<[f64; 5]> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/lung.csv");
    let mut reader = csv::Reader::from_path(file).unwrap();
    let header = reader.headers().unwrap().clone();
    let columns = ["time", "status", "age", "sex", "ph.ecog"]
        .map(|name| header.iter().position(|h| h == name).unwrap());
    let rows = reader.records().map(Result::unwrap).filter_map(|record| {
        let row: Option<Vec<f64>> = columns.iter().map(|at| record[*at].parse().ok()).collect();
        let row: [f64; 5] = row?.try_into().unwrap();
        Some([row[0], row[1] - 1.0, row[2], row[3], row[4]])
    });
    rows.collect()
}

fn likelihood(rows: &[[f64; 5]], beta: [f64; 3], ties: &str, strata: bool) -> Likelihood {
    let keys = "keys = [{ name = \"sex\", labels = [\"1\", \"2\"] }]\n";
    let specs = specs(&format!(
        "[[totals]]\nname = \"r\"\nkind = \"cox\"\ncovariates = 3\nclamp = [0.0, 100.0]\n\
         ties = \"{ties}\"\n{}",
        if strata { keys } else { "" }
    ));
    let mut totals = Totals::new(&specs);
    for [time, event, x @ ..] in rows {
        let eta: f64 = x.iter().zip(beta).map(|(x, b)| x * b).sum();
        let keys: Vec<u32> = strata.then_some(x[1] as u32 - 1).into_iter().collect();
        totals.accept(&[given(&keys, &[*time, *event, eta, x[0], x[1], x[2]])]).unwrap();
    }
    let Total::Cox(made) = totals.finish(10).unwrap().0.remove(0) else { panic!() };
    made
}

/// R's `coxph(Surv(time, status) ~ age + sex + ph.ecog, lung)`; digits of statsmodels 0.15.0.
const EFRON: [f64; 3] =
    [0.011_066_764_596_118_58, -0.552_612_395_531_838_2, 0.463_728_475_115_732_45];

#[test]
fn the_partial_likelihood_is_that_of_r() {
    let rows = lung();
    let at = |beta, ties| likelihood(&rows, beta, ties, false);
    for (beta, ties, expected) in [
        ([0.0; 3], "efron", -744.480_455_761_440_3),
        (EFRON, "efron", -729.230_121_374_861_9),
        ([0.0; 3], "breslow", -744.692_819_266_161_1),
    ] {
        let found = at(beta, ties);
        assert!((found.log_likelihood - expected).abs() < 1e-9, "{ties}: {found:?}");
        assert_eq!((found.patients, found.events), (227, 164));
    }
    let found = at(EFRON, "efron");
    assert!(found.score.iter().all(|score| score.abs() < 1e-8), "{found:?}");
    let strata =
        likelihood(&rows, [0.010_566_254_601_026_425, 0.0, 0.462_424_434_358_576_5], "efron", true);
    assert!((strata.log_likelihood - -628.770_939_501_205_2).abs() < 1e-9, "{strata:?}");
    assert!(strata.score.iter().all(|score| score.abs() < 1e-8), "{strata:?}");
    // Sex is the same for all of a stratum.
    assert_eq!(strata.information[2], 0.0);
}

#[test]
fn the_information_is_how_the_score_falls() {
    let rows = lung();
    for ties in ["efron", "breslow"] {
        let found = likelihood(&rows, EFRON, ties, false);
        for row in 0..3 {
            let moved = |by: f64| {
                let mut beta = EFRON;
                beta[row] += by;
                likelihood(&rows, beta, ties, false).score
            };
            let (above, below) = (moved(1e-5), moved(-1e-5));
            for column in 0..=row {
                let slope = (below[column] - above[column]) / 2e-5;
                let information = found.information[row * (row + 1) / 2 + column];
                assert!((slope - information).abs() < 1e-4 * (1.0 + slope.abs()), "{row} {column}");
            }
        }
    }
}

#[test]
fn invariant_9_the_likelihood_does_not_hang_on_the_order_of_patients() {
    let mut rows = lung();
    let found = likelihood(&rows, EFRON, "efron", true);
    rows.reverse();
    rows.rotate_left(71);
    let again = likelihood(&rows, EFRON, "efron", true);
    // Printed, numbers that differ in a bit differ.
    assert_eq!(format!("{again:?}"), format!("{found:?}"));
}

#[test]
fn far_predictors_and_large_covariates_lose_no_digits() {
    let rows = lung();
    let shifted: Vec<[f64; 5]> =
        rows.iter().map(|[t, e, age, sex, ecog]| [*t, *e, age + 18.0, *sex, *ecog]).collect();
    let (near, far) =
        (likelihood(&rows, EFRON, "efron", false), likelihood(&shifted, EFRON, "efron", false));
    assert!((near.log_likelihood - far.log_likelihood).abs() < 1e-9);
    for (near, far) in near.information.iter().zip(&far.information) {
        assert!((near - far).abs() < 1e-9 * near.abs().max(1.0), "{near} {far}");
    }
}
