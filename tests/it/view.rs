//! What a project's runs see is the view of its agreement: granted rows, and enough patients.

use std::time::Duration;

use sekisho_demo::site::{AgreementFile, Site, Staff};
use serde_json::Value;

use crate::support::desk::{self, example, list};

/// Survival by sex of the patients that a row filter leaves.
fn project(site: &Site, staff: &Staff, row_filter: &str, cohort_floor: u32) -> (String, String) {
    let mut agreement = AgreementFile { cohort_floor, ..AgreementFile::for_lung(staff) };
    agreement.tables[0].row_filter = row_filter.to_owned();
    let project = desk::open_project(site, &agreement);
    let module = desk::bring_in(site, &example("km-by-sex"), &project);
    (project, module)
}

#[test]
fn ag_3_a_run_reads_only_the_rows_that_the_agreement_grants() {
    let (site, staff) = Site::staffed().unwrap();
    for (row_filter, patients) in [("", [138, 90]), ("sex = '2'", [0, 90])] {
        let (project, module) = project(&site, &staff, row_filter, 0);
        let run = desk::succeeded(&site, &project, &module, &[]);
        desk::ask_release(&site, &run);
        let by_sex = &desk::checked_outputs(&site, &run)[0];
        let counted = list(&by_sex["evidence"]["cell_patients"]).iter();
        let counted: Vec<_> = counted.map(desk::number).collect();
        assert_eq!(counted, patients, "{row_filter}");
    }
}

#[test]
fn ag_3_a_run_over_fewer_patients_than_agreed_leaves_no_output() {
    let (site, staff) = Site::staffed().unwrap();
    let (project, module) = project(&site, &staff, "sex = '2'", 91);
    let run = desk::start(&site, &project, &module, &[]);
    let ended = desk::finished(&site, &run, Duration::from_secs(120));
    assert_eq!(ended["failure_class"], "FAILURE_CLASS_LIMIT_EXCEEDED", "{ended}");
}

#[test]
fn ag_3_an_agreement_with_a_filter_that_cannot_be_kept_is_not_recorded() {
    let (site, staff) = Site::staffed().unwrap();
    for row_filter in ["age > 3", "random() > 0.5", "sex = '2'; SELECT 1"] {
        let mut agreement = AgreementFile::for_lung(&staff);
        agreement.tables[0].row_filter = row_filter.to_owned();
        assert_eq!(desk::not_recorded(&site, &agreement), "AGREEMENT_INVALID", "{row_filter}");
    }
    let projects = site.person(desk::RESEARCHER).args(["project", "list"]).json().unwrap();
    assert_eq!(projects, Value::Array(vec![]));
}

#[test]
fn an_agreement_asks_for_no_smaller_cell_than_its_data() {
    let (site, staff) = Site::staffed().unwrap();
    let agreement = AgreementFile { min_cell: 9, ..AgreementFile::for_lung(&staff) };
    assert_eq!(desk::not_recorded(&site, &agreement), "AGREEMENT_INVALID");
}
