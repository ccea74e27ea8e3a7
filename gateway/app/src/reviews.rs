//! The output check (持出し確認): asked for by a researcher, decided by two people of
//! other organisations who cannot see each other's vote (OU-1).

use sekisho_access::{
    Caller, Guarded, Visible,
    action::{
        CastVote, ListReviewQueue, ListReviewRequests, ReadReviewRequest, RequestRelease,
        ResubmitRelease,
    },
    resource::Site,
};
use sekisho_domain::{
    Page, PageRequest, Person, ProjectId, Release, ReviewRequest, ReviewRequestId, ReviewState,
    Role, RunId, Verdict, Vote,
};

use crate::{
    App, AppError,
    outputs::{OutputInfo, infos},
    session_of,
    step_up::StepUpAnswer,
};

/// A request with what a reviewer needs beside it.
#[derive(Debug)]
pub struct ReviewView {
    /// The request, with the votes this viewer may see.
    pub request: ReviewRequest,
    /// Outputs asked for.
    pub outputs: Vec<OutputInfo>,
    /// Earlier releases of the project, which these could be differenced against.
    pub earlier_releases: Vec<Release>,
}

/// A vote that is cast.
#[derive(Debug)]
pub struct VoteCast {
    /// On which request.
    pub review_request_id: ReviewRequestId,
    /// On which round.
    pub round: u32,
    /// Verdict.
    pub verdict: Verdict,
    /// Comment; required unless approving.
    pub comment: String,
}

impl App {
    /// Asks for the release of a run's outputs.
    ///
    /// # Errors
    /// [`AppError::Invalid`] without a purpose; [`AppError::Conflict`] when the run left
    /// nothing or is under a request.
    pub async fn request_release(
        &self,
        caller: &Caller,
        run_id: RunId,
        purpose: String,
    ) -> Result<Visible<ReviewView>, AppError> {
        let person = session_of(caller)?.person();
        let run = self.store.run(run_id).await?;
        let resource = self.run_resource(caller, run.for_decision()).await?;
        let project_id = resource.terms.project_id;
        let permit = self.authorizer.authorize::<RequestRelease>(caller, resource).await?;
        check_purpose(&purpose)?;
        let request = ReviewRequest {
            review_request_id: ReviewRequestId::new(caller.at),
            project_id,
            run_id,
            requested_by: person.person_id,
            organisation_id: person.organisation_id,
            state: ReviewState::InReview,
            purpose,
            round: 1,
            created_at: caller.at,
            votes: vec![],
            release_id: None,
            findings: 0,
        };
        let request = self.store.request_release(permit, request).await?;
        self.view(caller, request).await
    }

    /// Answers a returned request with a mended run of the same project.
    ///
    /// # Errors
    /// As [`App::request_release`].
    pub async fn resubmit_release(
        &self,
        caller: &Caller,
        review_request_id: ReviewRequestId,
        run_id: RunId,
        purpose: String,
    ) -> Result<Visible<ReviewView>, AppError> {
        let request = self.store.review_request(review_request_id).await?;
        let resource = self.review_resource(caller, request.for_decision()).await?;
        let permit = self.authorizer.authorize::<ResubmitRelease>(caller, resource).await?;
        check_purpose(&purpose)?;
        let run = self.store.run(run_id).await?;
        if run.for_decision().project_id != request.for_decision().project_id {
            return Err(AppError::NotFound);
        }
        let request = self.store.resubmit_release(permit, run_id, purpose).await?;
        self.view(caller, request).await
    }

    /// Requests that wait for the caller; with a project, that project's requests.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_review_requests(
        &self,
        caller: &Caller,
        project_id: Option<ProjectId>,
        page: PageRequest,
    ) -> Result<Visible<Page<ReviewRequest>>, AppError> {
        let viewer = session_of(caller)?.person();
        if let Some(project_id) = project_id {
            let resource = self.project_resource(caller, project_id).await?;
            let permit = self.authorizer.authorize::<ListReviewRequests>(caller, resource).await?;
            let found = self.store.project_reviews(&permit, &page).await?;
            return Ok(permit.reveal(found.map(|page| blind_page(page, viewer))));
        }
        let permit = self.authorizer.authorize::<ListReviewQueue>(caller, Site).await?;
        let queue = self.store.review_queue(&permit, &page).await?;
        let mut allowed = Vec::new();
        for request in &queue.for_decision().items {
            let resource = self.review_resource(caller, request).await?;
            if self.authorizer.would_permit::<ReadReviewRequest>(caller, &resource) {
                allowed.push(request.clone());
            }
        }
        let page = queue.map(|page| blind_page(Page { items: allowed, ..page }, viewer));
        Ok(permit.reveal(page))
    }

    /// One request with its outputs and earlier releases.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn review_request(
        &self,
        caller: &Caller,
        review_request_id: ReviewRequestId,
    ) -> Result<Visible<ReviewView>, AppError> {
        let request = self.store.review_request(review_request_id).await?;
        self.view(caller, request).await
    }

    /// Votes, with a fresh assertion bound to this very vote. The vote that completes the
    /// round decides it.
    ///
    /// # Errors
    /// [`AppError::Refused`] for one's own organisation's request or a second vote;
    /// [`AppError::Conflict`] on a closed round.
    pub async fn cast_vote(
        &self,
        caller: &Caller,
        cast: VoteCast,
        answer: StepUpAnswer,
    ) -> Result<Visible<ReviewView>, AppError> {
        let reviewer = session_of(caller)?.person().person_id;
        if cast.verdict != Verdict::Approve && cast.comment.trim().is_empty() {
            let why = "say what must change, so that the researcher can mend it";
            return Err(AppError::invalid("COMMENT_MISSING", "comment", why));
        }
        let request = self.store.review_request(cast.review_request_id).await?;
        let resource = self.review_resource(caller, request.for_decision()).await?;
        // Before the assertion is looked at, or its fate would tell that the request exists.
        let _may_read =
            self.authorizer.authorize::<ReadReviewRequest>(caller, resource.clone()).await?;
        let fresh = self.redeem_step_up(caller, answer).await?;
        let decision_sha256 = fresh.decision_sha256().to_owned();
        let permit = self.authorizer.authorize_fresh::<CastVote>(caller, resource, fresh).await?;
        let vote = Vote {
            reviewer,
            round: cast.round,
            verdict: cast.verdict,
            comment: cast.comment,
            cast_at: caller.at,
            decision_sha256,
        };
        let request = self.store.cast_vote(permit, vote).await?;
        self.view(caller, request).await
    }

    /// What the caller may see of a request.
    async fn view(
        &self,
        caller: &Caller,
        request: Guarded<ReviewRequest>,
    ) -> Result<Visible<ReviewView>, AppError> {
        let viewer = session_of(caller)?.person();
        let resource = self.review_resource(caller, request.for_decision()).await?;
        let permit = self.authorizer.authorize::<ReadReviewRequest>(caller, resource).await?;
        let ReviewRequest { run_id, project_id, release_id, .. } = *request.for_decision();
        let outputs = permit.reveal(self.store.run_outputs(run_id).await?).map(infos);
        let earlier = self.store.project_releases(project_id, &PageRequest::new(100, "")).await?;
        let earlier = permit.reveal(earlier).into_inner().items;
        let earlier_releases =
            earlier.into_iter().filter(|release| Some(release.release_id) != release_id).collect();
        Ok(permit.reveal(request.map(|request| ReviewView {
            request: blind(request, viewer),
            outputs: outputs.into_inner(),
            earlier_releases,
        })))
    }
}

/// Leaves what the viewer may see: of votes those of closed rounds and their own; the
/// number of findings, which a module can choose, only once reviewers have decided.
fn blind(mut request: ReviewRequest, viewer: &Person) -> ReviewRequest {
    request.votes = request.votes_for(viewer.person_id).into_iter().cloned().collect();
    if request.state == ReviewState::InReview && !reviews(viewer) {
        request.findings = 0;
    }
    request
}

/// Whether a person is an output reviewer.
pub(crate) fn reviews(person: &Person) -> bool {
    person.roles.contains(&Role::OutputReviewer)
}

fn blind_page(page: Page<ReviewRequest>, viewer: &Person) -> Page<ReviewRequest> {
    let items = page.items.into_iter().map(|request| blind(request, viewer)).collect();
    Page { items, next: page.next }
}

fn check_purpose(purpose: &str) -> Result<(), AppError> {
    if purpose.trim().is_empty() {
        return Err(AppError::invalid(
            "PURPOSE_MISSING",
            "purpose",
            "say what the results are for and how they will be shown",
        ));
    }
    Ok(())
}
