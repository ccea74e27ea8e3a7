//! A scan and an aggregate by code, with as little work a row as that takes, so that what the
//! boundary costs shows: the throughput of the cohort world is measured with it.

use sekisho_analysis::Value;

sekisho_analysis::analysis!("analysis.toml");

/// Larger than any number the host gives a patient.
const NOBODY: u32 = u32::MAX;

#[derive(Clone)]
struct Site {
    last: u32,
    patients: i64,
    weights: i64,
    sum: f64,
}

fn run(view: &View, _: &Parameters, out: &mut Outputs) -> Result<(), String> {
    let none = Site { last: NOBODY, patients: 0, weights: 0, sum: 0.0 };
    let mut sites = vec![none; view.visits_site_codes().len()];
    for batch in view.visits() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            let Some(code) = batch.site.get(row) else { continue };
            let site = &mut sites[code as usize];
            // Rows of one patient stand together, so the last one is enough to remember.
            site.patients += i64::from(site.last != patient);
            site.last = patient;
            if let Some(weight) = batch.weight.get(row) {
                site.weights += 1;
                site.sum += weight;
            }
        }
    }
    let rows = sites.iter().enumerate().map(|(code, site)| BySiteRow {
        site: code as u32,
        patients: site.patients.into(),
        weight: match site.weights {
            0 => Value::Missing,
            n => Value::Given(site.sum / n as f64),
        },
    });
    out.by_site = rows.collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_analysis::Column;

    #[test]
    fn patients_count_once_a_site_and_missing_weights_do_not() {
        let view = View {
            visits_batches: vec![Visits {
                rows: 4,
                patient: vec![0, 0, 0, 1],
                site: Column::from(vec![Some(0), Some(1), Some(0), Some(0)]),
                weight: Column::from(vec![Some(50.0), None, Some(60.0), Some(70.0)]),
            }],
            visits_site_codes: vec!["east".into(), "west".into()],
            ..View::default()
        };
        let mut out = Outputs::default();
        run(&view, &Parameters::default(), &mut out).unwrap();
        let row = |site: usize| (out.by_site[site].patients, out.by_site[site].weight);
        assert_eq!(row(0), (Value::Given(2), Value::Given(60.0)));
        assert_eq!(row(1), (Value::Given(1), Value::Missing));
    }
}
