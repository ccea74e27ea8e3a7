//! Tables that researchers bring in (持込み, AG-5): checked by a machine, then reviewed by a
//! steward, then looked up by runs of their own project only.

use serde::{Deserialize, Serialize};

use crate::{BringInId, PersonId, ProjectId, Timestamp, lifecycle::lifecycle};

lifecycle! {
    /// Where a brought-in table stands.
    state BringInState {
        /// Waits for a steward.
        Submitted = "submitted",
        /// Runs of its project may look it up.
        Approved = "approved",
        /// A steward kept it out; its content is erased.
        Refused = "refused",
        /// Taken back; its content is erased.
        Withdrawn = "withdrawn",
    }
    /// What happens to a brought-in table.
    event BringInEvent {
        /// A steward lets it in.
        Approve = "approve",
        /// A steward keeps it out.
        Refuse = "refuse",
        /// The project or a steward takes it back, or the project is closed.
        Withdraw = "withdraw",
    }
    table {
        Submitted + Approve => Approved,
        Submitted + Refuse => Refused,
        Submitted + Withdraw => Withdrawn,
        Approved + Withdraw => Withdrawn,
    }
}

impl BringInState {
    /// Whether its content is kept, and its name taken.
    #[must_use]
    pub const fn stands(self) -> bool {
        matches!(self, Self::Submitted | Self::Approved)
    }
}

/// One table of a project's own. What it holds is sealed beside it; a project has at most one
/// that stands under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BringIn {
    /// Identifier.
    pub bring_in_id: BringInId,
    /// Project it was brought into.
    pub project_id: ProjectId,
    /// Name under which modules look it up.
    pub table: String,
    /// State.
    pub state: BringInState,
    /// SHA-256 of its description, hexadecimal.
    pub description_sha256: String,
    /// SHA-256 of its CSV, hexadecimal.
    pub table_sha256: String,
    /// Rows.
    pub rows: u64,
    /// Size of the CSV.
    pub size_bytes: u64,
    /// Submitter.
    pub submitted_by: PersonId,
    /// When.
    pub submitted_at: Timestamp,
    /// What a steward decided, once one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<BringInDecision>,
    /// That it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<BringInWithdrawal>,
}

impl BringIn {
    /// Exactly this content, as a run is tied to it.
    #[must_use]
    pub fn pinned(&self) -> PinnedBringIn {
        PinnedBringIn {
            bring_in_id: self.bring_in_id,
            table: self.table.clone(),
            description_sha256: self.description_sha256.clone(),
            table_sha256: self.table_sha256.clone(),
        }
    }
}

/// A steward's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BringInDecision {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub comment: String,
    /// What the fresh assertion was bound to, SHA-256, hexadecimal.
    pub decision_sha256: String,
}

/// That a table was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BringInWithdrawal {
    /// Who; nobody when its project's period had ended.
    pub by: Option<PersonId>,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub reason: String,
}

/// A brought-in table and exactly the content that was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedBringIn {
    /// Which.
    pub bring_in_id: BringInId,
    /// Its name.
    pub table: String,
    /// SHA-256 of its description, hexadecimal.
    pub description_sha256: String,
    /// SHA-256 of its CSV, hexadecimal.
    pub table_sha256: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lifecycle::Lifecycle;

    proptest! {
        #[test]
        fn ag_5_no_table_counts_that_no_steward_let_in(
            events in prop::collection::vec(prop::sample::select(BringInEvent::ALL), 0..20)
        ) {
            let (mut state, mut approved) = (BringInState::Submitted, false);
            for event in events {
                if let Ok(next) = state.apply(event) {
                    approved |= event == BringInEvent::Approve;
                    prop_assert!(state.stands(), "what is erased stays so");
                    state = next;
                }
                prop_assert!(state != BringInState::Approved || approved);
            }
        }
    }

    #[test]
    fn what_does_not_stand_is_final() {
        for state in BringInState::ALL {
            assert_eq!(state.is_final(), !state.stands(), "{state:?}");
        }
    }
}
