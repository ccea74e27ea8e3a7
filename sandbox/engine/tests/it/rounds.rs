//! The rounds world: regressions as R has them, and what stops a module that would have more of
//! the rounds than sums.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use prost::Message;
use sekisho_engine::TracedCell;
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::output::Body;

use crate::support::{
    Heard, Job, Memory, evidence, failure, grant, guest, job, order_key, parameter, report, root,
    run, trace,
};

/// The public lung data, its rows given to patients in this order, over so many buckets.
fn lung(buckets: u32, order: impl Fn(usize) -> usize) -> Memory {
    let mut reader = csv::Reader::from_path(root().join("tests/data/lung.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let rows: Vec<_> = (0..read.len()).map(|at| &read[order(at) % read.len()]).collect();
    let numbers = |name: &str| {
        let at = header.iter().position(|h| h == name).unwrap();
        rows.iter().map(move |row| row[at].parse::<i64>().ok())
    };
    let ints = |name: &str| -> ArrayRef { Arc::new(Int64Array::from_iter(numbers(name))) };
    let codes = |name: &str| -> ArrayRef {
        Arc::new(UInt32Array::from_iter(numbers(name).map(|code| Some(code? as u32 - 1))))
    };
    let columns = vec![
        ("time", ColumnKind::Int, ints("time")),
        ("status", ColumnKind::Code, codes("status")),
        ("age", ColumnKind::Int, ints("age")),
        ("sex", ColumnKind::Code, codes("sex")),
        ("ph_ecog", ColumnKind::Int, ints("ph.ecog")),
    ];
    let tokens: Vec<u64> = (0..rows.len() as u64).map(|i| i * (u64::MAX / 256)).collect();
    let known: &[&str] = &["1", "2"];
    Memory::new(buckets).table("lung", &tokens, columns, &[("status", known), ("sex", known)])
}

fn over_lung(name: &str, data: Memory) -> Job {
    let (component, manifest) = guest(name);
    Job {
        component,
        manifest,
        parameters: Vec::new(),
        view: vec![grant("lung", &["time", "status", "age", "sex", "ph_ecog"])],
        bring_ins: Vec::new(),
        data: Arc::new(data),
        limits: v1::RunLimits { min_cell: 10, ..v1::RunLimits::default() },
        order_key: order_key(),
        dummy: false,
    }
}

fn model(checked: &v1::CheckedOutput) -> v1::Coefficients {
    match checked.output.clone().and_then(|output| output.body) {
        Some(Body::Coefficients(model)) => model,
        other => panic!("not a model: {other:?}"),
    }
}

fn terms(model: &v1::Coefficients) -> Vec<(&str, f64, f64)> {
    let terms = model.coefficients.iter();
    terms
        .map(|one| (one.term.as_str(), one.estimate.unwrap(), one.standard_error.unwrap()))
        .collect()
}

/// `coxph(Surv(time, status) ~ age + sex + ph.ecog, lung)` in R prints 0.011067, -0.552612 and
/// 0.463728, with standard errors 0.009267, 0.167739 and 0.113577, of 227 patients and 164
/// events; the sixth digit of the smallest is that of statsmodels and of lifelines.
#[test]
fn a_cox_regression_is_published_as_r_prints_it() {
    let report = report(over_lung("cox-mortality", lung(8, |at| at)));
    let checked = &report.outputs[0];
    let model = model(checked);
    assert_eq!((model.patients, model.events), (227, Some(164)));
    assert_eq!(model.residual_degrees_of_freedom, 161);
    assert_eq!(
        terms(&model),
        [
            ("age [year]", 0.011_066_8, 0.009_267_41),
            ("sex: female", -0.552_612, 0.167_739),
            ("ECOG performance status", 0.463_728, 0.113_577),
        ]
    );
    // Six digits are a remark to the reviewer, no more.
    let codes: Vec<_> = checked.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["excess_precision"]);
    let evidence = evidence(checked);
    assert!(evidence.host_verified);
    assert_eq!((evidence.patients, evidence.rows_read), (227, 228));
    // All of them in every round.
    assert_eq!((report.usage.patients, report.usage.rows_read % 228), (228, 0));
    assert!(report.usage.rows_read > 228);
}

/// statsmodels 0.15.0, `Logit`, to six digits.
#[test]
fn a_logistic_regression_is_that_of_statsmodels() {
    let report = report(over_lung("logistic", lung(8, |at| at)));
    let model = model(&report.outputs[0]);
    assert_eq!((model.patients, model.events), (227, Some(164)));
    assert_eq!(model.residual_degrees_of_freedom, 223);
    assert_eq!(
        terms(&model),
        [
            ("intercept", 0.563_44, 1.223),
            ("age", 0.021_227_7, 0.017_662_9),
            ("sex", -1.082_45, 0.319_102),
            ("ph_ecog", 0.754_182, 0.237_535),
        ]
    );
}

#[test]
fn invariant_9_a_fit_is_the_same_bytes_whatever_the_order_and_the_buckets() {
    let bytes = |name: &str, data: Memory| -> Vec<u8> {
        report(over_lung(name, data)).outputs[0].encode_to_vec()
    };
    for name in ["cox-mortality", "logistic"] {
        let once = bytes(name, lung(8, |at| at));
        assert_eq!(once, bytes(name, lung(8, |at| at)), "{name} again");
        assert_eq!(once, bytes(name, lung(1, |at| at)), "{name} in one bucket");
        // 59 has no factor in common with 228.
        assert_eq!(once, bytes(name, lung(5, |at| at * 59 + 17)), "{name} in another order");
    }
}

fn behaving(behaviour: &str) -> Job {
    let text = v1::parameter::Value::Text(behaviour.to_owned());
    Job { parameters: vec![parameter("behaviour", text)], ..job("misbehaving-rounds") }
}

/// What the reducer saw in the last round: patients, sums, state and calls before.
fn seen(behaviour: &str) -> String {
    let report = report(behaving(behaviour));
    let output = report.outputs[0].output.clone().unwrap();
    let Some(Body::Text(text)) = output.body else { panic!("not a text") };
    assert!(!evidence(&report.outputs[0]).host_verified, "a text is the reducer's claim");
    text.text
}

#[test]
fn a_reducer_sees_sums_and_its_state_and_nothing_is_left_of_a_call() {
    let weight = |p: u64| {
        let first = (0..1 + p % 4).find(|v| (p + v) % 5 != 4);
        first.map_or(0.0, |v| 40.0 + ((p * 7 + v * 3) % 60) as f64)
    };
    let sum: f64 = (0..300).map(weight).sum();
    let expected = format!("300 [300.0, {sum:?}] [300.0, {sum:?}] 0");
    assert_eq!(seen("none"), expected);
    // Each call counts the calls before it in its instance.
    assert_eq!(seen("remember"), "300 [300.0, 0.0] [300.0, 0.0] 0");
}

#[test]
fn a_failing_patient_contributes_the_declared_default_in_every_round() {
    let east: f64 = (0..300_u64)
        .filter(|p| p % 3 != 2)
        .filter_map(|p| {
            let v = (0..1 + p % 4).find(|v| (p + v) % 5 != 4)?;
            Some(40.0 + ((p * 7 + v * 3) % 60) as f64)
        })
        .sum();
    let sum = east + 100.0 * 1000.0;
    assert_eq!(seen("failing_patients"), format!("300 [300.0, {sum:?}] [300.0, {sum:?}] 0"));
}

#[test]
fn what_a_reducer_must_not_do_ends_the_run_with_a_code_and_no_text() {
    for (behaviour, code, class) in [
        ("never_done", "rounds_exhausted", v1::FailureClass::LimitExceeded),
        ("long_state", "round_state", v1::FailureClass::ContractViolation),
        ("not_finite", "round_state", v1::FailureClass::ContractViolation),
        ("trap", "reduce_failed", v1::FailureClass::ModuleError),
        ("infinite_loop", "reduce_failed", v1::FailureClass::ModuleError),
        ("few", "round_floor", v1::FailureClass::LimitExceeded),
        // Everybody in the first round, then only those of one weight.
        ("by_round", "round_floor", v1::FailureClass::LimitExceeded),
    ] {
        let failed = failure(behaving(behaviour));
        assert_eq!((failed.code, failed.class), (code, class), "{behaviour}");
        assert!(failed.developer.is_none(), "{behaviour} says something");
    }
    let failed = failure(Job { dummy: true, ..behaving("trap") });
    assert!(failed.developer.is_some(), "over dummy data the developer is told");
}

#[test]
fn progress_does_not_tell_how_many_rounds_there_are() {
    let heard = |name: &str, data: Memory| {
        let mut heard = Heard::default();
        run(over_lung(name, data), &mut heard).unwrap();
        heard.0
    };
    let cox = heard("cox-mortality", lung(8, |at| at));
    assert!(cox.is_sorted_by(|a, b| a < b) && cox.last() == Some(&10), "{cox:?}");
    assert_eq!(cox, heard("logistic", lung(8, |at| at)));
}

#[test]
fn ri_2_results_of_rounds_have_no_cell_to_trace() {
    let cell = TracedCell { output: "hazards".to_owned(), key: Vec::new() };
    let failed = trace(over_lung("cox-mortality", lung(8, |at| at)), &cell).unwrap_err();
    assert_eq!(failed.code, "trace_no_cell");
}
