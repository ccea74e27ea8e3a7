//! Modules and what a static look at them found.

use sekisho_domain::{Module, ModuleState, World};
use sekisho_proto::v1;
use serde_json::Value;

use super::{Shown, time::stamp};

/// A module and the report that was stored with it.
impl Shown for Module {
    type Message = (v1::Module, Option<v1::ModuleReport>);

    fn message(self) -> Self::Message {
        let report = report(&self.report_json);
        let message = v1::Module {
            module_id: self.module_id.to_string(),
            project_id: self.project_id.to_string(),
            name: self.name,
            world: world(self.world).into(),
            state: state(self.state).into(),
            sha256: self.sha256,
            manifest_sha256: self.manifest_sha256,
            size_bytes: self.size_bytes,
            submitted_by: self.submitted_by.to_string(),
            submitted_at: Some(stamp(self.submitted_at)),
            decided_by: self.decided_by.map(|id| id.to_string()).unwrap_or_default(),
            decision_comment: self.decision_comment,
        };
        (message, report)
    }
}

fn world(world: World) -> v1::World {
    match world {
        World::PerPatient => v1::World::PerPatient,
        World::Cohort => v1::World::Cohort,
        World::Rounds => v1::World::Rounds,
    }
}

fn state(state: ModuleState) -> v1::ModuleState {
    match state {
        ModuleState::InReview => v1::ModuleState::InReview,
        ModuleState::Approved => v1::ModuleState::Approved,
        ModuleState::Refused => v1::ModuleState::Refused,
        ModuleState::Retired => v1::ModuleState::Retired,
    }
}

/// The stored report; `None` when it cannot be read, which a reviewer then sees.
fn report(json: &str) -> Option<v1::ModuleReport> {
    let value: Value = serde_json::from_str(json).ok()?;
    let texts = |key: &str| -> Option<Vec<String>> {
        let items = value.get(key)?.as_array()?;
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let finding = |item: &Value| {
        let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(v1::ModuleFinding { code: text("code")?, message: text("message")? })
    };
    Some(v1::ModuleReport {
        imports: texts("imports")?,
        exports: texts("exports")?,
        functions: u32::try_from(number("functions")?).unwrap_or(u32::MAX),
        data_bytes: number("data_bytes")?,
        initial_memory_bytes: number("initial_memory_bytes")?,
        findings: value.get("findings")?.as_array()?.iter().map(finding).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_report_is_read_and_a_damaged_one_is_absent() {
        let json = r#"{"imports":["sekisho:analysis/types@0.1.0"],"exports":["run"],
            "functions":12,"data_bytes":5,"initial_memory_bytes":65536,
            "findings":[{"code":"start_function","message":"runs at start"}]}"#;
        let read = report(json).unwrap();
        assert_eq!((read.functions, read.initial_memory_bytes), (12, 65_536));
        assert_eq!(read.findings[0].code, "start_function");
        for damaged in ["", "{}", r#"{"imports":[1]}"#] {
            assert_eq!(report(damaged), None);
        }
    }
}
