//! Behaves in two rounds or, as the parameter says, misbehaves. Stopped by: the host's bounds on
//! what passes from round to round, or nothing where only the patient's own call failed.

use std::sync::atomic::{AtomicU32, Ordering};

use sekisho_analysis::rounds::Step;

sekisho_analysis::analysis!("analysis.toml");

const WEST: u32 = 1;
static SEEN: AtomicU32 = AtomicU32::new(0);

fn contribute(patient: &Patient, given: &Parameters, state: &[f64], to: &mut Contributions) {
    let weight = patient.visits.iter().find_map(|row| row.weight).unwrap_or(0.0);
    let west = patient.visits.iter().any(|row| row.site == Some(WEST));
    let rare = weight == 40.0;
    match given.behaviour.as_str() {
        "by_round" if !state.is_empty() && !rare => {}
        "few" if !rare => {}
        "failing_patients" if west => panic!("on purpose"),
        // Would grow from call to call if an instance outlived its call.
        "remember" => to.weights(vec![1.0, f64::from(SEEN.fetch_add(1, Ordering::Relaxed))]),
        _ => to.weights(vec![1.0, weight]),
    }
}

fn reduce(given: &Parameters, round: u32, state: &[f64], totals: &Totals) -> Step<Results> {
    let sums = &totals.weights.sums;
    match given.behaviour.as_str() {
        "never_done" => return Step::Next(vec![f64::from(round)]),
        "long_state" => return Step::Next(vec![0.0; 4097]),
        "not_finite" => return Step::Next(vec![f64::NAN]),
        "trap" => panic!("{sums:?} on purpose"),
        "infinite_loop" => loop {
            std::hint::black_box(());
        },
        _ if round == 0 => return Step::Next(sums.clone()),
        _ => {}
    }
    let calls = SEEN.fetch_add(1, Ordering::Relaxed);
    let patients = totals.weights.patients;
    Step::Done(Results { seen: format!("{patients} {sums:?} {state:?} {calls}") })
}
