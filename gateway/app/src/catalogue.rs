//! The catalogue (データカタログ) and projects.

use sekisho_access::{
    Caller, Visible,
    action::{BrowseCatalogue, ListProjects, ReadProject},
    resource::{ProjectResource, Site},
};
use sekisho_domain::{Dataset, Page, PageRequest, Project, ProjectId};

use crate::{App, AppError};

impl App {
    /// Dataset versions.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_datasets(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Visible<Page<Dataset>>, AppError> {
        let permit = self.authorizer.authorize::<BrowseCatalogue>(caller, Site).await?;
        Ok(self.store.datasets(permit, &page).await?)
    }

    /// One dataset version; without a version the newest.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn dataset(
        &self,
        caller: &Caller,
        dataset_id: &str,
        version: Option<&str>,
    ) -> Result<Visible<Dataset>, AppError> {
        let permit = self.authorizer.authorize::<BrowseCatalogue>(caller, Site).await?;
        let dataset = self.store.dataset(dataset_id, version).await?;
        Ok(permit.reveal(dataset))
    }

    /// The caller's own projects.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_projects(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Visible<Page<Project>>, AppError> {
        let permit = self.authorizer.authorize::<ListProjects>(caller, Site).await?;
        Ok(self.store.own_projects(permit, &page).await?)
    }

    /// One project with its agreement.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn project(
        &self,
        caller: &Caller,
        project_id: ProjectId,
    ) -> Result<Visible<Project>, AppError> {
        let (project, terms) = self.project_terms(caller, project_id).await?;
        let resource = ProjectResource { terms };
        let permit = self.authorizer.authorize::<ReadProject>(caller, resource).await?;
        Ok(permit.reveal(project))
    }
}
