//! Outputs, review requests, votes, releases, alerts.

use sekisho_app::{
    outputs::{OutputInfo, ReadOutputView},
    reviews::ReviewView,
};
use sekisho_domain::{Alert, Release, ReviewRequest, ReviewState, Verdict, Vote};
use sekisho_proto::v1;

use super::{Invalid, Shown, invalid, time::stamp};

/// A reviewer's verdict.
pub(crate) fn verdict(verdict: i32) -> Result<Verdict, Invalid> {
    match v1::Verdict::try_from(verdict) {
        Ok(v1::Verdict::Approve) => Ok(Verdict::Approve),
        Ok(v1::Verdict::Return) => Ok(Verdict::Return),
        Ok(v1::Verdict::Reject) => Ok(Verdict::Reject),
        _ => Err(invalid("UNKNOWN_VALUE", "verdict", "must be approve, return or reject")),
    }
}

impl Shown for ReviewRequest {
    type Message = v1::ReviewRequest;

    fn message(self) -> v1::ReviewRequest {
        v1::ReviewRequest {
            review_request_id: self.review_request_id.to_string(),
            project_id: self.project_id.to_string(),
            run_id: self.run_id.to_string(),
            requested_by: self.requested_by.to_string(),
            organisation_id: self.organisation_id.to_string(),
            state: state(self.state).into(),
            purpose: self.purpose,
            round: self.round,
            created_at: Some(stamp(self.created_at)),
            votes: self.votes.into_iter().map(vote).collect(),
            release_id: self.release_id.map(|id| id.to_string()).unwrap_or_default(),
            findings: self.findings,
        }
    }
}

impl Shown for ReviewView {
    type Message = v1::GetReviewRequestResponse;

    fn message(self) -> v1::GetReviewRequestResponse {
        v1::GetReviewRequestResponse {
            review_request: Some(self.request.message()),
            outputs: self.outputs.into_iter().map(Shown::message).collect(),
            earlier_releases: self.earlier_releases.into_iter().map(Shown::message).collect(),
        }
    }
}

fn state(state: ReviewState) -> v1::ReviewState {
    match state {
        ReviewState::InReview => v1::ReviewState::InReview,
        ReviewState::Returned => v1::ReviewState::Returned,
        ReviewState::Rejected => v1::ReviewState::Rejected,
        ReviewState::Released => v1::ReviewState::Released,
        ReviewState::Withdrawn => v1::ReviewState::Withdrawn,
    }
}

fn vote(vote: Vote) -> v1::Vote {
    let verdict = match vote.verdict {
        Verdict::Approve => v1::Verdict::Approve,
        Verdict::Return => v1::Verdict::Return,
        Verdict::Reject => v1::Verdict::Reject,
    };
    v1::Vote {
        reviewer: vote.reviewer.to_string(),
        round: vote.round,
        verdict: verdict.into(),
        comment: vote.comment,
        cast_at: Some(stamp(vote.cast_at)),
        decision_sha256: hex::decode(vote.decision_sha256).unwrap_or_default(),
    }
}

impl Shown for OutputInfo {
    type Message = v1::OutputInfo;

    fn message(self) -> v1::OutputInfo {
        v1::OutputInfo {
            output_id: self.output_id.to_string(),
            run_id: self.run_id.to_string(),
            name: self.name,
            kind: self.kind,
            released: self.released,
        }
    }
}

impl Shown for ReadOutputView {
    type Message = v1::ReadOutputResponse;

    fn message(self) -> v1::ReadOutputResponse {
        v1::ReadOutputResponse { info: Some(self.info.message()), checked: Some(self.checked) }
    }
}

impl Shown for Release {
    type Message = v1::Release;

    fn message(self) -> v1::Release {
        v1::Release {
            release_id: self.release_id.to_string(),
            review_request_id: self.review_request_id.to_string(),
            project_id: self.project_id.to_string(),
            run_id: self.run_id.to_string(),
            released_at: Some(stamp(self.released_at)),
        }
    }
}

impl Shown for Alert {
    type Message = v1::Alert;

    fn message(self) -> v1::Alert {
        v1::Alert {
            alert_id: self.alert_id.to_string(),
            rule: self.rule,
            person_id: self.person_id.map(|id| id.to_string()).unwrap_or_default(),
            session_id: self.session_id.map(|id| id.to_string()).unwrap_or_default(),
            summary: self.summary,
            entry_index: self.entry_index,
            raised_at: Some(stamp(self.raised_at)),
            access_cut: self.access_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_must_be_said() {
        assert_eq!(verdict(v1::Verdict::Return.into()), Ok(Verdict::Return));
        for bad in [0, 4, -1] {
            assert_eq!(verdict(bad).unwrap_err().code, "UNKNOWN_VALUE");
        }
    }
}
