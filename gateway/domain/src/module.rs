//! Analysis programs (解析プログラム) and their review (OU-3).

use serde::{Deserialize, Serialize};

use crate::{ModuleId, PersonId, ProjectId, Timestamp, lifecycle::lifecycle};

lifecycle! {
    /// Where a module stands.
    state ModuleState {
        /// Waits for a module reviewer.
        InReview = "in_review",
        /// May be run.
        Approved = "approved",
        /// May not.
        Refused = "refused",
        /// Was runnable, is no longer.
        Retired = "retired",
    }
    /// What happens to a module.
    event ModuleEvent {
        /// A reviewer lets it in.
        Approve = "approve",
        /// A reviewer keeps it out.
        Refuse = "refuse",
        /// It is withdrawn.
        Retire = "retire",
    }
    table {
        InReview + Approve => Approved,
        InReview + Refuse => Refused,
        InReview + Retire => Retired,
        Approved + Retire => Retired,
    }
}

/// Which contract a module implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// One patient's records in, bounded contributions out; the host aggregates.
    PerPatient,
    /// Record batches in, typed outputs out.
    Cohort,
    /// One patient's records and a state in, bounded contributions out; a reducer makes the
    /// next state of the host's sums.
    Rounds,
}

/// One submitted module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Identifier.
    pub module_id: ModuleId,
    /// Project it was brought into.
    pub project_id: ProjectId,
    /// Name given by the submitter.
    pub name: String,
    /// Contract.
    pub world: World,
    /// State.
    pub state: ModuleState,
    /// SHA-256 of the component, hexadecimal.
    pub sha256: String,
    /// SHA-256 of the manifest, hexadecimal.
    pub manifest_sha256: String,
    /// Size of the component.
    pub size_bytes: u64,
    /// Submitter.
    pub submitted_by: PersonId,
    /// When.
    pub submitted_at: Timestamp,
    /// Reviewer, once decided.
    pub decided_by: Option<PersonId>,
    /// The reviewer's comment.
    pub decision_comment: String,
    /// Static report, as JSON, for the reviewer.
    pub report_json: String,
    /// What it reads of the datasets: tables with columns, in manifest order.
    pub inputs: Vec<(String, Vec<String>)>,
}
