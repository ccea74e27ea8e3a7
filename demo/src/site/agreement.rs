//! Agreements as a steward writes them: the TOML of `sekisho steward agreement record`.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Staff, StageName};

/// An agreement of University A, to be varied before it is written.
#[derive(Debug, Clone, Serialize)]
pub struct AgreementFile {
    /// Name of the project it opens.
    pub project_name: String,
    /// Organisation id.
    pub organisation_id: String,
    /// 利用目的.
    pub purpose: String,
    /// Person ids.
    pub handlers: Vec<String>,
    /// Addresses or prefixes.
    pub places: Vec<String>,
    /// Data set id.
    pub dataset_id: String,
    /// Version.
    pub dataset_version: String,
    /// Start of the period.
    pub period_start: Timestamp,
    /// End of the period, exclusive.
    pub period_end: Timestamp,
    /// `visiting` or `onsite`.
    pub provision_method: String,
    /// Whether modules may be brought in.
    pub bring_in: bool,
    /// Whether results may leave after review.
    pub take_out: bool,
    /// Minimum cell, distinct patients.
    pub min_cell: u32,
    /// Patients below which a run leaves no output.
    pub cohort_floor: u32,
    /// Runs of one person in an hour.
    pub runs_per_hour: u32,
    /// Runs of the project on a day in Japan; 0 for no limit.
    pub runs_per_day: u32,
    /// Limits of one run.
    pub run_quota: QuotaTable,
    /// Granted tables.
    pub tables: Vec<TableGrant>,
    /// Further datasets.
    pub joined: Vec<JoinedGrant>,
}

/// Limits of one run; 0 leaves the site's.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QuotaTable {
    /// Rows given to the module.
    pub rows: u64,
    /// Fuel.
    pub fuel: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// Cells of all outputs.
    pub output_cells: u32,
}

/// Another dataset of the view.
#[derive(Debug, Clone, Serialize)]
pub struct JoinedGrant {
    /// Data set id.
    pub dataset_id: String,
    /// Version.
    pub dataset_version: String,
    /// Granted tables.
    pub tables: Vec<TableGrant>,
}

/// A table of the view.
#[derive(Debug, Clone, Serialize)]
pub struct TableGrant {
    /// Name.
    pub table: String,
    /// Columns.
    pub columns: Vec<String>,
    /// SQL predicate; empty for all rows.
    pub row_filter: String,
}

impl AgreementFile {
    /// One year from a minute ago, the researcher alone, from this machine, with these
    /// columns of version `v1`.
    #[must_use]
    pub fn new(project: &str, dataset: &str, staff: &Staff, tables: &[(&str, &[&str])]) -> Self {
        let now = Timestamp::now();
        let grant = |(table, columns): &(&str, &[&str])| TableGrant {
            table: (*table).to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            row_filter: String::new(),
        };
        Self {
            project_name: project.to_owned(),
            organisation_id: staff.university.clone(),
            purpose: format!("Research: {project}"),
            handlers: vec![staff.id(StageName::Researcher).to_owned()],
            places: vec!["127.0.0.0/8".to_owned()],
            dataset_id: dataset.to_owned(),
            dataset_version: "v1".to_owned(),
            period_start: now - SignedDuration::from_mins(1),
            period_end: now + SignedDuration::from_hours(24 * 365),
            provision_method: "visiting".to_owned(),
            bring_in: true,
            take_out: true,
            min_cell: 10,
            cohort_floor: 0,
            runs_per_hour: 60,
            runs_per_day: 0,
            run_quota: QuotaTable::default(),
            tables: tables.iter().map(grant).collect(),
            joined: vec![],
        }
    }

    /// The view that the example `km-by-sex` needs.
    #[must_use]
    pub fn for_lung(staff: &Staff) -> Self {
        Self::new("Lung cancer survival", "lung", staff, &[("lung", &["time", "status", "sex"])])
    }

    /// The view that the example `cox-mortality` needs.
    #[must_use]
    pub fn for_mortality(staff: &Staff) -> Self {
        let columns = &["time", "status", "age", "sex", "ph_ecog"];
        Self::new("Mortality by performance status", "lung", staff, &[("lung", columns)])
    }

    /// The view that the example `crosstab` needs.
    #[must_use]
    pub fn for_ehr(staff: &Staff) -> Self {
        let tables: [(&str, &[&str]); 3] = [
            ("patients", &["patient", "birth_year", "sex"]),
            ("conditions", &["patient", "code"]),
            ("labs", &["patient", "item", "value"]),
        ];
        Self::new("Conditions by age and sex", "ehr", staff, &tables)
    }

    /// The file's text.
    ///
    /// # Errors
    /// None in practice: every field has a TOML form.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}
