//! Agreements and projects.

use sekisho_app::ErasureProof;
use sekisho_domain::{
    Agreement, AgreementId, GrantedTable, JoinedDataset, Project, ProvisionMethod, RunQuota,
    Timestamp, agreement::Place,
};
use sekisho_proto::v1;

use super::{
    Invalid, Shown, field, invalid,
    time::{stamp, timestamp},
};
use crate::limits::{COLUMNS, LIST, NAME_CHARS};

/// Most datasets beside the first.
const JOINED: usize = 20;
/// Most runs an hour an agreement may speak of.
const RUNS_PER_HOUR: u32 = 10_000;
/// Least memory of a run an agreement may speak of, bytes: no module starts with less.
const MEMORY_BYTES: u64 = 1 << 20;

/// An agreement to be recorded. An id that came along is ignored: the gateway gives one.
pub(crate) fn new_agreement(message: v1::Agreement, now: Timestamp) -> Result<Agreement, Invalid> {
    let purpose = field::comment(message.purpose, "agreement.purpose")?;
    if purpose.trim().is_empty() {
        return Err(invalid("REQUIRED", "agreement.purpose", "must be given (AG-1)"));
    }
    let period_start = timestamp(message.period_start, "agreement.period_start")?;
    let period_end = timestamp(message.period_end, "agreement.period_end")?;
    if period_end <= period_start {
        return Err(invalid("EMPTY_PERIOD", "agreement.period_end", "must be after the start"));
    }
    Ok(Agreement {
        agreement_id: AgreementId::new(now),
        organisation_id: field::id(&message.organisation_id, "agreement.organisation_id")?,
        purpose,
        handlers: field::list(message.handlers, "agreement.handlers", LIST, |text, field| {
            field::id(&text, field)
        })?,
        places: field::list(message.places, "agreement.places", LIST, place)?,
        dataset_id: field::name(message.dataset_id, "agreement.dataset_id")?,
        dataset_version: field::name(message.dataset_version, "agreement.dataset_version")?,
        tables: field::list(message.tables, "agreement.tables", LIST, granted_table)?,
        joined: field::list(message.joined, "agreement.joined", JOINED, joined_dataset)?,
        period_start,
        period_end,
        provision_method: provision_method(message.provision_method)?,
        bring_in: message.bring_in,
        take_out: message.take_out,
        min_cell: between(message.min_cell, 1, u32::MAX, "agreement.min_cell")?,
        cohort_floor: message.cohort_floor,
        runs_per_hour: between(message.runs_per_hour, 1, RUNS_PER_HOUR, "agreement.runs_per_hour")?,
        runs_per_day: message.runs_per_day,
        run_quota: run_quota(message.run_quota.unwrap_or_default())?,
    })
}

fn place(text: String, field: &str) -> Result<Place, Invalid> {
    let text = field::one_line(text, field, NAME_CHARS)?;
    Place::try_from(text).map_err(|error| invalid("MALFORMED_PLACE", field, error.to_string()))
}

fn granted_table(table: v1::GrantedTable, field: &str) -> Result<GrantedTable, Invalid> {
    Ok(GrantedTable {
        table: field::name(table.table, &format!("{field}.table"))?,
        columns: field::list(table.columns, &format!("{field}.columns"), COLUMNS, field::name)?,
        row_filter: field::comment(table.row_filter, &format!("{field}.row_filter"))?,
    })
}

fn joined_dataset(dataset: v1::JoinedDataset, field: &str) -> Result<JoinedDataset, Invalid> {
    Ok(JoinedDataset {
        dataset_id: field::name(dataset.dataset_id, &format!("{field}.dataset_id"))?,
        dataset_version: field::name(dataset.dataset_version, &format!("{field}.dataset_version"))?,
        tables: field::list(dataset.tables, &format!("{field}.tables"), LIST, granted_table)?,
    })
}

fn provision_method(method: i32) -> Result<ProvisionMethod, Invalid> {
    match v1::ProvisionMethod::try_from(method) {
        Ok(v1::ProvisionMethod::Visiting) => Ok(ProvisionMethod::Visiting),
        Ok(v1::ProvisionMethod::Onsite) => Ok(ProvisionMethod::Onsite),
        _ => Err(invalid(
            "UNKNOWN_VALUE",
            "agreement.provision_method",
            "must be visiting or on-site (AG-4)",
        )),
    }
}

fn run_quota(quota: v1::RunQuota) -> Result<RunQuota, Invalid> {
    let v1::RunQuota { rows, fuel, memory_bytes, output_cells } = quota;
    if (1..MEMORY_BYTES).contains(&memory_bytes) {
        let why = format!("must be 0, for the site's limit, or at least {MEMORY_BYTES}");
        return Err(invalid("OUT_OF_RANGE", "agreement.run_quota.memory_bytes", why));
    }
    Ok(RunQuota { rows, fuel, memory_bytes, output_cells })
}

fn between(value: u32, least: u32, most: u32, field: &str) -> Result<u32, Invalid> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(invalid("OUT_OF_RANGE", field, format!("must be {least} to {most}")))
    }
}

impl Shown for Project {
    type Message = v1::Project;

    fn message(self) -> v1::Project {
        v1::Project {
            project_id: self.project_id.to_string(),
            name: self.name,
            agreement: Some(agreement(self.agreement)),
            closure: self.closure.map(|closure| v1::Closure {
                closed_at: Some(stamp(closure.at)),
                closed_by: closure.by.map(|by| by.to_string()).unwrap_or_default(),
                reason: closure.reason,
            }),
        }
    }
}

impl Shown for ErasureProof {
    type Message = v1::GetErasureRecordResponse;

    fn message(self) -> v1::GetErasureRecordResponse {
        v1::GetErasureRecordResponse {
            erasure_json: self.erasure_json.into_bytes(),
            removed: self.removed,
            entry_index: self.entry_index,
            leaf: self.entry,
            hashes: self.inclusion.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            checkpoint: self.checkpoint,
        }
    }
}

fn agreement(agreement: Agreement) -> v1::Agreement {
    let provision_method = match agreement.provision_method {
        ProvisionMethod::Visiting => v1::ProvisionMethod::Visiting,
        ProvisionMethod::Onsite => v1::ProvisionMethod::Onsite,
    };
    let table = |granted: GrantedTable| v1::GrantedTable {
        table: granted.table,
        columns: granted.columns,
        row_filter: granted.row_filter,
    };
    let joined = |joined: JoinedDataset| v1::JoinedDataset {
        dataset_id: joined.dataset_id,
        dataset_version: joined.dataset_version,
        tables: joined.tables.into_iter().map(table).collect(),
    };
    v1::Agreement {
        agreement_id: agreement.agreement_id.to_string(),
        organisation_id: agreement.organisation_id.to_string(),
        purpose: agreement.purpose,
        handlers: agreement.handlers.iter().map(ToString::to_string).collect(),
        places: agreement.places.into_iter().map(String::from).collect(),
        dataset_id: agreement.dataset_id,
        dataset_version: agreement.dataset_version,
        tables: agreement.tables.into_iter().map(table).collect(),
        joined: agreement.joined.into_iter().map(joined).collect(),
        period_start: Some(stamp(agreement.period_start)),
        period_end: Some(stamp(agreement.period_end)),
        provision_method: provision_method.into(),
        bring_in: agreement.bring_in,
        take_out: agreement.take_out,
        min_cell: agreement.min_cell,
        cohort_floor: agreement.cohort_floor,
        runs_per_hour: agreement.runs_per_hour,
        runs_per_day: agreement.runs_per_day,
        run_quota: shown_quota(agreement.run_quota),
    }
}

/// Left out when it narrows nothing.
fn shown_quota(quota: RunQuota) -> Option<v1::RunQuota> {
    let RunQuota { rows, fuel, memory_bytes, output_cells } = quota;
    (!quota.is_unset()).then_some(v1::RunQuota { rows, fuel, memory_bytes, output_cells })
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp as Stamp;
    use sekisho_domain::{OrganisationId, PersonId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn message() -> v1::Agreement {
        v1::Agreement {
            agreement_id: String::new(),
            organisation_id: OrganisationId::new(NOW).to_string(),
            purpose: "Survival by sex".to_owned(),
            handlers: vec![PersonId::new(NOW).to_string()],
            places: vec!["127.0.0.0/8".to_owned()],
            dataset_id: "lung".to_owned(),
            dataset_version: "v1".to_owned(),
            tables: vec![v1::GrantedTable {
                table: "lung".to_owned(),
                columns: vec!["time".to_owned()],
                row_filter: String::new(),
            }],
            period_start: Some(Stamp { seconds: 1, nanos: 0 }),
            period_end: Some(Stamp { seconds: 2, nanos: 0 }),
            provision_method: v1::ProvisionMethod::Visiting.into(),
            bring_in: true,
            take_out: true,
            min_cell: 10,
            cohort_floor: 100,
            runs_per_hour: 20,
            runs_per_day: 100,
            run_quota: Some(v1::RunQuota {
                rows: 1_000_000,
                fuel: 2_000_000,
                memory_bytes: 1 << 20,
                output_cells: 500,
            }),
            joined: vec![v1::JoinedDataset {
                dataset_id: "claims".to_owned(),
                dataset_version: "v2".to_owned(),
                tables: vec![v1::GrantedTable {
                    table: "sy".to_owned(),
                    columns: vec!["code".to_owned()],
                    row_filter: String::new(),
                }],
            }],
        }
    }

    #[test]
    fn a_whole_agreement_is_parsed() {
        let parsed = new_agreement(message(), NOW).unwrap();
        assert_eq!(parsed.tables[0].columns, ["time"]);
        assert_eq!(parsed.joined[0].tables[0].columns, ["code"]);
        assert_eq!(parsed.period_end, Timestamp::from_millis(2000));
        let shown = agreement(parsed);
        assert_eq!((shown.runs_per_day, shown.run_quota), (100, message().run_quota));
    }

    #[test]
    fn sv_4_quotas_may_be_left_out() {
        let bare = v1::Agreement { runs_per_day: 0, run_quota: None, ..message() };
        let parsed = new_agreement(bare, NOW).unwrap();
        assert!(parsed.run_quota.is_unset());
        assert_eq!(agreement(parsed).run_quota, None);
    }

    #[test]
    fn ag_4_a_medium_in_hand_cannot_be_agreed() {
        for method in [0, 3, 99] {
            let refused =
                new_agreement(v1::Agreement { provision_method: method, ..message() }, NOW);
            assert_eq!(refused.unwrap_err().code, "UNKNOWN_VALUE");
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let table = |columns: Vec<String>| v1::GrantedTable {
            table: "lung".to_owned(),
            columns,
            row_filter: String::new(),
        };
        let start = || Some(Stamp { seconds: 1, nanos: 0 });
        for (bad, code, field) in [
            (v1::Agreement { purpose: " ".into(), ..message() }, "REQUIRED", "agreement.purpose"),
            (
                v1::Agreement { handlers: vec!["x".into()], ..message() },
                "MALFORMED_ID",
                "agreement.handlers[0]",
            ),
            (
                v1::Agreement { places: vec!["home".into()], ..message() },
                "MALFORMED_PLACE",
                "agreement.places[0]",
            ),
            (
                v1::Agreement { tables: vec![table(vec![String::new()])], ..message() },
                "REQUIRED",
                "agreement.tables[0].columns[0]",
            ),
            (
                v1::Agreement { tables: vec![table(vec!["c".into(); 2001])], ..message() },
                "TOO_MANY",
                "agreement.tables[0].columns",
            ),
            (v1::Agreement { min_cell: 0, ..message() }, "OUT_OF_RANGE", "agreement.min_cell"),
            (
                v1::Agreement {
                    run_quota: Some(v1::RunQuota { memory_bytes: 1000, ..Default::default() }),
                    ..message()
                },
                "OUT_OF_RANGE",
                "agreement.run_quota.memory_bytes",
            ),
            (
                v1::Agreement { period_end: start(), ..message() },
                "EMPTY_PERIOD",
                "agreement.period_end",
            ),
            (
                v1::Agreement { period_start: None, ..message() },
                "REQUIRED",
                "agreement.period_start",
            ),
        ] {
            let refused = new_agreement(bad, NOW).unwrap_err();
            assert_eq!((refused.code, refused.field.as_str()), (code, field));
        }
    }
}
