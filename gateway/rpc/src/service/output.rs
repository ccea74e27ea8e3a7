//! Outputs inside, and their way out.

use futures::{StreamExt, stream};
use sekisho_proto::v1::{self, output_service_server::OutputService};
use tonic::{Request, Response};

use super::{Answer, Desk, run_id, status};
use crate::{
    convert::{comment, id, page, show, show_all, show_page},
    held::{Answers, while_admitted},
    limits::CHUNK_BYTES,
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl OutputService for Service {
    async fn list_outputs(
        &self,
        request: Request<v1::ListOutputsRequest>,
    ) -> Answer<v1::ListOutputsResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let outputs = self.0.app.list_outputs(&caller, run_id).await.map_err(status)?;
        Ok(Response::new(v1::ListOutputsResponse { outputs: show_all(outputs) }))
    }

    async fn read_output(
        &self,
        request: Request<v1::ReadOutputRequest>,
    ) -> Answer<v1::ReadOutputResponse> {
        let (caller, message) = admitted(request)?;
        let output_id = id(&message.output_id, "output_id")?;
        let output = self.0.app.read_output(&caller, output_id).await.map_err(status)?;
        Ok(Response::new(show(output)))
    }

    async fn request_release(
        &self,
        request: Request<v1::RequestReleaseRequest>,
    ) -> Answer<v1::RequestReleaseResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let purpose = comment(message.purpose, "purpose")?;
        let asked = self.0.app.request_release(&caller, run_id, purpose).await.map_err(status)?;
        let review_request = Some(show(asked.map(|view| view.request)));
        Ok(Response::new(v1::RequestReleaseResponse { review_request }))
    }

    async fn resubmit_release(
        &self,
        request: Request<v1::ResubmitReleaseRequest>,
    ) -> Answer<v1::ResubmitReleaseResponse> {
        let (caller, message) = admitted(request)?;
        let review_request_id = id(&message.review_request_id, "review_request_id")?;
        let run_id = run_id(&message.run_id)?;
        let purpose = comment(message.purpose, "purpose")?;
        let app = &self.0.app;
        let asked = app.resubmit_release(&caller, review_request_id, run_id, purpose).await;
        let review_request = Some(show(asked.map_err(status)?.map(|view| view.request)));
        Ok(Response::new(v1::ResubmitReleaseResponse { review_request }))
    }

    async fn list_releases(
        &self,
        request: Request<v1::ListReleasesRequest>,
    ) -> Answer<v1::ListReleasesResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = id(&message.project_id, "project_id")?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_releases(&caller, project_id, page).await.map_err(status)?;
        let (releases, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListReleasesResponse { releases, next_page_token }))
    }

    type FetchReleaseStream = Answers<v1::FetchReleaseResponse>;

    async fn fetch_release(
        &self,
        request: Request<v1::FetchReleaseRequest>,
    ) -> Answer<Self::FetchReleaseStream> {
        let hold = self.0.hold(&request)?;
        let (caller, message) = admitted(request)?;
        let release_id = id(&message.release_id, "release_id")?;
        let bundle = self.0.app.fetch_release(&caller, release_id).await.map_err(status)?;
        let files = stream::iter(bundle.into_inner());
        let chunks = files.flat_map(|file| stream::iter(chunks(&file.path, &file.bytes)));
        Ok(Response::new(while_admitted(hold, chunks.map(Ok))))
    }
}

/// A file as messages; an empty file is one message without bytes.
fn chunks(path: &str, bytes: &[u8]) -> Vec<v1::FetchReleaseResponse> {
    let chunk = |chunk: &[u8]| v1::FetchReleaseResponse { path: path.into(), chunk: chunk.into() };
    if bytes.is_empty() {
        return vec![chunk(&[])];
    }
    bytes.chunks(CHUNK_BYTES).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_bounded_chunks_and_empty_ones_come_too() {
        let bytes: Vec<u8> = (0..CHUNK_BYTES + 5).map(|n| n as u8).collect();
        let sent = chunks("a.json", &bytes);
        assert_eq!(sent.iter().map(|m| m.chunk.len()).collect::<Vec<_>>(), [CHUNK_BYTES, 5]);
        assert_eq!(sent.iter().flat_map(|m| m.chunk.clone()).collect::<Vec<_>>(), bytes);
        let empty = chunks("b", &[]);
        assert_eq!((empty.len(), empty[0].path.as_str()), (1, "b"));
    }
}
