//! A run reads its view and nothing else.

use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::cell::Value;

use crate::support::{failure, grant, job, report, table};

#[test]
fn invariant_9_a_column_that_is_not_granted_ends_the_run_before_the_guest_starts() {
    let mut job = job("columns");
    job.view = vec![grant("visits", &["site"])];
    let failed = failure(job);
    assert_eq!((failed.class, failed.code), (FailureClass::ContractViolation, "not_granted"));
    assert_eq!(failed.usage.rows_read, 0);
}

#[test]
fn invariant_9_a_table_that_is_not_granted_ends_the_run() {
    let mut job = job("trivial");
    job.view = vec![grant("other", &["site"])];
    assert_eq!(failure(job).code, "not_granted");
}

#[test]
fn a_row_filter_compares_codes_as_text() {
    for (filter, patients) in [
        ("site = 'west'", 100),
        ("site <> 'west'", 200),
        ("site IN ('east', 'north')", 200),
        ("site LIKE 'w%'", 100),
        ("weight IS NOT NULL AND weight < 0", 0),
        ("NOT (site = 'west')", 200),
    ] {
        let mut job = job("trivial");
        job.view[0].row_filter = filter.to_owned();
        assert_eq!(table(&report(job).outputs[0]), [[Value::Count(patients)]], "{filter}");
    }
}

#[test]
fn invariant_9_a_code_that_only_rows_outside_the_view_have_reaches_no_guest() {
    for (filter, sites) in [
        ("site = 'west'", &["west"][..]),
        ("weight < 0", &[]),
        ("", &["east", "west"]),
        ("weight IS NULL OR weight >= 0", &["east", "west"]),
    ] {
        for module in ["columns", "by-site"] {
            let mut job = job(module);
            job.view[0].row_filter = filter.to_owned();
            // Both give a row for each code of the dictionary that they are shown.
            let rows = table(&report(job).outputs[0]);
            let labels: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
            let sites: Vec<_> = sites.iter().map(|site| Value::Label(site.to_string())).collect();
            assert_eq!(labels, sites, "{module} {filter}");
            let patients = rows.iter().find(|row| row[0] == Value::Label("west".to_owned()));
            assert!(patients.is_none_or(|row| row[1] == Value::Count(100)), "{module} {filter}");
        }
    }
}

#[test]
fn a_row_filter_may_use_a_granted_column_that_the_module_does_not_declare() {
    let mut job = job("trivial");
    job.manifest = job.manifest.replace("    { name = \"weight\", kind = \"float\" },\n", "");
    job.view[0].row_filter = "weight >= 0".to_owned();
    let Value::Count(patients) = table(&report(job).outputs[0])[0][0] else { panic!() };
    assert!(patients > 200 && patients < 300, "{patients}");
}

#[test]
fn a_row_filter_that_says_more_than_a_comparison_ends_the_run() {
    for filter in [
        "height > 3",
        "site = (SELECT site FROM visits)",
        "weight + 1",
        "random() > 0.5",
        "site = 'west'; DROP TABLE visits",
        "\"$patient\" = 0",
        "EXISTS (SELECT 1)",
    ] {
        let mut job = job("trivial");
        job.view[0].row_filter = filter.to_owned();
        let failed = failure(job);
        assert_eq!(
            (failed.class, failed.code),
            (FailureClass::Environment, "row_filter"),
            "{filter}"
        );
    }
}

#[test]
fn a_column_of_another_kind_than_declared_ends_the_run() {
    let mut job = job("trivial");
    job.manifest = job.manifest.replace("kind = \"float\"", "kind = \"int\"");
    assert_eq!(failure(job).code, "column_kind");
}

#[test]
fn ag_3_a_view_of_fewer_patients_than_agreed_leaves_no_output() {
    for (module, floor, fails) in
        [("trivial", 100, false), ("trivial", 101, true), ("columns", 101, true)]
    {
        let mut job = job(module);
        job.view[0].row_filter = "site = 'west'".to_owned();
        job.limits.cohort_floor = floor;
        if fails {
            let failed = failure(job);
            assert_eq!((failed.class, failed.code), (FailureClass::LimitExceeded, "cohort_floor"));
        } else {
            assert_eq!(table(&report(job).outputs[0]), [[Value::Count(100)]]);
        }
    }
}
