//! A regression and a survival curve of the cohort world.

use sekisho_proto::v1;
use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::output::Body;

use crate::support::{Job, evidence, failure, job, parameter, report};

fn estimates(behaviour: &str) -> Job {
    let value = v1::parameter::Value::Text(behaviour.to_owned());
    Job { parameters: vec![parameter("behaviour", value)], ..job("estimates") }
}

fn body(output: &v1::CheckedOutput) -> Body {
    output.output.clone().and_then(|output| output.body).unwrap()
}

#[test]
fn a_regression_comes_with_what_the_host_makes_of_it() {
    let report = report(estimates("none"));
    let Body::Coefficients(fit) = body(&report.outputs[0]) else { panic!("no coefficients") };
    // Every patient but those of whom the first visits have no weight.
    let weight = |p: u64| {
        let visit = (0..1 + p % 4).find(|visit| (p + visit) % 5 != 4)?;
        Some(40.0 + ((p * 7 + visit * 3) % 60) as f64)
    };
    let of = |west: bool| (0..300).filter(move |p| (p % 3 == 2) == west).filter_map(weight);
    let mean = |west: bool| of(west).sum::<f64>() / of(west).count() as f64;
    let patients = (of(true).count() + of(false).count()) as u64;
    assert_eq!((fit.patients, fit.events), (patients, None));
    assert_eq!(fit.residual_degrees_of_freedom, patients - 2);
    let [intercept, west, north] = &fit.coefficients[..] else { panic!("three terms") };
    assert!((intercept.estimate.unwrap() - mean(false)).abs() < 1e-4);
    assert!((west.estimate.unwrap() - (mean(true) - mean(false))).abs() < 1e-4);
    assert_eq!((north.term.as_str(), north.estimate), ("north", None));
    let (lower, upper) = (west.lower.unwrap(), west.upper.unwrap());
    assert!(lower < west.estimate.unwrap() && west.estimate.unwrap() < upper);
    assert!((0.0..=1.0).contains(&west.p_value.unwrap()));
    assert!(!evidence(&report.outputs[0]).host_verified);
}

#[test]
fn survival_is_estimated_by_the_host_from_the_numbers_at_each_time() {
    let report = report(estimates("none"));
    let Body::Survival(curve) = body(&report.outputs[1]) else { panic!("not a curve") };
    assert_eq!((curve.time_unit.as_str(), curve.events_per_step), ("visit", 10));
    let [east, west] = &curve.groups[..] else { panic!("two groups") };
    assert_eq!((east.key[0].as_str(), east.patients, east.events), ("east", 200, 100));
    assert_eq!((west.patients, west.events), (100, 50));
    // Of 200, 50 leave after each visit; those after the second and the fourth have the event.
    let steps: Vec<_> =
        east.steps.iter().map(|s| (s.time, s.at_risk, s.events, s.survival)).collect();
    assert_eq!(steps, [(2.0, 150, 50, 0.666_667), (4.0, 50, 50, 0.0)]);
    assert_eq!(east.median, Some(4.0));
}

#[test]
fn estimates_that_fit_no_declaration_or_view_end_the_run() {
    for (behaviour, code) in [
        ("unknown_term", "fit_term"),
        ("term_twice", "fit_term"),
        ("not_a_number", "fit_estimate"),
        ("no_error", "fit_estimate"),
        ("events_on_identity", "fit_events"),
        ("patients_above_view", "count_above_view"),
        ("group_twice", "key_twice"),
        ("another_key", "key_domain"),
        ("falling_time", "survival_time"),
        ("revived", "survival_numbers"),
        ("curve_above_view", "count_above_view"),
    ] {
        let failed = failure(estimates(behaviour));
        assert_eq!((failed.class, failed.code), (FailureClass::ContractViolation, code));
        assert!(failed.developer.is_none());
    }
}
