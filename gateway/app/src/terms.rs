//! From what is stored to what policies decide on.

use sekisho_access::{
    Caller, Guarded,
    resource::{ModuleResource, ProjectResource, ProjectTerms, ReviewResource, RunResource},
};
use sekisho_domain::{Module, Project, ProjectId, ReviewRequest, Run};

use crate::{App, AppError};

impl App {
    pub(crate) async fn project_terms(
        &self,
        caller: &Caller,
        project_id: ProjectId,
    ) -> Result<(Guarded<Project>, ProjectTerms), AppError> {
        let project = self.store.project(project_id).await?;
        let terms = ProjectTerms::new(project.for_decision(), caller.peer);
        Ok((project, terms))
    }

    pub(crate) async fn project_resource(
        &self,
        caller: &Caller,
        project_id: ProjectId,
    ) -> Result<ProjectResource, AppError> {
        let (_, terms) = self.project_terms(caller, project_id).await?;
        Ok(ProjectResource { terms })
    }

    pub(crate) async fn module_resource(
        &self,
        caller: &Caller,
        module: &Module,
    ) -> Result<ModuleResource, AppError> {
        let (_, terms) = self.project_terms(caller, module.project_id).await?;
        let Module { module_id, submitted_by, .. } = *module;
        Ok(ModuleResource { terms, module_id, submitted_by })
    }

    pub(crate) async fn run_resource(
        &self,
        caller: &Caller,
        run: &Run,
    ) -> Result<RunResource, AppError> {
        let (_, terms) = self.project_terms(caller, run.project_id).await?;
        Ok(RunResource {
            terms,
            run_id: run.run_id,
            requested_by: run.requested_by,
            state: run.state,
            held_by: run.lease.as_ref().map(|lease| lease.worker_id),
        })
    }

    pub(crate) async fn review_resource(
        &self,
        caller: &Caller,
        request: &ReviewRequest,
    ) -> Result<ReviewResource, AppError> {
        let (_, terms) = self.project_terms(caller, request.project_id).await?;
        Ok(ReviewResource {
            terms,
            review_request_id: request.review_request_id,
            requested_by: request.requested_by,
            organisation: request.organisation_id,
            state: request.state,
            voters: request.open_votes().map(|vote| vote.reviewer).collect(),
        })
    }
}
