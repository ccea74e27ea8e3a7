//! Kaplan-Meier on the public lung data, against the figures of R's survival package.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::survival_curve::Comparison;

use crate::support::{Job, Memory, evidence, grant, guest, order_key, report, root};

fn lung(buckets: u32) -> Memory {
    let mut reader = csv::Reader::from_path(root().join("tests/data/lung.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (time, status, sex) = (at("time"), at("status"), at("sex"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let code = |column: usize| -> ArrayRef {
        let codes = rows.iter().map(|r| r[column].parse::<u32>().unwrap() - 1);
        Arc::new(UInt32Array::from_iter_values(codes))
    };
    let times = rows.iter().map(|r| r[time].parse::<i64>().unwrap());
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(times));
    let tokens: Vec<u64> = (0..rows.len() as u64).map(|i| i << 55).collect();
    let columns = vec![
        ("time", ColumnKind::Int, times),
        ("status", ColumnKind::Code, code(status)),
        ("sex", ColumnKind::Code, code(sex)),
    ];
    let codes: &[&str] = &["1", "2"];
    Memory::new(buckets).table("lung", &tokens, columns, &[("status", codes), ("sex", codes)])
}

fn curves(min_cell: u32) -> Vec<(v1::CheckedOutput, v1::SurvivalCurve)> {
    curves_of(lung(8), min_cell)
}

fn curves_of(data: Memory, min_cell: u32) -> Vec<(v1::CheckedOutput, v1::SurvivalCurve)> {
    let (component, manifest) = guest("km-by-sex");
    let job = Job {
        component,
        manifest,
        parameters: Vec::new(),
        view: vec![grant("lung", &["time", "status", "sex"])],
        bring_ins: Vec::new(),
        data: Arc::new(data),
        limits: v1::RunLimits { min_cell, ..v1::RunLimits::default() },
        order_key: order_key(),
        dummy: false,
    };
    let made = report(job).outputs.into_iter().map(|output| {
        let body = output.output.clone().and_then(|o| o.body);
        let Some(Body::Survival(curve)) = body else { panic!("not a curve") };
        (output, curve)
    });
    made.collect()
}

#[test]
fn medians_and_limits_are_those_of_survfit() {
    let curves = curves(10);
    let (checked, overall) = &curves[0];
    let group = &overall.groups[0];
    assert_eq!((group.patients, group.events), (228, 165));
    assert_eq!(group.median, Some(310.0));
    assert_eq!((group.median_lower, group.median_upper), (Some(285.0), Some(363.0)));
    let evidence = evidence(checked);
    assert!(evidence.host_verified);
    assert_eq!((evidence.patients, evidence.rows_read), (228, 228));
    assert_eq!(checked.findings, []);

    let (checked, by_sex) = &curves[1];
    let figures: Vec<_> = by_sex
        .groups
        .iter()
        .map(|g| {
            (g.key[0].as_str(), g.patients, g.events, g.median, g.median_lower, g.median_upper)
        })
        .collect();
    assert_eq!(
        figures,
        [
            ("male", 138, 112, Some(270.0), Some(212.0), Some(310.0)),
            ("female", 90, 53, Some(426.0), Some(348.0), Some(550.0)),
        ]
    );
    assert_eq!(crate::support::evidence(checked).cell_patients, [138, 90]);
    let Some(Comparison::LogRank(test)) = &by_sex.comparison else { panic!("no test") };
    assert_eq!((test.chi_square, test.p_value), (10.326_7, 0.001_311_16));
}

#[test]
fn ou_1_no_published_step_holds_fewer_events_than_the_minimum_cell() {
    for (_, curve) in curves(10) {
        assert_eq!(curve.events_per_step, 10);
        for group in curve.groups {
            assert!(group.steps.iter().all(|s| s.events >= 10));
            assert_eq!(group.steps.iter().map(|s| s.events).sum::<u64>(), group.events);
        }
    }
}

#[test]
fn the_exact_curve_is_that_of_survfit_at_one_year() {
    // summary(survfit(Surv(time, status) ~ 1, lung), times = 365): 0.409, 0.345 to 0.486.
    let curves = curves(1);
    let steps = &curves[0].1.groups[0].steps;
    let last = steps.iter().rev().find(|s| s.time <= 365.0).unwrap();
    let rounded = [last.survival, last.lower, last.upper].map(|v| (v * 1000.0).round() / 1000.0);
    assert_eq!(rounded, [0.409, 0.345, 0.486]);
}

#[test]
fn invariant_9_sharding_changes_nothing() {
    let sharded = [1, 3, 8].map(|buckets| curves_of(lung(buckets), 10));
    assert_eq!(sharded[0], sharded[1]);
    assert_eq!(sharded[0], sharded[2]);
}
