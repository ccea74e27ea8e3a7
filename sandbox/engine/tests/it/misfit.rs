//! Jobs that do not fit together.

use sekisho_proto::v1;
use sekisho_proto::v1::FailureClass;

use crate::support::{Job, failure, guest, job, parameter};

fn refused(job: Job) -> &'static str {
    let failed = failure(job);
    assert_eq!(failed.class, FailureClass::ContractViolation);
    assert!(failed.developer.is_none());
    failed.code
}

#[test]
fn a_manifest_of_the_other_world_is_refused() {
    let mut job = job("trivial");
    job.component = guest("columns").0;
    assert_eq!(refused(job), "import_not_allowed");
    let mut job = crate::support::job("columns");
    job.component = guest("trivial").0;
    assert_eq!(refused(job), "export_missing");
}

#[test]
fn a_broken_manifest_is_refused() {
    let mut job = job("trivial");
    job.manifest.push_str("surprise = 1\n");
    assert_eq!(refused(job), "manifest");
}

#[test]
fn parameters_outside_their_declaration_are_refused() {
    let mut job = job("oversized-output");
    job.parameters = vec![parameter("rows", v1::parameter::Value::Integer(0))];
    assert_eq!(refused(job), "parameters");
}

#[test]
fn more_memory_than_a_patient_may_have_is_refused_not_counted_as_failing_patients() {
    let mut job = job("trivial");
    job.limits.memory_bytes = 65_536;
    assert_eq!(refused(job), "component");
}

#[test]
fn an_output_that_is_never_emitted_ends_the_run() {
    let mut job = job("columns");
    let (component, manifest) = guest("oversized-output");
    job.component = component;
    let extra = "\n[[outputs]]\nname = \"more\"\ntitle = \"More\"\nkind = \"text\"\n";
    job.manifest = manifest + extra;
    job.parameters = vec![parameter("rows", v1::parameter::Value::Integer(1))];
    assert_eq!(refused(job), "output_missing");
}
