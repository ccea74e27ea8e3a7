//! What only some aggregations declare.

use crate::check::Errors;
use crate::manifest::{Aggregate, AggregateKind};

const MAX_PROBABILITIES: usize = 20;
const MAX_CAUSES: usize = 8;
/// Groups of one comparison: its work grows with their square.
const MAX_COMPARED: usize = 32;

/// Probabilities in thousandths, so that ranks are found without rounding.
pub(super) fn probabilities(at: &str, given: Option<Vec<f64>>, errors: &mut Errors) -> Vec<u32> {
    let given = given.unwrap_or_default();
    errors.at_most(at, "probabilities", given.len(), MAX_PROBABILITIES);
    let thousandth = |probability: &f64| {
        let near = (1..1000_u32).find(|k| (probability * 1000.0 - f64::from(*k)).abs() < 1e-6);
        near.unwrap_or(0)
    };
    let thousandths: Vec<u32> = given.iter().map(thousandth).collect();
    let rising = thousandths.is_sorted_by(|a, b| a < b);
    if thousandths.is_empty() || thousandths.contains(&0) || !rising {
        let message = "`probabilities` must rise, from 0.001 to 0.999 in steps of 0.001";
        errors.add("probabilities", at, message);
    }
    thousandths
}

pub(super) fn survival(
    at: &str,
    time_unit: String,
    compare: Option<bool>,
    causes: Option<Vec<String>>,
    errors: &mut Errors,
) -> AggregateKind {
    let compare = compare.unwrap_or(false);
    if let Some(causes) = &causes {
        errors.at_most(at, "causes", causes.len(), MAX_CAUSES);
        errors.labels(at, causes);
        if causes.len() < 2 {
            errors.add("causes", at, "competing events have at least two `causes`");
        }
        if compare {
            errors.add("compare", at, "the log-rank test is for survival without `causes`");
        }
    }
    AggregateKind::Survival { time_unit, causes: causes.unwrap_or_default(), compare }
}

/// What an aggregation asks of its keys.
pub(super) fn groups(at: &str, made: &Aggregate, errors: &mut Errors) {
    let strata = made.keys.last().filter(|_| made.stratified).map_or(1, |key| key.labels().len());
    let groups = made.cells() / strata.max(1);
    let compared = match made.kind {
        AggregateKind::Contingency => {
            let keys = made.keys.len() - usize::from(made.stratified);
            let crossed = made.keys.iter().take(2).all(|key| key.labels().len() > 1);
            if keys != 2 || !crossed {
                let message = "a contingency table has two `keys` of at least two labels each";
                errors.add("contingency_keys", at, message);
            }
            true
        }
        AggregateKind::Survival { compare: true, .. } => {
            errors.at_most(at, "groups to compare", groups, MAX_COMPARED);
            if groups < 2 {
                errors.add("compare", at, "`compare` needs `keys` with at least two groups");
            }
            true
        }
        _ => false,
    };
    if made.stratified && !compared {
        errors.add("stratum", at, "a `stratum` of survival needs `compare = true`");
    }
    if compared && made.max_contributions > 1 {
        let message = "a test takes one contribution of each patient: leave max_contributions out";
        errors.add("max_contributions", at, message);
    }
}
