//! `sekisho review`: the output check, with a fresh assertion for every vote.

use clap::{Subcommand, ValueEnum};
use sekisho_proto::v1::{
    CastVoteRequest, GetReviewRequestRequest, GetReviewRequestResponse, ListReviewRequestsRequest,
    ReviewRequest, Verdict, Vote, output_service_client::OutputServiceClient,
    review_service_client::ReviewServiceClient,
};
use tonic::transport::Channel;

use crate::{
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    nouns::output,
    pages::{PAGE, every_page},
    render::checked_output,
    screen::{fields, instant, plain, table},
};

const CAST_VOTE: &str = "/sekisho.v1.ReviewService/CastVote";

/// Requests for release.
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// Requests you may decide on, or a project's as its researcher
    List {
        /// Project id
        #[arg(long, default_value = "")]
        project: String,
    },
    /// One request with findings, evidence and earlier releases
    Show {
        /// Review request id
        request: String,
        /// Also show every output's content
        #[arg(long)]
        outputs: bool,
    },
    /// Vote, blind to the other vote
    Vote {
        /// Review request id
        request: String,
        /// Your verdict
        verdict: Choice,
        /// For the researcher, or for the record
        #[arg(long, default_value = "")]
        comment: String,
        /// Round being voted on; the open one when not given
        #[arg(long)]
        round: Option<u32>,
    },
}

/// A verdict as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Choice {
    /// May leave.
    Approve,
    /// May come again once mended.
    Return,
    /// May not leave.
    Reject,
}

impl From<Choice> for Verdict {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Approve => Self::Approve,
            Choice::Return => Self::Return,
            Choice::Reject => Self::Reject,
        }
    }
}

impl ReviewCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let channel = desk.connect_session().await?;
        match self {
            Self::List { project } => list(desk, channel, project).await,
            Self::Show { request, outputs } => show(desk, channel, request, outputs).await,
            Self::Vote { request, verdict, comment, round } => {
                vote(desk, channel, request, verdict, comment, round).await
            }
        }
    }
}

async fn list(desk: &Desk, channel: Channel, project: String) -> Result<(), CliError> {
    let requests = every_page(|page_token| {
        let mut client = ReviewServiceClient::new(channel.clone());
        let project_id = project.clone();
        async move {
            let request = ListReviewRequestsRequest { project_id, page_size: PAGE, page_token };
            let page = client.list_review_requests(request).await?.into_inner();
            Ok((page.review_requests, page.next_page_token))
        }
    })
    .await?;
    desk.screen.list("ReviewRequest", &requests, || {
        let mut rows = table(&["request", "state", "round", "findings", "run", "asked"], &[2, 3]);
        for request in &requests {
            rows.add_row([
                request.review_request_id.clone(),
                state(request),
                request.round.to_string(),
                request.findings.to_string(),
                request.run_id.clone(),
                instant(request.created_at.as_ref()),
            ]);
        }
        rows
    })
}

async fn fetch(channel: &Channel, id: String) -> Result<GetReviewRequestResponse, CliError> {
    let request = GetReviewRequestRequest { review_request_id: id };
    let mut client = ReviewServiceClient::new(channel.clone());
    Ok(client.get_review_request(request).await?.into_inner())
}

async fn show(
    desk: &Desk,
    channel: Channel,
    request: String,
    outputs: bool,
) -> Result<(), CliError> {
    let answer = fetch(&channel, request).await?;
    desk.screen.record("GetReviewRequestResponse", &answer, || {
        let mut text = answer.review_request.as_ref().map(describe).unwrap_or_default();
        text.push_str("\n\n");
        text.push_str(&output::rows(&answer.outputs).trim_fmt());
        for release in &answer.earlier_releases {
            text.push_str(&format!(
                "\nearlier release {} of run {} at {}",
                release.release_id,
                release.run_id,
                instant(release.released_at.as_ref())
            ));
        }
        text
    })?;
    if !outputs || desk.screen.json {
        return Ok(());
    }
    let mut client = OutputServiceClient::new(channel);
    for info in &answer.outputs {
        let read = output::read(&mut client, info.output_id.clone()).await?;
        if let Some(checked) = &read.checked {
            desk.screen.text(&format!("\n{}", checked_output(checked)))?;
        }
    }
    Ok(())
}

async fn vote(
    desk: &Desk,
    channel: Channel,
    request: String,
    verdict: Choice,
    comment: String,
    round: Option<u32>,
) -> Result<(), CliError> {
    let round = match round {
        Some(round) => round,
        None => open_round(&channel, request.clone()).await?,
    };
    let mut ballot = CastVoteRequest {
        review_request_id: request,
        round,
        verdict: Verdict::from(verdict).into(),
        comment,
        step_up: None,
    };
    ballot.step_up = Some(step_up(&channel, desk.screen, CAST_VOTE, &ballot).await?);
    let mut client = ReviewServiceClient::new(channel);
    let answer = client.cast_vote(ballot).await?.into_inner();
    print(desk, answer.review_request)
}

async fn open_round(channel: &Channel, request: String) -> Result<u32, CliError> {
    let answer = fetch(channel, request).await?;
    let request = answer.review_request;
    Ok(request.ok_or(CliError::Contract("a review request"))?.round)
}

pub(crate) fn print(desk: &Desk, request: Option<ReviewRequest>) -> Result<(), CliError> {
    let request = request.ok_or(CliError::Contract("a review request"))?;
    desk.screen.record("ReviewRequest", &request, || describe(&request))
}

fn state(request: &ReviewRequest) -> String {
    plain(request.state().as_str_name(), "REVIEW_STATE_")
}

fn describe(request: &ReviewRequest) -> String {
    let mut text = fields(&[
        ("request", request.review_request_id.clone()),
        ("state", state(request)),
        ("round", request.round.to_string()),
        ("project", request.project_id.clone()),
        ("run", request.run_id.clone()),
        ("asked by", request.requested_by.clone()),
        ("organisation", request.organisation_id.clone()),
        ("purpose", request.purpose.clone()),
        ("findings", request.findings.to_string()),
        ("release", request.release_id.clone()),
    ]);
    for vote in &request.votes {
        text.push('\n');
        text.push_str(&describe_vote(vote));
    }
    text
}

fn describe_vote(vote: &Vote) -> String {
    let comment = match vote.comment.as_str() {
        "" => String::new(),
        comment => format!(": {comment}"),
    };
    format!(
        "vote      round {} {} by {}{comment}",
        vote.round,
        plain(vote.verdict().as_str_name(), "VERDICT_"),
        vote.reviewer,
    )
}
