//! What the cohort world gives.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::output::Body;

use crate::support::{
    Job, Memory, evidence, grant, guest, job, order_key, parameter, report, table,
};

#[test]
fn a_guest_reads_every_row_and_emits_every_kind() {
    let report = report(job("columns"));
    let rows = table(&report.outputs[0]);
    let label = |text: &str| Value::Label(text.to_owned());
    assert_eq!(rows, [[label("east"), Value::Count(200)], [label("west"), Value::Count(100)]]);
    let Some(Body::Histogram(histogram)) = report.outputs[1].output.clone().unwrap().body else {
        panic!("not a histogram");
    };
    let series = &histogram.series[0];
    let weighed = (0..300_u64).filter(|p| (0..1 + p % 4).any(|v| (p + v) % 5 != 4)).count();
    assert_eq!(series.patients.iter().sum::<u64>(), weighed as u64);
    let text = report.outputs[2].output.clone().unwrap().body;
    assert!(matches!(text, Some(Body::Text(_))));
    assert_eq!(report.usage.rows_read, 750);
}

#[test]
fn the_evidence_says_that_the_numbers_are_claims() {
    for output in report(job("columns")).outputs {
        let evidence = evidence(&output);
        assert!(!evidence.host_verified);
        assert_eq!((evidence.patients, evidence.rows_read), (300, 750));
        assert!(output.findings.iter().any(|f| f.code == "not_host_verified"));
    }
}

/// Twelve patients born in 1950 with condition I10, each with two HbA1c results, and three
/// born in 1990 with condition E11 and none.
fn ehr() -> Memory {
    let people: Vec<u64> = (0..15).map(|i| i << 59).collect();
    let old = |i: usize| i < 12;
    let codes = |of: &dyn Fn(usize) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values((0..15).map(of)))
    };
    let born = (0..15).map(|i| if old(i) { 1950 } else { 1990 });
    let born: ArrayRef = Arc::new(Int64Array::from_iter_values(born));
    let results: Vec<u64> = people.iter().take(12).flat_map(|p| [*p, *p]).collect();
    let items: ArrayRef = Arc::new(UInt32Array::from(vec![1; 24]));
    let values = (0..24).map(|i| if i % 2 == 0 { 6.0 } else { 7.0 });
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
    let sex = codes(&|_| 0);
    let condition = codes(&|i| u32::from(old(i)));
    Memory::new(2)
        .table(
            "patients",
            &people,
            vec![("birth_year", ColumnKind::Int, born), ("sex", ColumnKind::Code, sex)],
            &[("sex", &["1", "2"])],
        )
        .table(
            "conditions",
            &people,
            vec![("code", ColumnKind::Code, condition)],
            &[("code", &["E11", "I10"])],
        )
        .table(
            "labs",
            &results,
            vec![("item", ColumnKind::Code, items), ("value", ColumnKind::Float, values)],
            &[("item", &["ALB", "HbA1c-NGSP"])],
        )
}

fn crosstab(suppress_below: i64) -> v1::CheckedOutput {
    let (component, manifest) = guest("crosstab");
    let mut report = report(Job {
        component,
        manifest,
        parameters: vec![parameter(
            "suppress_below",
            v1::parameter::Value::Integer(suppress_below),
        )],
        view: vec![
            grant("patients", &["birth_year", "sex"]),
            grant("conditions", &["code"]),
            grant("labs", &["item", "value"]),
        ],
        bring_ins: Vec::new(),
        data: Arc::new(ehr()),
        limits: v1::RunLimits::default(),
        order_key: order_key(),
        dummy: false,
    });
    report.outputs.remove(0)
}

#[test]
fn crosstab_brings_a_patients_tables_together() {
    let output = crosstab(0);
    let label = |text: &str| Value::Label(text.to_owned());
    let find = |band: &str, code: &str| {
        let row = [label(band), label("1"), label(code)];
        table(&output).into_iter().find(|r| r.starts_with(&row)).unwrap().split_off(3)
    };
    assert_eq!(find("65-74", "I10"), [Value::Count(12), Value::Count(12), Value::Number(6.5)]);
    assert_eq!(find("0-39", "E11"), [Value::Count(3), Value::Count(0)]);
    let small: Vec<_> = output.findings.iter().filter(|f| f.code == "small_cell").collect();
    assert_eq!(small.len(), 1);
}

#[test]
fn ou_1_crosstab_withholds_small_counts_when_asked() {
    let output = crosstab(10);
    assert!(output.findings.iter().all(|f| f.code != "small_cell" && f.code != "small_statistic"));
    let withheld = table(&output).into_iter().flatten();
    assert_eq!(withheld.filter(|v| matches!(v, Value::Suppressed(_))).count(), 1);
}
