//! Outputs (成果物): listed by name, read by reviewers, kept from everybody else until
//! they are released (OU-1, NX-1).

use prost::Message;
use sekisho_access::{
    Caller, Visible,
    action::{ListOutputs, ReadOutput},
    resource::OutputResource,
};
use sekisho_domain::{OutputId, RunId};
use sekisho_proto::v1;
use sekisho_store::outputs::OutputRecord;

use crate::{App, AppError, bundle, reviews::reviews, session_of};

/// An output's description.
#[derive(Debug, Clone)]
pub struct OutputInfo {
    /// Identifier.
    pub output_id: OutputId,
    /// Run.
    pub run_id: RunId,
    /// Name declared in the manifest.
    pub name: String,
    /// table, histogram, survival or text.
    pub kind: String,
    /// Whether it left.
    pub released: bool,
}

/// An output with its content.
#[derive(Debug)]
pub struct ReadOutputView {
    /// Its description.
    pub info: OutputInfo,
    /// Content, evidence and findings.
    pub checked: v1::CheckedOutput,
}

impl App {
    /// What a run left: names and kinds.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn list_outputs(
        &self,
        caller: &Caller,
        run_id: RunId,
    ) -> Result<Visible<Vec<OutputInfo>>, AppError> {
        let run = self.store.run(run_id).await?;
        let resource = self.run_resource(caller, run.for_decision()).await?;
        let permit = self.authorizer.authorize::<ListOutputs>(caller, resource).await?;
        Ok(self.store.outputs(permit).await?.map(infos))
    }

    /// One output's content.
    ///
    /// # Errors
    /// [`AppError::Refused`] before release, citing OU-1.
    pub async fn read_output(
        &self,
        caller: &Caller,
        output_id: OutputId,
    ) -> Result<Visible<ReadOutputView>, AppError> {
        let reviewer = reviews(session_of(caller)?.person());
        let found = self.store.output(output_id).await?;
        let (output, released) = found.for_decision();
        let (_, terms) = self.project_terms(caller, output.project_id).await?;
        let under_review = self.store.review_of_run(output.run_id).await?.is_some();
        let resource = OutputResource { terms, output_id, released: *released, under_review };
        let permit = self.authorizer.authorize::<ReadOutput>(caller, resource).await?;
        let read = self.store.read_output(permit).await?;
        let (_, _, content) = read.as_ref();
        let mut checked = decode(content)?;
        if !reviewer {
            checked = bundle::outward(checked);
        }
        Ok(read
            .map(|(output, released, _)| ReadOutputView { info: info(output, released), checked }))
    }
}

pub(crate) fn infos(outputs: Vec<(OutputRecord, bool)>) -> Vec<OutputInfo> {
    outputs.into_iter().map(|(output, released)| info(output, released)).collect()
}

fn info(output: OutputRecord, released: bool) -> OutputInfo {
    let OutputRecord { output_id, run_id, name, kind, .. } = output;
    OutputInfo { output_id, run_id, name, kind, released }
}

/// A sealed output's plaintext, which the gateway checked when it took it over.
pub(crate) fn decode(content: &[u8]) -> Result<v1::CheckedOutput, AppError> {
    v1::CheckedOutput::decode(content)
        .map_err(|error| AppError::Internal(format!("stored output: {error}")))
}
