//! The only exit: a release bundle, which carries its own proof (PF-3).

use sekisho_access::{
    Caller, Visible,
    action::{FetchRelease, ListReleases},
    resource::ReleaseResource,
};
use sekisho_domain::{Page, PageRequest, ProjectId, Release, ReleaseId};

pub use crate::bundle::BundleFile;
use crate::{App, AppError, bundle};

impl App {
    /// A project's releases, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn list_releases(
        &self,
        caller: &Caller,
        project_id: ProjectId,
        page: PageRequest,
    ) -> Result<Visible<Page<Release>>, AppError> {
        let resource = self.project_resource(caller, project_id).await?;
        let permit = self.authorizer.authorize::<ListReleases>(caller, resource).await?;
        Ok(self.store.releases(permit, &page).await?)
    }

    /// Everything of a release: outputs, checks, decisions, provenance, proof.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] outside the agreement.
    pub async fn fetch_release(
        &self,
        caller: &Caller,
        release_id: ReleaseId,
    ) -> Result<Visible<Vec<BundleFile>>, AppError> {
        let release = self.store.release(release_id).await?;
        let found = release.for_decision().clone();
        let (project, terms) = self.project_terms(caller, found.project_id).await?;
        let resource = ReleaseResource { terms, release_id };
        let permit = self.authorizer.authorize::<FetchRelease>(caller, resource).await?;
        let request = permit.reveal(self.store.review_request(found.review_request_id).await?);
        let run = permit.reveal(self.store.run(found.run_id).await?);
        let module = permit.reveal(self.store.module(run.as_ref().module_id).await?);
        let project = permit.reveal(project);
        let withdrawal = self.store.withdraw(permit, release).await?;
        let parts = bundle::Parts {
            release: &found,
            request: request.as_ref(),
            run: run.as_ref(),
            module: module.as_ref(),
            project: project.as_ref(),
            withdrawal: withdrawal.as_ref(),
            verifier_key: &self.verifier_key,
        };
        let files = bundle::files(&parts)?;
        Ok(withdrawal.map(|_| files))
    }
}
