//! Identifiers are codes of the project's own.

use std::sync::Arc;

use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::cell::Value;
use sekisho_vault::Key;

use crate::support::{Job, failure, job, report, table, visits};

/// A job over visits whose site stands for an identifier, in one of several projects.
fn of_project(module: &str, project: u8) -> Job {
    let data = Arc::new(visits(300).tokens("visits", "site"));
    Job { data, order_key: Key::danger_from_bytes(&[project; 32]).unwrap(), ..job(module) }
}

/// Labels and counts of patients by site.
fn by_site(job: Job) -> Vec<(String, i64)> {
    let rows = table(&report(job).outputs[0]).into_iter();
    let rows = rows.map(|row| match row.as_slice() {
        [Value::Label(site), Value::Count(patients), ..] => (site.clone(), *patients),
        other => panic!("{other:?}"),
    });
    rows.collect()
}

#[test]
fn an_identifier_is_another_text_in_every_project() {
    let mut seen = vec!["east".to_owned(), "west".to_owned()];
    for project in 1..6 {
        let sites = by_site(of_project("by-site", project));
        assert_eq!(sites, by_site(of_project("columns", project)), "for every module of it");
        let mut counts: Vec<_> = sites.iter().map(|(_, patients)| *patients).collect();
        counts.sort_unstable();
        assert_eq!(counts, [100, 200], "rows keep their codes");
        for (site, _) in sites {
            assert!(!seen.contains(&site), "{site}");
            seen.push(site);
        }
    }
}

#[test]
fn a_row_filter_names_no_identifier() {
    let mut job = of_project("by-site", 1);
    job.view[0].row_filter = "site <> 'west'".to_owned();
    let failed = failure(job);
    assert_eq!((failed.class, failed.code), (FailureClass::Environment, "row_filter"));
}

#[test]
fn invariant_9_of_identifiers_too_only_those_of_the_view_reach_a_guest() {
    let mut job = of_project("by-site", 1);
    job.view[0].row_filter = "weight < 0".to_owned();
    assert_eq!(by_site(job), []);
}
