//! The output check (持出し確認, OU-1): two blind votes decide a request.

use serde::{Deserialize, Serialize};

use crate::{
    OrganisationId, PersonId, ProjectId, ReleaseId, ReviewRequestId, RunId, Timestamp,
    lifecycle::lifecycle,
};

/// Votes that close a round.
pub const VOTES_NEEDED: usize = 2;

lifecycle! {
    /// Where a review request stands.
    state ReviewState {
        /// Waits for votes.
        InReview = "in_review",
        /// Went back to the researcher with comments.
        Returned = "returned",
        /// Will not leave.
        Rejected = "rejected",
        /// Left.
        Released = "released",
        /// Taken back by the researcher.
        Withdrawn = "withdrawn",
    }
    /// What happens to a review request.
    event ReviewEvent {
        /// Both votes approve.
        Release = "release",
        /// The votes ask for a change.
        Return = "return",
        /// Both votes reject.
        Reject = "reject",
        /// The researcher sends a mended run.
        Resubmit = "resubmit",
        /// The researcher takes it back.
        Withdraw = "withdraw",
    }
    table {
        InReview + Release => Released,
        InReview + Return => Returned,
        InReview + Reject => Rejected,
        InReview + Withdraw => Withdrawn,
        Returned + Resubmit => InReview,
        Returned + Withdraw => Withdrawn,
    }
}

/// A reviewer's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// May leave.
    Approve,
    /// Needs a change.
    Return,
    /// Must not leave.
    Reject,
}

/// What the votes of a full round decide: release only when all approve, reject only
/// when all reject, otherwise the researcher gets it back. `None` while votes miss.
#[must_use]
pub fn decide(votes: &[Verdict]) -> Option<ReviewEvent> {
    if votes.len() < VOTES_NEEDED {
        None
    } else if votes.iter().all(|vote| *vote == Verdict::Approve) {
        Some(ReviewEvent::Release)
    } else if votes.iter().all(|vote| *vote == Verdict::Reject) {
        Some(ReviewEvent::Reject)
    } else {
        Some(ReviewEvent::Return)
    }
}

/// A request to release a run's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRequest {
    /// Identifier.
    pub review_request_id: ReviewRequestId,
    /// Project.
    pub project_id: ProjectId,
    /// Run whose outputs are to leave.
    pub run_id: RunId,
    /// Who asked.
    pub requested_by: PersonId,
    /// Their organisation; its people may not vote.
    pub organisation_id: OrganisationId,
    /// State.
    pub state: ReviewState,
    /// What the results are for.
    pub purpose: String,
    /// Starts at 1.
    pub round: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// All votes of all rounds; who may see which is decided by [`ReviewRequest::votes_for`].
    pub votes: Vec<Vote>,
    /// Set once released.
    pub release_id: Option<ReleaseId>,
    /// Findings of the outputs' checks.
    pub findings: u32,
}

impl ReviewRequest {
    /// Votes of the round that is open now.
    pub fn open_votes(&self) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(|vote| vote.round == self.round)
    }

    /// The votes `viewer` may see: closed rounds whole; of an open round only their
    /// own, so that no vote leans on another.
    #[must_use]
    pub fn votes_for(&self, viewer: PersonId) -> Vec<&Vote> {
        let open = self.state == ReviewState::InReview;
        self.votes
            .iter()
            .filter(|vote| !open || vote.round < self.round || vote.reviewer == viewer)
            .collect()
    }
}

/// One reviewer's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Reviewer.
    pub reviewer: PersonId,
    /// Round voted on.
    pub round: u32,
    /// Verdict.
    pub verdict: Verdict,
    /// Comment; required unless approving.
    pub comment: String,
    /// When.
    pub cast_at: Timestamp,
    /// What the fresh assertion was bound to, hexadecimal.
    pub decision_sha256: String,
}

/// A released set of outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Identifier.
    pub release_id: ReleaseId,
    /// Request it answers.
    pub review_request_id: ReviewRequestId,
    /// Project.
    pub project_id: ProjectId,
    /// Run.
    pub run_id: RunId,
    /// When.
    pub released_at: Timestamp,
    /// Log index of the entry that released it.
    pub entry_index: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lifecycle::Lifecycle;

    #[test]
    fn ou_1_only_unanimous_approval_releases() {
        use Verdict::{Approve, Reject, Return};
        for (votes, expected) in [
            (vec![], None),
            (vec![Approve], None),
            (vec![Approve, Approve], Some(ReviewEvent::Release)),
            (vec![Approve, Return], Some(ReviewEvent::Return)),
            (vec![Approve, Reject], Some(ReviewEvent::Return)),
            (vec![Reject, Reject], Some(ReviewEvent::Reject)),
        ] {
            assert_eq!(decide(&votes), expected, "{votes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_released_twice(
            events in prop::collection::vec(prop::sample::select(ReviewEvent::ALL), 0..40)
        ) {
            let mut state = ReviewState::InReview;
            let mut releases = 0;
            for event in events {
                if let Ok(next) = state.apply(event) {
                    releases += usize::from(next == ReviewState::Released);
                    state = next;
                }
            }
            prop_assert!(releases <= 1);
        }
    }
}
