//! Brought-in tables, without what they hold.

use sekisho_domain::{BringIn, BringInState, PinnedBringIn};
use sekisho_proto::v1;

use super::{Shown, time::stamp};

impl Shown for BringIn {
    type Message = v1::BringIn;

    fn message(self) -> v1::BringIn {
        let (decision, withdrawal) = (self.decision, self.withdrawal);
        let withdrawn_by = withdrawal.as_ref().and_then(|withdrawal| withdrawal.by);
        v1::BringIn {
            bring_in_id: self.bring_in_id.to_string(),
            project_id: self.project_id.to_string(),
            table: self.table,
            state: state(self.state).into(),
            description_sha256: self.description_sha256,
            table_sha256: self.table_sha256,
            rows: self.rows,
            size_bytes: self.size_bytes,
            submitted_by: self.submitted_by.to_string(),
            submitted_at: Some(stamp(self.submitted_at)),
            decided_by: decision.as_ref().map(|it| it.by.to_string()).unwrap_or_default(),
            decided_at: decision.as_ref().map(|it| stamp(it.at)),
            decision_comment: decision.map(|it| it.comment).unwrap_or_default(),
            withdrawn_by: withdrawn_by.map(|by| by.to_string()).unwrap_or_default(),
            withdrawn_at: withdrawal.as_ref().map(|it| stamp(it.at)),
            withdrawal_reason: withdrawal.map(|it| it.reason).unwrap_or_default(),
        }
    }
}

/// A table as a run is tied to it.
pub(super) fn pinned(table: PinnedBringIn) -> v1::PinnedBringIn {
    v1::PinnedBringIn {
        bring_in_id: table.bring_in_id.to_string(),
        table: table.table,
        description_sha256: table.description_sha256,
        table_sha256: table.table_sha256,
    }
}

fn state(state: BringInState) -> v1::BringInState {
    match state {
        BringInState::Submitted => v1::BringInState::Submitted,
        BringInState::Approved => v1::BringInState::Approved,
        BringInState::Refused => v1::BringInState::Refused,
        BringInState::Withdrawn => v1::BringInState::Withdrawn,
    }
}
