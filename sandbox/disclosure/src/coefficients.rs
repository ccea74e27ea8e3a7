use sekisho_proto::v1::{Coefficient, CoefficientScale, Coefficients};

use crate::rules::{Findings, Judged, judge};
use crate::table::precise;

pub(crate) fn check(fit: &Coefficients, least: u64, findings: &mut Findings) {
    if fit.coefficients.iter().all(|one| one.estimate.is_none()) {
        findings.add("empty_output", "the whole output");
        return;
    }
    if fit.residual_degrees_of_freedom < least {
        findings.add("few_degrees", "the model");
    }
    counted(fit.patients, least, "patients", findings);
    if let Some(events) = fit.events {
        counted(events, least, "events", findings);
        if fit.scale() == CoefficientScale::LogOdds {
            let without = fit.patients.saturating_sub(events);
            counted(without, least, "patients without the event", findings);
        }
    }
    let numbers = |one: &Coefficient| one.estimate.into_iter().chain(one.standard_error);
    if fit.coefficients.iter().flat_map(numbers).any(precise) {
        findings.add("excess_precision", "the coefficients");
    }
}

/// A number of patients that the model is shown with.
fn counted(patients: u64, least: u64, what: &str, findings: &mut Findings) {
    match judge(patients, least) {
        Judged::Zero => findings.add("zero_cell", what),
        Judged::Small => findings.add("small_cell", what),
        Judged::Enough => {}
    }
}
