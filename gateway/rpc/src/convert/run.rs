//! Runs, their parameters, and what workers report of them.

use sekisho_domain::{FailureClass, Run, RunState, dataset::DatasetVersion};
use sekisho_proto::v1;
use uuid::Uuid;

use super::{Invalid, Shown, bring_in::pinned, field, invalid, time::stamp};
use crate::limits::NAME_CHARS;

/// Most parameters of one run.
const PARAMETERS: usize = 100;

/// Parameters, each with a name of its own and a value.
pub(crate) fn parameters(parameters: Vec<v1::Parameter>) -> Result<Vec<v1::Parameter>, Invalid> {
    let parsed = field::list(parameters, "parameters", PARAMETERS, parameter)?;
    for (index, parameter) in parsed.iter().enumerate() {
        if parsed.iter().take(index).any(|earlier| earlier.name == parameter.name) {
            return Err(invalid("REPEATED", format!("parameters[{index}].name"), "given twice"));
        }
    }
    Ok(parsed)
}

fn parameter(parameter: v1::Parameter, field: &str) -> Result<v1::Parameter, Invalid> {
    use v1::parameter::Value;
    let name = field::name(parameter.name, &format!("{field}.name"))?;
    let value = match field::required(parameter.value, &format!("{field}.value"))? {
        Value::Number(number) if !number.is_finite() => {
            return Err(invalid("NOT_FINITE", format!("{field}.number"), "must be finite"));
        }
        Value::Text(text) => Value::Text(field::comment(text, &format!("{field}.text"))?),
        value => value,
    };
    Ok(v1::Parameter { name, value: Some(value) })
}

/// The client's own key of a request, so that a retry finds the first run.
pub(crate) fn request_key(text: &str) -> Result<Option<String>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    match Uuid::try_parse(text) {
        Ok(uuid) => Ok(Some(uuid.to_string())),
        Err(_) => Err(invalid("MALFORMED_ID", "request_id", "must be a UUID")),
    }
}

/// A state a worker may report with a heartbeat.
pub(crate) fn held_state(state: i32) -> Result<RunState, Invalid> {
    match v1::RunState::try_from(state) {
        Ok(v1::RunState::Leased) => Ok(RunState::Leased),
        Ok(v1::RunState::Running) => Ok(RunState::Running),
        Ok(v1::RunState::Sealing) => Ok(RunState::Sealing),
        _ => Err(invalid("UNKNOWN_VALUE", "state", "must be leased, running or sealing")),
    }
}

/// Why a run failed.
pub(crate) fn failure_class(class: i32) -> Result<FailureClass, Invalid> {
    match v1::FailureClass::try_from(class) {
        Ok(v1::FailureClass::ModuleError) => Ok(FailureClass::ModuleError),
        Ok(v1::FailureClass::LimitExceeded) => Ok(FailureClass::LimitExceeded),
        Ok(v1::FailureClass::ContractViolation) => Ok(FailureClass::ContractViolation),
        Ok(v1::FailureClass::Environment) => Ok(FailureClass::Environment),
        _ => Err(invalid("UNKNOWN_VALUE", "failure_class", "not a class of failures")),
    }
}

/// What a run used; nothing when the worker does not say.
pub(crate) fn usage(usage: Option<v1::RunUsage>) -> Result<v1::RunUsage, Invalid> {
    let usage = usage.unwrap_or_default();
    let jail = field::one_line(usage.jail, "usage.jail", NAME_CHARS)?;
    Ok(v1::RunUsage { jail, ..usage })
}

impl Shown for Run {
    type Message = v1::Run;

    fn message(self) -> v1::Run {
        v1::Run {
            run_id: self.run_id.to_string(),
            project_id: self.project_id.to_string(),
            module_id: self.module_id.to_string(),
            requested_by: self.requested_by.to_string(),
            state: state(self.state).into(),
            failure_class: self.failure_class.map_or(v1::FailureClass::Unspecified, class).into(),
            progress_tenths: self.progress_tenths.min(10),
            created_at: Some(stamp(self.created_at)),
            ended_at: self.ended_at.map(|at| stamp(at.to_the_minute())),
            dataset_id: self.dataset_id,
            dataset_version: self.dataset_version,
            output_count: self.output_count,
            joined: self.joined.into_iter().map(dataset_version).collect(),
            bring_ins: self.bring_ins.into_iter().map(pinned).collect(),
            end_cause: self.end_cause.map(|cause| cause.code().to_owned()).unwrap_or_default(),
        }
    }
}

fn dataset_version(version: DatasetVersion) -> v1::DatasetVersion {
    v1::DatasetVersion { dataset_id: version.dataset_id, version: version.version }
}

fn state(state: RunState) -> v1::RunState {
    match state {
        RunState::Queued => v1::RunState::Queued,
        RunState::Leased => v1::RunState::Leased,
        RunState::Running => v1::RunState::Running,
        RunState::Sealing => v1::RunState::Sealing,
        RunState::Succeeded => v1::RunState::Succeeded,
        RunState::Failed => v1::RunState::Failed,
        RunState::Cancelled => v1::RunState::Cancelled,
    }
}

fn class(class: FailureClass) -> v1::FailureClass {
    match class {
        FailureClass::ModuleError => v1::FailureClass::ModuleError,
        FailureClass::LimitExceeded => v1::FailureClass::LimitExceeded,
        FailureClass::ContractViolation => v1::FailureClass::ContractViolation,
        FailureClass::Environment => v1::FailureClass::Environment,
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::{ModuleId, PersonId, ProjectId, RunId, Timestamp};
    use v1::parameter::Value;

    use super::*;

    fn given(name: &str, value: Option<Value>) -> v1::Parameter {
        v1::Parameter { name: name.to_owned(), value }
    }

    #[test]
    fn parameters_are_named_once_valued_and_finite() {
        let good = vec![given("a", Some(Value::Flag(true))), given("b", Some(Value::Integer(1)))];
        assert_eq!(parameters(good.clone()), Ok(good));
        for (bad, code) in [
            (vec![given("a", None)], "REQUIRED"),
            (vec![given("", Some(Value::Flag(true)))], "REQUIRED"),
            (vec![given("a", Some(Value::Number(f64::NAN)))], "NOT_FINITE"),
            (vec![given("a", Some(Value::Text("x".repeat(5000))))], "TOO_LONG"),
            (vec![given("a", Some(Value::Flag(true))); 2], "REPEATED"),
            (vec![given("a", Some(Value::Flag(true))); 101], "TOO_MANY"),
        ] {
            assert_eq!(parameters(bad).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_request_key_is_a_uuid_in_one_spelling() {
        let uuid = "018F3C4E-5B6A-7C8D-9E0F-A1B2C3D4E5F6";
        assert_eq!(request_key(uuid).unwrap().unwrap(), uuid.to_lowercase());
        assert_eq!(request_key(""), Ok(None));
        assert_eq!(request_key("again").unwrap_err().code, "MALFORMED_ID");
    }

    #[test]
    fn workers_report_only_what_they_can_know() {
        assert_eq!(held_state(v1::RunState::Running.into()), Ok(RunState::Running));
        for bad in [0, v1::RunState::Queued.into(), v1::RunState::Succeeded.into(), 99] {
            assert_eq!(held_state(bad).unwrap_err().code, "UNKNOWN_VALUE");
        }
        assert_eq!(failure_class(0).unwrap_err().code, "UNKNOWN_VALUE");
        let forged = v1::RunUsage { jail: "a\nb".to_owned(), ..Default::default() };
        assert_eq!(usage(Some(forged)).unwrap_err().code, "CONTROL_CHARACTER");
    }

    #[test]
    fn a_run_shows_its_end_only_to_the_minute() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let run = Run {
            run_id: RunId::new(now),
            project_id: ProjectId::new(now),
            module_id: ModuleId::new(now),
            requested_by: PersonId::new(now),
            state: RunState::Failed,
            failure_class: Some(FailureClass::ModuleError),
            progress_tenths: 11,
            created_at: now,
            ended_at: Some(now.plus_seconds(7)),
            dataset_id: "lung".to_owned(),
            dataset_version: "v1".to_owned(),
            joined: vec![DatasetVersion {
                dataset_id: "claims".to_owned(),
                version: "v2".to_owned(),
            }],
            bring_ins: vec![],
            end_cause: None,
            parameters_sha256: String::new(),
            output_count: 0,
            decision_index: 3,
            attempts: 1,
            lease: None,
        };
        let shown = run.message();
        assert_eq!(shown.joined[0].dataset_id, "claims");
        assert_eq!(shown.ended_at.unwrap().seconds % 60, 0);
        assert!(shown.ended_at.unwrap().seconds >= now.plus_seconds(7).seconds());
        assert_eq!(shown.progress_tenths, 10);
        assert_eq!(shown.failure_class(), v1::FailureClass::ModuleError);
    }
}
