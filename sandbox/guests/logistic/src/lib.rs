//! Well-behaved: a logistic regression in rounds, to compare with statsmodels.

use sekisho_analysis::rounds::{Logistic, Step};

sekisho_analysis::analysis!("analysis.toml");

const MODEL: Logistic = Logistic::new(3);

fn contribute(patient: &Patient, _: &Parameters, state: &[f64], to: &mut Contributions) {
    let Some(row) = patient.lung.first() else { return };
    let (Some(dead), Some(age), Some(sex)) = (row.status, row.age, row.sex) else { return };
    let Some(ecog) = row.ph_ecog else { return };
    // Sex as in the data: 1 and 2.
    let covariates = [age as f64, f64::from(sex + 1), ecog as f64];
    to.fit(dead, MODEL.contribute(state, dead == 1, &covariates));
}

fn reduce(_: &Parameters, _: u32, state: &[f64], totals: &Totals) -> Step<Results> {
    MODEL.reduce(state, &totals.fit).map(|odds| Results { odds })
}
