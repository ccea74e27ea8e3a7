//! `sekisho output`: what runs produced, and asking for its release.

use clap::Subcommand;
use sekisho_proto::v1::{
    ListOutputsRequest, OutputInfo, ReadOutputRequest, ReadOutputResponse, RequestReleaseRequest,
    ResubmitReleaseRequest, output_service_client::OutputServiceClient,
};
use tonic::transport::Channel;

use crate::{error::CliError, gateway::Desk, nouns::review, render::checked_output, screen::table};

/// Outputs and requests for their release.
#[derive(Debug, Subcommand)]
pub(crate) enum OutputCommand {
    /// What a run produced: names and kinds
    List {
        /// Run id
        run: String,
    },
    /// The content of one output; before release only for its reviewers
    Read {
        /// Output id
        output: String,
    },
    /// Ask for the release of a run's outputs
    RequestRelease {
        /// Run id
        run: String,
        /// What the results are for and how they will be shown
        #[arg(long)]
        purpose: String,
    },
    /// Answer a returned request with a mended run
    Resubmit {
        /// Review request id
        request: String,
        /// The mended run, of the same project
        #[arg(long)]
        run: String,
        /// What changed, and what the results are for
        #[arg(long)]
        purpose: String,
    },
}

impl OutputCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let mut client = OutputServiceClient::new(desk.connect_session().await?);
        match self {
            Self::List { run } => {
                let request = ListOutputsRequest { run_id: run };
                let answer = client.list_outputs(request).await?.into_inner();
                desk.screen.list("OutputInfo", &answer.outputs, || rows(&answer.outputs))
            }
            Self::Read { output } => {
                let answer = read(&mut client, output).await?;
                desk.screen.record("ReadOutputResponse", &answer, || {
                    answer.checked.as_ref().map(checked_output).unwrap_or_default()
                })
            }
            Self::RequestRelease { run, purpose } => {
                let request = RequestReleaseRequest { run_id: run, purpose };
                let answer = client.request_release(request).await?.into_inner();
                review::print(desk, answer.review_request)
            }
            Self::Resubmit { request, run, purpose } => {
                let request =
                    ResubmitReleaseRequest { review_request_id: request, run_id: run, purpose };
                let answer = client.resubmit_release(request).await?.into_inner();
                review::print(desk, answer.review_request)
            }
        }
    }
}

pub(crate) async fn read(
    client: &mut OutputServiceClient<Channel>,
    output_id: String,
) -> Result<ReadOutputResponse, CliError> {
    let answer = client.read_output(ReadOutputRequest { output_id }).await?;
    Ok(answer.into_inner())
}

pub(crate) fn rows(outputs: &[OutputInfo]) -> comfy_table::Table {
    let mut rows = table(&["output", "name", "kind", "released"], &[]);
    for output in outputs {
        rows.add_row([
            output.output_id.clone(),
            output.name.clone(),
            output.kind.clone(),
            if output.released { "yes" } else { "no" }.to_owned(),
        ]);
    }
    rows
}
