//! Reads the whole view and emits an output of every kind; also what the throughput of the
//! cohort world is measured with.

sekisho_analysis::analysis!("analysis.toml");

fn run(view: &View, _: &Parameters, out: &mut Outputs) -> Result<(), String> {
    let sites = view.visits_site_codes().len();
    let mut last_counted = vec![Vec::new(); sites];
    let mut patients = vec![0_i64; sites];
    let mut weight: Vec<(f64, u32)> = Vec::new();
    for batch in view.visits() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            let at = patient as usize;
            if weight.len() <= at {
                weight.resize(at + 1, (0.0, 0));
            }
            if let Some(value) = batch.weight.get(row) {
                weight[at].0 += value;
                weight[at].1 += 1;
            }
            if let Some(site) = batch.site.get(row) {
                let seen = &mut last_counted[site as usize];
                if seen.len() <= at {
                    seen.resize(at + 1, false);
                }
                if !std::mem::replace(&mut seen[at], true) {
                    patients[site as usize] += 1;
                }
            }
        }
    }
    let rows = patients.iter().enumerate();
    let rows = rows.map(|(site, &n)| BySiteRow { site: site as u32, patients: n.into() });
    out.by_site = rows.collect();
    out.weights = vec![histogram(&weight)];
    out.remark = "Means are over all visits of a patient.".to_owned();
    Ok(())
}

fn histogram(weight: &[(f64, u32)]) -> WeightsSeries {
    let mut series = WeightsSeries { patients: vec![0, 0], below: 0, above: 0 };
    for (sum, visits) in weight.iter().filter(|(_, visits)| *visits > 0) {
        match sum / f64::from(*visits) {
            mean if mean < 0.0 => series.below += 1,
            mean if mean < 50.0 => series.patients[0] += 1,
            mean if mean < 100.0 => series.patients[1] += 1,
            _ => series.above += 1,
        }
    }
    series
}
