//! Reference ranges: each patient gives one value, the host finds quantiles that show nobody's
//! own, and counts by two keys whether they go together.

sekisho_analysis::analysis!("analysis.toml");

/// Positions among the declared codes of `item`.
const ALBUMIN: u32 = 0;
const HBA1C: u32 = 1;
/// From here on, in percent, HbA1c is called high.
const HIGH: f64 = 6.5;

fn contribute(patient: &Patient, _: &Parameters, out: &mut Outputs) {
    let Some(sex) = patient.patients.iter().find_map(|row| row.sex) else { return };
    let results = |item: u32| {
        let of_item = patient.labs.iter().filter(move |row| row.item == Some(item));
        of_item.filter_map(|row| row.value)
    };
    if let Some(albumin) = results(ALBUMIN).next() {
        out.albumin(sex, albumin);
    }
    if let Some(highest) = results(HBA1C).max_by(f64::total_cmp) {
        out.high(sex, u32::from(highest >= HIGH));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_albumin_and_the_highest_hba1c_count() {
        let row = |item, value| Labs { item: Some(item), value: Some(value) };
        let patient = Patient {
            patients: vec![Patients { sex: Some(1) }],
            labs: vec![row(HBA1C, 6.9), row(ALBUMIN, 4.1), row(ALBUMIN, 3.0), row(HBA1C, 5.2)],
        };
        let (mut out, mut expected) = (Outputs::default(), Outputs::default());
        contribute(&patient, &Parameters::default(), &mut out);
        expected.albumin(1, 4.1);
        expected.high(1, 1);
        assert_eq!(out, expected);
    }

    #[test]
    fn without_sex_nothing_is_contributed() {
        let mut out = Outputs::default();
        contribute(&Patient::default(), &Parameters::default(), &mut out);
        assert_eq!(out, Outputs::default());
    }
}
