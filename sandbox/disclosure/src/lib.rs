//! Disclosure checks: what must be weighed before an output leaves (OU-1).
//!
//! Start at [`checks`]; every code it can give stands in [`RULES`] with its severity and the
//! advice that goes with it.
//!
//! Invariants
//! - Pure functions of the output, the host's evidence and the minimum cell: the same input
//!   gives the same findings in the same order.
//! - A finding says where and what to do; it never repeats the value it is about.
//! - Zero and missing are told apart: a true zero is a finding of lesser weight, a missing
//!   value is none, because missing says nothing about how many there are.
//!
//! Must never depend on: the engine, the gateway, anything that does input or output.

mod coefficients;
mod contingency;
mod curve;
mod rules;
mod table;
mod withhold;

use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::{Evidence, Finding, Histogram, Output};

use rules::{Findings, Judged, judge};
pub use rules::{RULES, Rule};
pub use withhold::withhold;

/// Checks one output. `min_cell` is the least number of distinct patients a cell may stand
/// for (最小集計単位). Findings come in the order of the output's rows.
#[must_use]
pub fn checks(output: &Output, evidence: &Evidence, min_cell: u32) -> Vec<Finding> {
    let mut findings = Findings::default();
    let least = u64::from(min_cell);
    if !evidence.host_verified {
        findings.add("not_host_verified", "the whole output");
    }
    if judge(evidence.patients, least) == Judged::Small {
        findings.add("few_patients", "the whole output");
    }
    match &output.body {
        Some(Body::Table(body)) => table::check(body, least, &mut findings),
        Some(Body::Histogram(body)) => histogram(body, least, &mut findings),
        Some(Body::Survival(body)) => curve::check(body, least, &mut findings),
        Some(Body::Text(_)) => findings.add("text_output", "the whole output"),
        Some(Body::Contingency(body)) => contingency::check(body, least, &mut findings),
        Some(Body::Incidence(body)) => curve::incidence(body, least, &mut findings),
        Some(Body::Coefficients(body)) => coefficients::check(body, least, &mut findings),
        None => findings.add("empty_output", "the whole output"),
    }
    findings.finish()
}

fn histogram(histogram: &Histogram, least: u64, findings: &mut Findings) {
    for (at, series) in histogram.series.iter().enumerate() {
        let bins = series.patients.iter().enumerate().map(|(i, n)| (format!("bin {}", i + 1), *n));
        let ends = [("below".to_owned(), series.below), ("above".to_owned(), series.above)];
        for (bin, patients) in bins.chain(ends) {
            let place = format!("series {}, {bin}", at + 1);
            match judge(patients, least) {
                Judged::Small => findings.add("small_cell", place),
                // Nobody beyond the edges is what well-chosen edges give.
                Judged::Zero if bin.starts_with("bin") => findings.add("zero_cell", place),
                Judged::Zero | Judged::Enough => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
