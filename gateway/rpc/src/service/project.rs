//! Projects under an agreement.

use sekisho_proto::v1::{self, project_service_server::ProjectService};
use tonic::{Request, Response};

use super::{Answer, Desk, status};
use crate::{
    convert::{id, page, show, show_page},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl ProjectService for Service {
    async fn list_projects(
        &self,
        request: Request<v1::ListProjectsRequest>,
    ) -> Answer<v1::ListProjectsResponse> {
        let (caller, message) = admitted(request)?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_projects(&caller, page).await.map_err(status)?;
        let (projects, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListProjectsResponse { projects, next_page_token }))
    }

    async fn get_project(
        &self,
        request: Request<v1::GetProjectRequest>,
    ) -> Answer<v1::GetProjectResponse> {
        let (caller, message) = admitted(request)?;
        let project_id = id(&message.project_id, "project_id")?;
        let project = self.0.app.project(&caller, project_id).await.map_err(status)?;
        Ok(Response::new(v1::GetProjectResponse { project: Some(show(project)) }))
    }
}
