//! The output check (持出し確認).

use sekisho_app::reviews::VoteCast;
use sekisho_proto::v1::{self, review_service_server::ReviewService};
use tonic::{Request, Response};

use super::{Answer, Desk, session::step_up, status};
use crate::{
    convert::{comment, id, optional_id, page, show, show_page, verdict},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl ReviewService for Service {
    async fn list_review_requests(
        &self,
        request: Request<v1::ListReviewRequestsRequest>,
    ) -> Answer<v1::ListReviewRequestsResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = optional_id(&message.project_id, "project_id")?;
        let page = page(message.page_size, message.page_token)?;
        let app = &self.0.app;
        let found = app.list_review_requests(&caller, project_id, page).await.map_err(status)?;
        let (review_requests, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListReviewRequestsResponse { review_requests, next_page_token }))
    }

    async fn get_review_request(
        &self,
        request: Request<v1::GetReviewRequestRequest>,
    ) -> Answer<v1::GetReviewRequestResponse> {
        let (caller, message) = admitted(request)?;
        let review_request_id = id(&message.review_request_id, "review_request_id")?;
        let view = self.0.app.review_request(&caller, review_request_id).await.map_err(status)?;
        Ok(Response::new(show(view)))
    }

    async fn cast_vote(
        &self,
        request: Request<v1::CastVoteRequest>,
    ) -> Answer<v1::CastVoteResponse> {
        let (caller, message) = admitted(request)?;
        let answer = step_up(&message, message.step_up.clone())?;
        let vote = VoteCast {
            review_request_id: id(&message.review_request_id, "review_request_id")?,
            round: message.round,
            verdict: verdict(message.verdict)?,
            comment: comment(message.comment, "comment")?,
        };
        let view = self.0.app.cast_vote(&caller, vote, answer).await.map_err(status)?;
        let review_request = Some(show(view.map(|view| view.request)));
        Ok(Response::new(v1::CastVoteResponse { review_request }))
    }
}
