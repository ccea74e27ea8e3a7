//! What the per-patient world gives, and that it is always the same.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, UInt32Array};
use prost::Message;
use sekisho_engine::TracedCell;
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::cell::Value;

use crate::support::{Heard, Job, Memory, evidence, job, report, run, table, trace, visits};

#[test]
fn the_host_counts_every_patient_once() {
    let report = report(job("trivial"));
    assert_eq!(table(&report.outputs[0]), [[Value::Count(300)]]);
    let evidence = evidence(&report.outputs[0]);
    assert_eq!((evidence.patients, evidence.rows_read), (300, 750));
    assert_eq!(evidence.cell_patients, [300]);
    assert_eq!((report.usage.patients, report.usage.rows_read), (300, 750));
    assert!(report.usage.fuel_used > 0 && report.usage.peak_memory_bytes > 0);
    assert!(report.developer.is_none());
}

#[test]
fn rows_of_a_patient_meet_across_batches_and_missing_values_stay_missing() {
    let mut job = job("misbehaving-patient");
    job.parameters =
        vec![crate::support::parameter("behaviour", v1::parameter::Value::Text("none".to_owned()))];
    let report = report(job);
    let by_site = table(&report.outputs[0]);
    assert_eq!(by_site[0][1], Value::Count(200));
    assert_eq!(by_site[1][1], Value::Count(100));
    // The first weight of every patient of the east who has one.
    let first = |p: u64| {
        (0..1 + p % 4).find(|v| (p + v) % 5 != 4).map(|v| 40.0 + ((p * 7 + v * 3) % 60) as f64)
    };
    let weights: Vec<f64> = (0..300).filter(|p| p % 3 != 2).filter_map(first).collect();
    let sum: f64 = weights.iter().sum();
    let weight = &table(&report.outputs[1])[0];
    assert_eq!(weight[0], Value::Count(weights.len() as i64));
    assert_eq!(weight[1], Value::Number(sum));
}

#[test]
fn invariant_9_the_same_job_gives_the_same_bytes() {
    let bytes = |job: Job| -> Vec<Vec<u8>> {
        report(job).outputs.iter().map(Message::encode_to_vec).collect()
    };
    for name in ["trivial", "misbehaving-patient", "columns"] {
        let once = bytes(job(name));
        assert_eq!(once, bytes(job(name)));
        let mut dummy = job(name);
        dummy.dummy = true;
        assert_eq!(once, bytes(dummy), "what the developer sees must not change the outputs");
    }
}

#[test]
fn ri_2_a_trace_gives_the_patients_of_one_cell_and_the_same_outputs() {
    let of = |job: &dyn Fn() -> Job, output: &str, key: &[&str]| {
        let key = key.iter().map(|label| (*label).to_owned()).collect();
        let cell = TracedCell { output: output.to_owned(), key };
        trace(job(), &cell).map_err(|failure| failure.code)
    };
    let sites = || {
        let none = v1::parameter::Value::Text("none".to_owned());
        Job {
            parameters: vec![crate::support::parameter("behaviour", none)],
            ..job("misbehaving-patient")
        }
    };
    let (traced, tokens) = of(&sites, "by_site", &["west"]).unwrap();
    let token = |patient: u64| patient * (u64::MAX / 300);
    assert_eq!(tokens, (0..300).filter(|p| p % 3 == 2).map(token).collect::<Vec<_>>());
    assert_eq!(traced.outputs, report(sites()).outputs, "a trace must change nothing");
    let trivial = || job("trivial");
    for (cell, key) in [("by_site", &["north"][..]), ("by_site", &[]), ("nothing", &["west"])] {
        assert_eq!(of(&sites, cell, key).unwrap_err(), "trace_no_cell");
    }
    assert_eq!(of(&trivial, "patients", &[]).unwrap().1.len(), 300);
    let cohort = || job("columns");
    assert_eq!(of(&cohort, "patients", &[]).unwrap_err(), "trace_cohort");
}

#[test]
fn progress_rises_to_ten() {
    for name in ["trivial", "columns"] {
        let mut heard = Heard::default();
        run(job(name), &mut heard).unwrap();
        assert!(heard.0.is_sorted_by(|a, b| a < b), "{:?}", heard.0);
        assert_eq!(heard.0.last(), Some(&10));
        // In the cohort world a block of rows is read before the guest sees the first.
        assert!(heard.0.len() > 3 || name == "columns", "{:?}", heard.0);
    }
}

#[test]
fn a_table_without_rows_or_codes_is_run_over() {
    for (module, filter) in [("trivial", ""), ("trivial", "site = 'east'"), ("columns", "")] {
        let mut job = job(module);
        let columns: Vec<(&str, ColumnKind, ArrayRef)> = vec![
            ("site", ColumnKind::Code, Arc::new(UInt32Array::from(Vec::<u32>::new()))),
            ("weight", ColumnKind::Float, Arc::new(Float64Array::from(Vec::<f64>::new()))),
        ];
        job.data = Arc::new(Memory::new(4).table("visits", &[], columns, &[("site", &[])]));
        job.view[0].row_filter = filter.to_owned();
        let report = report(job);
        assert_eq!((report.usage.patients, report.usage.rows_read), (0, 0), "{module}");
    }
}

#[test]
fn an_empty_table_gives_empty_counts() {
    let mut job = job("trivial");
    job.data = Arc::new(visits(1));
    job.view[0].row_filter = "weight > 1000".to_owned();
    let report = report(job);
    assert_eq!(table(&report.outputs[0]), [[Value::Count(0)]]);
    assert_eq!(report.outputs[0].findings[0].code, "zero_cell");
}
