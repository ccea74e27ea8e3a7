//! Each hostile guest that a compiler made (`sandbox/guests`), and what stops it. Those written
//! by hand: `corpus.rs`.

use std::time::Instant;

use sekisho_engine::RunFailure;
use sekisho_proto::v1;
use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::cell::Value;

use crate::support::{Job, failure, job, parameter, report, table};

fn stopped(job: Job) -> (FailureClass, &'static str) {
    let RunFailure { class, code, .. } = failure(job);
    (class, code)
}

#[test]
fn infinite_loop_is_stopped_by_fuel() {
    let mut job = job("infinite-loop");
    job.limits.fuel = 50_000_000;
    assert_eq!(stopped(job), (FailureClass::LimitExceeded, "fuel"));
}

#[test]
fn infinite_loop_is_stopped_by_the_deadline() {
    let mut job = job("infinite-loop");
    job.limits.wall_seconds = 1;
    let started = Instant::now();
    assert_eq!(stopped(job), (FailureClass::LimitExceeded, "wall_time"));
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn memory_bomb_is_stopped_by_the_memory_limit() {
    let mut job = job("memory-bomb");
    job.limits.memory_bytes = 64 << 20;
    let failed = failure(job);
    assert_eq!((failed.class, failed.code), (FailureClass::LimitExceeded, "memory"));
    let peak = failed.usage.peak_memory_bytes;
    assert!(peak > 32 << 20 && peak <= 64 << 20, "{peak}");
}

#[test]
fn deep_recursion_is_stopped_by_the_stack_limit() {
    assert_eq!(stopped(job("deep-recursion")), (FailureClass::LimitExceeded, "stack"));
}

#[test]
fn trap_ends_the_run_as_a_module_error() {
    assert_eq!(stopped(job("trap")), (FailureClass::ModuleError, "trap"));
}

#[test]
fn wasi_import_is_stopped_before_anything_runs() {
    let refused = stopped(job("wasi-import"));
    assert_eq!(refused, (FailureClass::ContractViolation, "import_not_allowed"));
}

#[test]
fn oversized_output_is_stopped_by_cells_or_by_bytes() {
    let rows = |rows| {
        let mut job = job("oversized-output");
        job.parameters = vec![parameter("rows", v1::parameter::Value::Integer(rows))];
        job.limits.output_bytes = 4 << 20;
        job.limits.output_cells = 20_000;
        job
    };
    assert_eq!(stopped(rows(20_000)), (FailureClass::LimitExceeded, "output_cells"));
    assert_eq!(stopped(rows(5_000_000)), (FailureClass::LimitExceeded, "output_bytes"));
    let mut few_bytes = job("columns");
    few_bytes.limits.output_bytes = 100;
    let refused = stopped(few_bytes);
    assert_eq!(refused, (FailureClass::LimitExceeded, "output_bytes"));
}

#[test]
fn keys_given_twice_and_counts_of_more_than_was_read_are_refused() {
    let rows = |rows| {
        let mut job = job("oversized-output");
        job.parameters = vec![parameter("rows", v1::parameter::Value::Integer(rows))];
        stopped(job)
    };
    assert_eq!(rows(2), (FailureClass::ContractViolation, "key_twice"));
    // It has read nothing, and counts one patient.
    assert_eq!(rows(1), (FailureClass::ContractViolation, "count_above_view"));
}

#[test]
fn invariant_10_error_text_with_data_stays_inside_unless_the_data_is_dummy() {
    let failed = failure(job("error-text-with-data"));
    assert_eq!((failed.class, failed.code), (FailureClass::ModuleError, "guest_error"));
    assert!(failed.developer.is_none());
    assert!(!format!("{failed} {failed:?}").contains("east"));

    let mut dummy = job("error-text-with-data");
    dummy.dummy = true;
    let seen = failure(dummy).developer.unwrap();
    assert!(seen.messages[0].contains("east"));
}

/// A run in which patients of the west misbehave.
fn with_behaviour(behaviour: &str) -> Job {
    let mut job = job("misbehaving-patient");
    job.parameters = vec![parameter("behaviour", v1::parameter::Value::Text(behaviour.to_owned()))];
    job.limits.fuel = 2_000_000;
    job
}

#[test]
fn the_figures_of_a_run_tell_nothing_of_a_patients_failure() {
    let figures = |behaviour| {
        let usage = report(with_behaviour(behaviour)).usage;
        v1::RunUsage { wall_millis: 0, ..usage }
    };
    let good = figures("none");
    assert_eq!((good.patients, good.fuel_used), (300, 300 * 2_000_000));
    for behaviour in ["infinite_loop", "memory_bomb", "deep_recursion", "trap", "huge_answer"] {
        assert_eq!(figures(behaviour), good, "{behaviour}");
    }
}

/// Patients of the west misbehave; what the host counts for east, west and weight.
fn misbehaving(behaviour: &str, dummy: bool) -> (Value, Value, Value, u64) {
    let report = report(Job { dummy, ..with_behaviour(behaviour) });
    let sites = table(&report.outputs[0]);
    let weight = table(&report.outputs[1]);
    let failed = report.developer.map_or(0, |d| d.failed_patients);
    (sites[0][1].clone(), sites[1][1].clone(), weight[0][0].clone(), failed)
}

#[test]
fn one_patients_failure_is_that_patients_alone() {
    let weighed = misbehaving("none", false).2;
    for behaviour in [
        "infinite_loop",
        "memory_bomb",
        "deep_recursion",
        "trap",
        "unknown_output",
        "unknown_key",
        "missing_key",
        "extra_value",
        "too_many",
        "huge_answer",
    ] {
        let (east, west, weight, failed) = misbehaving(behaviour, true);
        assert_eq!((east, west), (Value::Count(200), Value::Count(0)), "{behaviour}");
        assert_eq!(weight, weighed, "{behaviour}");
        assert_eq!(failed, 100, "{behaviour}");
    }
}

#[test]
fn a_value_outside_the_range_is_clamped_and_one_that_is_no_number_is_missing() {
    let Value::Count(weighed) = misbehaving("none", false).2 else { panic!() };
    let (_, _, weight, failed) = misbehaving("outside_range", true);
    assert_eq!((weight, failed), (Value::Count(weighed + 100), 0));
    let (_, _, weight, failed) = misbehaving("not_a_number", true);
    assert_eq!((weight, failed), (Value::Count(weighed), 0));
}

#[test]
fn nothing_is_remembered_from_one_patient_to_the_next() {
    let mut job = job("misbehaving-patient");
    let behaviour = v1::parameter::Value::Text("remember".to_owned());
    job.parameters = vec![parameter("behaviour", behaviour)];
    // Only the west, so that the sum is that of the counters.
    job.view[0].row_filter = "site = 'west'".to_owned();
    let row = table(&report(job).outputs[1]).remove(0);
    assert_eq!((&row[0], &row[1]), (&Value::Count(100), &Value::Number(0.0)));
}

#[test]
fn a_default_contribution_stands_in_for_a_patient_whose_call_failed() {
    let mut job = job("misbehaving-patient");
    let behaviour = v1::parameter::Value::Text("trap".to_owned());
    job.parameters = vec![parameter("behaviour", behaviour)];
    job.manifest = job.manifest.replace(
        "title = \"Patients by site\"\nkind = \"count\"",
        "title = \"Patients by site\"\nkind = \"count\"\ndefault = { keys = [1] }",
    );
    let sites = table(&report(job).outputs[0]);
    assert_eq!(sites[1][1], Value::Count(100));
}
