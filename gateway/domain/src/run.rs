//! Runs (実行): queued, leased by a worker, run in the sandbox, sealed.

use serde::{Deserialize, Serialize};

use crate::{
    LeaseId, ModuleId, PersonId, PinnedBringIn, ProjectId, RunId, Timestamp, WorkerId,
    dataset::DatasetVersion, lifecycle::lifecycle,
};

lifecycle! {
    /// Where a run stands.
    state RunState {
        /// Waits for a worker.
        Queued = "queued",
        /// A worker has it.
        Leased = "leased",
        /// The guest is running.
        Running = "running",
        /// Outputs are being sealed.
        Sealing = "sealing",
        /// Outputs wait inside.
        Succeeded = "succeeded",
        /// Ended without outputs.
        Failed = "failed",
        /// Ended from outside.
        Cancelled = "cancelled",
    }
    /// What happens to a run.
    event RunEvent {
        /// A worker takes it.
        Lease = "lease",
        /// The worker starts the guest.
        Start = "start",
        /// The guest is done.
        Seal = "seal",
        /// The sealed outputs arrived.
        Complete = "complete",
        /// It failed for good.
        Fail = "fail",
        /// The worker was lost or gave it back.
        LeaseLost = "lease_lost",
        /// A person ended it.
        Cancel = "cancel",
    }
    table {
        Queued + Lease => Leased,
        Queued + Cancel => Cancelled,
        Queued + Fail => Failed,
        Leased + Start => Running,
        Leased + Seal => Sealing,
        Leased + Complete => Succeeded,
        Leased + Fail => Failed,
        Leased + LeaseLost => Queued,
        Leased + Cancel => Cancelled,
        Running + Seal => Sealing,
        Running + Complete => Succeeded,
        Running + Fail => Failed,
        Running + LeaseLost => Queued,
        Running + Cancel => Cancelled,
        Sealing + Complete => Succeeded,
        Sealing + Fail => Failed,
        Sealing + LeaseLost => Queued,
        Sealing + Cancel => Cancelled,
    }
}

/// The coarse class of a failure; a guest's own words never pass (invariant 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The module trapped or returned an error.
    ModuleError,
    /// Time, memory, fuel or output limit reached.
    LimitExceeded,
    /// The module or its answer broke the contract.
    ContractViolation,
    /// The environment failed.
    Environment,
}

/// What ended a run from outside; a person who cancels it gives no such cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndCause {
    /// A brought-in table that it was tied to was taken back.
    #[serde(rename = "TABLE_WITHDRAWN")]
    TableWithdrawn,
    /// Its project was closed.
    #[serde(rename = "PROJECT_CLOSED")]
    ProjectClosed,
    /// What had permitted it held no more: the period of use, the roster, the handlers,
    /// training and pledge, or the linkage matrix.
    #[serde(rename = "NO_LONGER_PERMITTED")]
    NoLongerPermitted,
}

impl EndCause {
    /// Stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TableWithdrawn => "TABLE_WITHDRAWN",
            Self::ProjectClosed => "PROJECT_CLOSED",
            Self::NoLongerPermitted => "NO_LONGER_PERMITTED",
        }
    }
}

/// Most times a run is handed out before it fails as [`FailureClass::Environment`].
pub const MAX_ATTEMPTS: u32 = 5;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Identifier.
    pub run_id: RunId,
    /// Project.
    pub project_id: ProjectId,
    /// Module.
    pub module_id: ModuleId,
    /// Who asked.
    pub requested_by: PersonId,
    /// State.
    pub state: RunState,
    /// Set when failed.
    pub failure_class: Option<FailureClass>,
    /// Tenths of the rows scanned, 0 to 10.
    pub progress_tenths: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it became final.
    pub ended_at: Option<Timestamp>,
    /// Dataset of the view.
    pub dataset_id: String,
    /// Its version.
    pub dataset_version: String,
    /// Further dataset versions it joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<DatasetVersion>,
    /// Tables of its project's own that it looks up, as they were when it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bring_ins: Vec<PinnedBringIn>,
    /// Set when something other than a person's word ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_cause: Option<EndCause>,
    /// SHA-256 of its encoded parameters, hexadecimal; the parameters are sealed.
    pub parameters_sha256: String,
    /// Outputs produced.
    pub output_count: u32,
    /// Index in the log of the decision that permitted it.
    pub decision_index: u64,
    /// Times it was leased.
    pub attempts: u32,
    /// The present lease.
    pub lease: Option<Lease>,
}

/// One worker's hold on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Identifier.
    pub lease_id: LeaseId,
    /// Holder.
    pub worker_id: WorkerId,
    /// Until when, unless extended.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lifecycle::{Lifecycle, mermaid};

    proptest! {
        #[test]
        fn any_history_stays_in_the_table_and_final_states_hold(
            events in prop::collection::vec(prop::sample::select(RunEvent::ALL), 0..40)
        ) {
            let mut state = RunState::Queued;
            for event in events {
                match state.apply(event) {
                    Ok(next) => {
                        prop_assert!(!state.is_final());
                        state = next;
                    }
                    Err(error) => prop_assert_eq!(error.state, state.name()),
                }
            }
        }
    }

    #[test]
    fn every_state_is_reachable_and_every_unfinished_one_can_end() {
        for state in RunState::ALL {
            let reached =
                *state == RunState::Queued || RunState::TABLE.iter().any(|step| step.to == *state);
            assert!(reached, "{state:?}");
            assert!(state.is_final() || state.apply(RunEvent::Fail).is_ok(), "{state:?}");
        }
        assert!(mermaid::<RunState>().contains("queued --> leased: lease"));
    }
}
