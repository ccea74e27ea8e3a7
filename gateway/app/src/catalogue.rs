//! The catalogue (データカタログ) and projects.

use sekisho_access::{
    Caller, Visible,
    action::{BrowseCatalogue, CountPatients, ListProjects, ReadProject},
    resource::{ProjectResource, Site},
};
use sekisho_domain::{Dataset, Page, PageRequest, Project, ProjectId};

use crate::{App, AppError};

/// An answer of the simple database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientCount {
    /// The version asked.
    pub version: String,
    /// Persons, a sum of rounded cells.
    pub patients: u64,
    /// Distinct patients below which a cell is left out.
    pub min_cell: u32,
    /// Questions the caller's address may still ask today.
    pub questions_left: u32,
}

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

    /// About how many persons of a table have all of these codes (CT-2). Only the newest
    /// version answers, so that nobody can ask for the difference of two.
    ///
    /// # Errors
    /// [`AppError::Limit`] when the day's questions are spent; [`AppError::NotFound`];
    /// [`AppError::Invalid`] for what cannot be counted.
    pub async fn count_patients(
        &self,
        caller: &Caller,
        dataset_id: &str,
        version: Option<&str>,
        table: &str,
        filters: &[(String, String)],
    ) -> Result<Visible<PatientCount>, AppError> {
        let permit = self.authorizer.authorize::<CountPatients>(caller, Site).await?;
        let questions_left = self.questions.spend(caller.peer, caller.at)?;
        let dataset = self.store.dataset(dataset_id, version).await?;
        let found = dataset.for_decision();
        let newest = self.store.dataset(dataset_id, None).await?;
        if newest.for_decision().version != found.version {
            let message = "only the newest version is counted in";
            return Err(AppError::invalid("SUPERSEDED", "version", message));
        }
        let table = found.tables.iter().find(|found| found.name == table);
        let table = table.ok_or_else(|| AppError::invalid("UNKNOWN", "table", "no such table"))?;
        let patients = table.quick_counts.as_ref().and_then(|counts| counts.count(filters));
        let patients = patients.ok_or_else(|| {
            let columns = table.quick_counts.as_ref().map(|counts| counts.columns.join(", "));
            let columns = columns.unwrap_or_else(|| "nothing".to_owned());
            AppError::invalid("NOT_COUNTED", "filters", format!("can be counted by: {columns}"))
        })?;
        let (version, min_cell) = (found.version.clone(), found.min_cell);
        let count = PatientCount { version, patients, min_cell, questions_left };
        Ok(permit.reveal(dataset.map(|_| count)))
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
