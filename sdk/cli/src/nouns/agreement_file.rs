//! The file behind `sekisho steward agreement record`: one agreement in TOML.

use std::{fs, path::Path};

use prost_types::Timestamp;
use sekisho_proto::v1::{
    Agreement, GrantedTable, JoinedDataset, ProvisionMethod, RecordAgreementRequest, RunQuota,
};
use serde::Deserialize;

use crate::error::CliError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementFile {
    project_name: String,
    organisation_id: String,
    purpose: String,
    handlers: Vec<String>,
    places: Vec<String>,
    dataset_id: String,
    dataset_version: String,
    period_start: jiff::Timestamp,
    period_end: jiff::Timestamp,
    provision_method: Method,
    bring_in: bool,
    take_out: bool,
    min_cell: u32,
    #[serde(default)]
    cohort_floor: u32,
    runs_per_hour: u32,
    #[serde(default)]
    runs_per_day: u32,
    run_quota: Option<QuotaTable>,
    tables: Vec<TableGrant>,
    #[serde(default)]
    joined: Vec<JoinedGrant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinedGrant {
    dataset_id: String,
    dataset_version: String,
    tables: Vec<TableGrant>,
}

/// What one run may take; what is left out is the site's.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QuotaTable {
    rows: u64,
    fuel: u64,
    memory_bytes: u64,
    output_cells: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Visiting,
    Onsite,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableGrant {
    table: String,
    columns: Vec<String>,
    #[serde(default)]
    row_filter: String,
}

/// Reads an agreement; the step-up is left unset.
///
/// # Errors
/// Fails when the file is missing, malformed, or has unknown keys.
pub(crate) fn read(path: &Path) -> Result<RecordAgreementRequest, CliError> {
    let text = fs::read_to_string(path).map_err(CliError::file(path))?;
    let file: AgreementFile = toml::from_str(&text)
        .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
    Ok(request(file))
}

/// Whole seconds; an agreement's period needs no finer grain.
pub(crate) fn timestamp(instant: jiff::Timestamp) -> Timestamp {
    Timestamp { seconds: instant.as_second(), nanos: 0 }
}

fn request(file: AgreementFile) -> RecordAgreementRequest {
    let method = match file.provision_method {
        Method::Visiting => ProvisionMethod::Visiting,
        Method::Onsite => ProvisionMethod::Onsite,
    };
    let joined = file.joined.into_iter().map(|joined| JoinedDataset {
        dataset_id: joined.dataset_id,
        dataset_version: joined.dataset_version,
        tables: granted(joined.tables),
    });
    RecordAgreementRequest {
        project_name: file.project_name,
        agreement: Some(Agreement {
            // The gateway names it.
            agreement_id: String::new(),
            organisation_id: file.organisation_id,
            purpose: file.purpose,
            handlers: file.handlers,
            places: file.places,
            dataset_id: file.dataset_id,
            dataset_version: file.dataset_version,
            tables: granted(file.tables),
            joined: joined.collect(),
            period_start: Some(timestamp(file.period_start)),
            period_end: Some(timestamp(file.period_end)),
            provision_method: method.into(),
            bring_in: file.bring_in,
            take_out: file.take_out,
            min_cell: file.min_cell,
            cohort_floor: file.cohort_floor,
            runs_per_hour: file.runs_per_hour,
            runs_per_day: file.runs_per_day,
            run_quota: file.run_quota.map(quota),
        }),
        step_up: None,
    }
}

fn quota(table: QuotaTable) -> RunQuota {
    let QuotaTable { rows, fuel, memory_bytes, output_cells } = table;
    RunQuota { rows, fuel, memory_bytes, output_cells }
}

fn granted(tables: Vec<TableGrant>) -> Vec<GrantedTable> {
    let table = |grant: TableGrant| GrantedTable {
        table: grant.table,
        columns: grant.columns,
        row_filter: grant.row_filter,
    };
    tables.into_iter().map(table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
project_name = "Lung cancer survival"
organisation_id = "o-1"
purpose = "Survival by sex"
handlers = ["p-1"]
places = ["127.0.0.0/8"]
dataset_id = "lung"
dataset_version = "1"
period_start = "2026-04-01T00:00:00Z"
period_end = "2027-04-01T00:00:00Z"
provision_method = "visiting"
bring_in = true
take_out = true
min_cell = 10
runs_per_hour = 60

[[tables]]
table = "lung"
columns = ["time", "status", "sex"]

[[joined]]
dataset_id = "claims"
dataset_version = "v2"
tables = [{ table = "sy", columns = ["code"] }]
"#;

    #[test]
    fn an_agreement_file_becomes_a_request() {
        let file: AgreementFile = toml::from_str(EXAMPLE).expect("well formed");
        let agreement = request(file).agreement.expect("agreement");
        assert_eq!(agreement.tables[0].columns.len(), 3);
        assert_eq!(agreement.joined[0].tables[0].table, "sy");
        assert_eq!(agreement.period_start.map(|at| at.seconds), Some(1_775_001_600));
        assert_eq!(agreement.provision_method(), ProvisionMethod::Visiting);
        assert_eq!((agreement.runs_per_day, agreement.run_quota), (0, None));
    }

    #[test]
    fn sv_4_quotas_are_read_and_may_be_left_out_one_by_one() {
        let quotas =
            "runs_per_day = 3\n[run_quota]\nrows = 5_000_000_000\noutput_cells = 40\n\n[[tables]]";
        let text = EXAMPLE.replacen("[[tables]]", quotas, 1);
        let file: AgreementFile = toml::from_str(&text).expect("well formed");
        let agreement = request(file).agreement.expect("agreement");
        let quota = RunQuota { rows: 5_000_000_000, output_cells: 40, ..RunQuota::default() };
        assert_eq!((agreement.runs_per_day, agreement.run_quota), (3, Some(quota)));
        let text = EXAMPLE.replacen("[[tables]]", "[run_quota]\nwall = 1\n\n[[tables]]", 1);
        assert!(toml::from_str::<AgreementFile>(&text).is_err());
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused() {
        let text = EXAMPLE.replace("take_out = true", "take_out = true\ntake_away = true");
        assert!(toml::from_str::<AgreementFile>(&text).is_err());
    }
}
