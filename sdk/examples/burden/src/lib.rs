//! The burden of a patient's conditions by a table of scores that a researcher brought in: the
//! host looks the score of each row's code up.

sekisho_analysis::analysis!("analysis.toml");

fn contribute(patient: &Patient, _: &Parameters, out: &mut Outputs) {
    // A code that is not in the table has no score.
    let scores: Vec<f64> = patient.conditions.iter().filter_map(|row| row.burden_score).collect();
    if !scores.is_empty() {
        out.burden(scores.iter().sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contributed(scores: &[Option<f64>]) -> Outputs {
        let conditions = scores.iter().map(|&burden_score| Conditions { burden_score }).collect();
        let mut out = Outputs::default();
        contribute(&Patient { conditions }, &Parameters::default(), &mut out);
        out
    }

    #[test]
    fn the_scores_of_the_codes_in_the_table_are_summed() {
        let mut expected = Outputs::default();
        expected.burden(3.5);
        assert_eq!(contributed(&[Some(1.0), None, Some(2.5)]), expected);
        assert_eq!(contributed(&[None]), Outputs::default());
    }
}
