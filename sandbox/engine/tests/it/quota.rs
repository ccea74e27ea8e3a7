//! What an agreement allows one run ends it when it is used up, and one unit less is enough.

use sekisho_proto::v1::{FailureClass, RunLimits, parameter::Value};

use crate::support::{Job, failure, job, parameter, report};

fn under(module: &str, narrow: impl FnOnce(&mut RunLimits)) -> Job {
    let mut job = job(module);
    narrow(&mut job.limits);
    job
}

fn code(job: Job) -> &'static str {
    let failed = failure(job);
    assert_eq!(failed.class, FailureClass::LimitExceeded);
    failed.code
}

#[test]
fn sv_4_no_more_rows_than_agreed_in_either_world() {
    for module in ["trivial", "columns"] {
        assert_eq!(report(under(module, |limits| limits.rows = 750)).usage.rows_read, 750);
        let failed = failure(under(module, |limits| limits.rows = 749));
        assert_eq!((failed.class, failed.code), (FailureClass::LimitExceeded, "rows"), "{module}");
    }
}

#[test]
fn sv_4_no_more_cells_than_agreed_in_either_world() {
    report(under("trivial", |limits| limits.output_cells = 1));
    for module in ["misbehaving-patient", "columns"] {
        assert_eq!(code(under(module, |limits| limits.output_cells = 3)), "output_cells");
    }
}

#[test]
fn sv_4_a_cohort_module_has_the_fuel_agreed_for_all_it_does() {
    report(under("columns", |limits| limits.fuel_quota = 1 << 40));
    assert_eq!(code(under("columns", |limits| limits.fuel_quota = 1000)), "fuel");
    // However much the site would give.
    let both = |limits: &mut RunLimits| (limits.fuel, limits.fuel_quota) = (1 << 40, 1000);
    assert_eq!(code(under("columns", both)), "fuel");
}

/// A patient's call that uses it up counts as the declared default, as ever: whether it did
/// must not show in how the run ends.
#[test]
fn sv_4_a_per_patient_module_has_the_fuel_agreed_for_each_patient() {
    let looping = |fuel_quota| {
        let mut job = under("misbehaving-patient", |limits| limits.fuel_quota = fuel_quota);
        job.parameters = vec![parameter("behaviour", Value::Text("infinite_loop".to_owned()))];
        report(job)
    };
    let (narrow, wide) = (looping(1_000_000), looping(0));
    assert_eq!(narrow.outputs, wide.outputs);
    assert_eq!(narrow.usage.fuel_used, narrow.usage.patients * 1_000_000);
    assert_eq!(wide.usage.fuel_used, wide.usage.patients * 20_000_000);
}

#[test]
fn sv_4_a_module_has_the_memory_agreed() {
    let small = |limits: &mut RunLimits| limits.memory_bytes = 16 << 20;
    let failed = failure(under("memory-bomb", small));
    assert_eq!((failed.class, failed.code), (FailureClass::LimitExceeded, "memory"));
    assert!(failed.usage.peak_memory_bytes <= 16 << 20, "{}", failed.usage.peak_memory_bytes);
}
