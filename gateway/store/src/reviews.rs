//! Review requests: opened by a researcher, decided by two blind votes, released once.

use sekisho_access::{
    Guarded, Permit,
    action::{CastVote, ListReviewQueue, ListReviewRequests, RequestRelease, ResubmitRelease},
};
use sekisho_audit::{Event, EventKind};
use sekisho_domain::{
    Page, PageRequest, ProjectId, Release, ReleaseId, ReviewRequest, ReviewRequestId, ReviewState,
    RunId, RunState, Timestamp, Verdict, Vote,
    lifecycle::Lifecycle,
    review::{ReviewEvent, decide},
};
use sqlx::AnyConnection;

use crate::{
    Store, StoreError, body,
    log::{self, record},
    people::unique,
    projects::page,
    releases,
};

const REVIEW: &str = "SELECT body FROM review_request WHERE id = $1";

impl Store {
    /// Asks for the release of a run's outputs.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run left no outputs or is under a request.
    pub async fn request_release(
        &self,
        permit: Permit<RequestRelease>,
        mut request: ReviewRequest,
    ) -> Result<Guarded<ReviewRequest>, StoreError> {
        let kind = EventKind::ReviewRequested {
            review_request_id: request.review_request_id,
            run_id: permit.resource().run_id,
            round: 1,
        };
        let event = record(&permit, kind);
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    request.findings = releasable(tx, request.run_id, request.project_id).await?;
                    let inserted = sqlx::query(
                        "INSERT INTO review_request (id, project_id, run_id, state, body)
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(request.review_request_id.to_string())
                    .bind(request.project_id.to_string())
                    .bind(request.run_id.to_string())
                    .bind(request.state.name())
                    .bind(body::encode(&request)?)
                    .execute(&mut *tx)
                    .await;
                    once(inserted)?;
                    Ok((request, vec![event]))
                })
            })
            .await?;
        Ok(Guarded::new(done.value))
    }

    /// Answers a returned request with a mended run of the same project.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was not returned or the run will not do.
    pub async fn resubmit_release(
        &self,
        permit: Permit<ResubmitRelease>,
        run_id: RunId,
        purpose: String,
    ) -> Result<Guarded<ReviewRequest>, StoreError> {
        let review_request_id = permit.resource().review_request_id;
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut request = load(tx, review_request_id).await?;
                    request.state = request.state.apply(ReviewEvent::Resubmit)?;
                    if request.run_id == run_id {
                        let message = "it was returned for a change; run it again first";
                        return Err(StoreError::conflict("SAME_RUN", message));
                    }
                    request.findings = releasable(tx, run_id, request.project_id).await?;
                    request.run_id = run_id;
                    request.purpose = purpose;
                    request.round += 1;
                    update(tx, &request).await?;
                    let round = request.round;
                    let kind = EventKind::ReviewRequested { review_request_id, run_id, round };
                    let event = Event { at, request_id: Some(request_id), actor, kind };
                    Ok((request, vec![event]))
                })
            })
            .await?;
        Ok(Guarded::new(done.value))
    }

    /// Takes a vote; the one that completes the round decides and, if both approve,
    /// releases, all in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `STALE_ROUND` when the round is not open, `VOTED` when
    /// this reviewer voted in it.
    pub async fn cast_vote(
        &self,
        permit: Permit<CastVote>,
        vote: Vote,
    ) -> Result<Guarded<ReviewRequest>, StoreError> {
        let review_request_id = permit.resource().review_request_id;
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut request = load(tx, review_request_id).await?;
                    let mut kinds = vec![admit_vote(&mut request, vote)?];
                    let verdicts: Vec<Verdict> =
                        request.open_votes().map(|vote| vote.verdict).collect();
                    if let Some(outcome) = decide(&verdicts) {
                        request.state = request.state.apply(outcome)?;
                        let outcome = request.state;
                        kinds.push(EventKind::ReviewDecided { review_request_id, outcome });
                        if outcome == ReviewState::Released {
                            let entry = log::next_index(tx).await? + kinds.len() as u64;
                            kinds.push(release(tx, &mut request, at, entry).await?);
                        }
                    }
                    update(tx, &request).await?;
                    let event = |kind| Event { at, request_id: Some(request_id), actor, kind };
                    Ok((request, kinds.into_iter().map(event).collect()))
                })
            })
            .await?;
        Ok(Guarded::new(done.value))
    }

    /// A review request, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn review_request(
        &self,
        id: ReviewRequestId,
    ) -> Result<Guarded<ReviewRequest>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(load(&mut connection, id).await?))
    }

    /// Requests that wait for votes, oldest first. Each must still be permitted.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn review_queue(
        &self,
        _: &Permit<ListReviewQueue>,
        request: &PageRequest,
    ) -> Result<Guarded<Page<ReviewRequest>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM review_request WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(ReviewState::InReview.name())
        .bind(request.after.clone().unwrap_or_default())
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        Ok(Guarded::new(page(body::decode_all(&rows)?, request, key)))
    }

    /// A project's requests, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn project_reviews(
        &self,
        permit: &Permit<ListReviewRequests>,
        request: &PageRequest,
    ) -> Result<Guarded<Page<ReviewRequest>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM review_request WHERE project_id = $1 AND id > $2
             ORDER BY id LIMIT $3",
        )
        .bind(permit.resource().terms.project_id.to_string())
        .bind(request.after.clone().unwrap_or_default())
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        Ok(Guarded::new(page(body::decode_all(&rows)?, request, key)))
    }

    /// The request a run's outputs are under, if any.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn review_of_run(
        &self,
        run_id: RunId,
    ) -> Result<Option<Guarded<ReviewRequest>>, StoreError> {
        let row = sqlx::query("SELECT body FROM review_request WHERE run_id = $1")
            .bind(run_id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(body::decode).transpose().map(|found| found.map(Guarded::new))
    }
}

fn key(request: &ReviewRequest) -> String {
    request.review_request_id.to_string()
}

/// Adds a vote to the open round.
fn admit_vote(request: &mut ReviewRequest, vote: Vote) -> Result<EventKind, StoreError> {
    if request.state != ReviewState::InReview || request.round != vote.round {
        return Err(StoreError::conflict("STALE_ROUND", "this round is closed; read it again"));
    }
    if request.open_votes().any(|earlier| earlier.reviewer == vote.reviewer) {
        return Err(StoreError::conflict("VOTED", "you have voted in this round"));
    }
    let kind = EventKind::VoteCast {
        review_request_id: request.review_request_id,
        round: vote.round,
        verdict: vote.verdict,
        decision_sha256: vote.decision_sha256.clone(),
    };
    request.votes.push(vote);
    Ok(kind)
}

async fn release(
    connection: &mut AnyConnection,
    request: &mut ReviewRequest,
    at: Timestamp,
    entry_index: u64,
) -> Result<EventKind, StoreError> {
    let release = Release {
        release_id: ReleaseId::new(at),
        review_request_id: request.review_request_id,
        project_id: request.project_id,
        run_id: request.run_id,
        released_at: at,
        entry_index,
    };
    request.release_id = Some(release.release_id);
    let outputs = releases::insert(connection, &release).await?;
    Ok(EventKind::Released {
        release_id: release.release_id,
        review_request_id: request.review_request_id,
        run_id: request.run_id,
        outputs,
    })
}

/// Whether a run's outputs may be asked for in this project; how many findings they carry.
async fn releasable(
    connection: &mut AnyConnection,
    run_id: RunId,
    project_id: ProjectId,
) -> Result<u32, StoreError> {
    const QUERY: &str = "SELECT body FROM run WHERE id = $1";
    let id = run_id.to_string();
    let run: sekisho_domain::Run = body::one(connection, "run", QUERY, &id).await?;
    if run.project_id != project_id {
        return Err(StoreError::NotFound("run"));
    }
    if run.state != RunState::Succeeded || run.output_count == 0 {
        return Err(StoreError::conflict("NO_OUTPUTS", "the run has left no outputs"));
    }
    let outputs = releases::outputs_of(connection, run_id).await?;
    Ok(outputs.iter().map(|(output, _)| output.findings).sum())
}

async fn load(
    connection: &mut AnyConnection,
    id: ReviewRequestId,
) -> Result<ReviewRequest, StoreError> {
    body::one(connection, "review request", REVIEW, &id.to_string()).await
}

pub(crate) async fn update(
    connection: &mut AnyConnection,
    request: &ReviewRequest,
) -> Result<(), StoreError> {
    let updated = sqlx::query(
        "UPDATE review_request SET run_id = $1, state = $2, body = $3
         WHERE id = $4",
    )
    .bind(request.run_id.to_string())
    .bind(request.state.name())
    .bind(body::encode(request)?)
    .bind(request.review_request_id.to_string())
    .execute(connection)
    .await;
    once(updated)
}

/// A run is under at most one request.
fn once(written: Result<sqlx::any::AnyQueryResult, sqlx::Error>) -> Result<(), StoreError> {
    unique(written, "UNDER_REVIEW", "these outputs are under a request already")
}
