//! Runs as their project's people see them.

use futures::StreamExt;
use sekisho_app::runs::RunRequest;
use sekisho_proto::v1::{self, run_service_server::RunService};
use tonic::{Request, Response};

use super::{Answer, Desk, run_id, status};
use crate::{
    convert::{id, page, parameters, request_key, show, show_page},
    held::{Answers, while_admitted},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl RunService for Service {
    async fn start_run(
        &self,
        request: Request<v1::StartRunRequest>,
    ) -> Answer<v1::StartRunResponse> {
        let (caller, message) = admitted(request)?;
        let wanted = RunRequest {
            project_id: id(&message.project_id, "project_id")?,
            module_id: id(&message.module_id, "module_id")?,
            parameters: parameters(message.parameters)?,
            request_key: request_key(&message.request_id)?,
        };
        let run = show(self.0.app.start_run(&caller, wanted).await.map_err(status)?);
        run_id(&run.run_id)?;
        Ok(Response::new(v1::StartRunResponse { run: Some(run) }))
    }

    async fn get_run(&self, request: Request<v1::GetRunRequest>) -> Answer<v1::GetRunResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let run = self.0.app.run(&caller, run_id).await.map_err(status)?;
        Ok(Response::new(v1::GetRunResponse { run: Some(show(run)) }))
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Answer<v1::ListRunsResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = id(&message.project_id, "project_id")?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_runs(&caller, project_id, page).await.map_err(status)?;
        let (runs, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListRunsResponse { runs, next_page_token }))
    }

    async fn cancel_run(
        &self,
        request: Request<v1::CancelRunRequest>,
    ) -> Answer<v1::CancelRunResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let run = self.0.app.cancel_run(&caller, run_id).await.map_err(status)?;
        Ok(Response::new(v1::CancelRunResponse { run: Some(show(run)) }))
    }

    type WatchRunStream = Answers<v1::WatchRunResponse>;

    async fn watch_run(
        &self,
        request: Request<v1::WatchRunRequest>,
    ) -> Answer<Self::WatchRunStream> {
        let hold = self.0.hold(&request)?;
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let states = self.0.app.watch_run(&caller, run_id).await.map_err(status)?;
        let answers = states.map(|run| {
            run.map(|run| v1::WatchRunResponse { run: Some(show(run)) }).map_err(status)
        });
        Ok(Response::new(while_admitted(hold, answers)))
    }
}
