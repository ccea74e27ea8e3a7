//! Cox regression of mortality on age, sex and performance status, fitted in rounds: one
//! patient's follow-up in, the host's partial likelihood to the reducer, coefficients out.

use sekisho_analysis::rounds::{Cox, Step};

sekisho_analysis::analysis!("analysis.toml");

/// Position of "dead" among the declared codes of `status`.
const DEAD: u32 = 1;
const MODEL: Cox = Cox::new(3);

fn contribute(patient: &Patient, _: &Parameters, state: &[f64], to: &mut Contributions) {
    let Some(row) = patient.lung.first() else { return };
    let (Some(time), Some(status)) = (row.time, row.status) else { return };
    let (Some(age), Some(sex), Some(ecog)) = (row.age, row.sex, row.ph_ecog) else { return };
    let covariates = [age as f64, f64::from(sex), ecog as f64];
    to.risk(MODEL.contribute(state, time as f64, status == DEAD, &covariates));
}

fn reduce(_: &Parameters, _: u32, state: &[f64], totals: &Totals) -> Step<Results> {
    MODEL.reduce(state, &totals.risk).map(|hazards| Results { hazards })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Lung =
        Lung { time: Some(306), status: Some(DEAD), age: Some(74), sex: Some(1), ph_ecog: Some(2) };

    fn contributed(row: Lung) -> Contributions {
        let mut to = Contributions::default();
        contribute(&Patient { lung: vec![row] }, &Parameters::default(), &[], &mut to);
        to
    }

    #[test]
    fn a_patient_is_at_risk_until_the_end_of_follow_up() {
        let mut expected = Contributions::default();
        expected.risk(vec![306.0, 1.0, 0.0, 74.0, 1.0, 2.0]);
        assert_eq!(contributed(ROW), expected);
    }

    #[test]
    fn a_missing_value_leaves_the_patient_out() {
        assert_eq!(contributed(Lung { ph_ecog: None, ..ROW }), Contributions::default());
    }
}
