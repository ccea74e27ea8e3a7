//! How many cells the outputs of a per-patient module have.

use sekisho_module::Manifest;
use sekisho_proto::v1::Output;
use sekisho_proto::v1::output::Body;

use crate::aggregate::Aggregates;

/// Figures of a group of survival: patients, events, the median and its interval.
const GROUP: usize = 5;
/// Figures of a term of a regression: estimate, standard error, interval, p value.
const TERM: usize = 5;

/// Cells that a manifest declares, steps of curves aside, which only the bytes of outputs
/// bound. Counted over nobody: no patient's answer can make it more, and so end a run.
pub(crate) fn declared(manifest: &Manifest) -> u64 {
    let of_nobody = Aggregates::new(manifest).finish(1);
    of_nobody.iter().map(|(output, _)| of(output) as u64).sum()
}

fn of(output: &Output) -> usize {
    match &output.body {
        Some(Body::Table(table)) => table.rows.iter().map(|row| row.cells.len()).sum(),
        // Each series has its bins, and what lies below and above them.
        Some(Body::Histogram(histogram)) => {
            histogram.series.iter().map(|series| series.patients.len() + 2).sum()
        }
        Some(Body::Survival(curve)) => curve.groups.len() * GROUP,
        Some(Body::Coefficients(fit)) => fit.coefficients.len() * TERM,
        Some(Body::Contingency(table)) => {
            let rows = table.strata.iter().flat_map(|stratum| &stratum.rows);
            rows.map(|row| row.cells.len()).sum()
        }
        // Each curve has its events, each group its patients.
        Some(Body::Incidence(incidence)) => {
            incidence.groups.iter().map(|group| group.curves.len() + 1).sum()
        }
        Some(Body::Text(_)) => 1,
        None => 0,
    }
}
