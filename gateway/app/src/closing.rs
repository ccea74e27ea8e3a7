//! Close-out (SV-3): the end of a project and the record of its erasure.

use sekisho_access::{
    Caller, Visible,
    action::{CloseProject, ReadErasure},
};
use sekisho_domain::{Project, ProjectId};
use sekisho_store::closing::ErasureProof;

use crate::{App, AppError, step_up::StepUpAnswer};

impl App {
    /// Closes a project, with a fresh assertion: its runs end and its keys are destroyed
    /// (SV-3).
    ///
    /// # Errors
    /// [`AppError::Refused`] when it is closed already.
    pub async fn close_project(
        &self,
        caller: &Caller,
        project_id: ProjectId,
        reason: String,
        answer: StepUpAnswer,
    ) -> Result<Visible<Project>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let resource = self.project_resource(caller, project_id).await?;
        let permit =
            self.authorizer.authorize_fresh::<CloseProject>(caller, resource, fresh).await?;
        let closed = self.store.close_project(permit, reason).await?;
        // What cannot be removed now is removed later; the keys are gone.
        if let Err(error) = self.store.finish_erasures(self.clock.now()).await {
            tracing::warn!(%error, %project_id, "an erasure is not finished yet");
        }
        Ok(closed)
    }

    /// A closed project's erasure record (消去記録) with the log's proof of it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] while the project is open.
    pub async fn erasure(
        &self,
        caller: &Caller,
        project_id: ProjectId,
    ) -> Result<Visible<ErasureProof>, AppError> {
        let resource = self.project_resource(caller, project_id).await?;
        let permit = self.authorizer.authorize::<ReadErasure>(caller, resource).await?;
        Ok(self.store.erasure(permit).await?)
    }
}
