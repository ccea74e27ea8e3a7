//! Kaplan-Meier survival by sex: one patient's follow-up in, the host's estimate out.

sekisho_analysis::analysis!("analysis.toml");

/// Position of "dead" among the declared codes of `status`.
const DEAD: u32 = 1;

fn contribute(patient: &Patient, _: &Parameters, out: &mut Outputs) {
    let Some(row) = patient.lung.first() else { return };
    let (Some(time), Some(status)) = (row.time, row.status) else { return };
    out.overall(time as f64, status == DEAD);
    if let Some(sex) = row.sex {
        out.by_sex(sex, time as f64, status == DEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contributed(row: Lung) -> Outputs {
        let mut out = Outputs::default();
        contribute(&Patient { lung: vec![row] }, &Parameters::default(), &mut out);
        out
    }

    #[test]
    fn a_death_counts_overall_and_for_its_sex() {
        let out = contributed(Lung { time: Some(306), status: Some(DEAD), sex: Some(1) });
        let mut expected = Outputs::default();
        expected.overall(306.0, true);
        expected.by_sex(1, 306.0, true);
        assert_eq!(out, expected);
    }

    #[test]
    fn without_an_outcome_nothing_is_contributed() {
        let out = contributed(Lung { time: Some(306), status: None, sex: Some(0) });
        assert_eq!(out, Outputs::default());
    }
}
