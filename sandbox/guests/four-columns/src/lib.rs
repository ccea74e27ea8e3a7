//! A mean over one patient's rows of four columns: what a fresh instance a patient costs is
//! measured with it.

sekisho_analysis::analysis!("analysis.toml");

fn contribute(patient: &Patient, _: &Parameters, out: &mut Outputs) {
    let weights = patient.visits.iter().filter_map(|row| row.weight);
    let (sum, count) = weights.fold((0.0, 0_u32), |(sum, count), one| (sum + one, count + 1));
    if count > 0 {
        out.weight(sum / f64::from(count));
    }
}
