//! The catalogue, and projects with their agreements.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{BrowseCatalogue, ListProjects, RecordAgreement, RegisterDataset},
};
use sekisho_audit::EventKind;
use sekisho_domain::{Dataset, Page, PageRequest, Project, ProjectId};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use crate::{Store, StoreError, body, keys::Scope, log::record, overdue, people::unique};

impl Store {
    /// Publishes a dataset version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the version is there already: versions are immutable.
    pub async fn register_dataset(
        &self,
        permit: Permit<RegisterDataset>,
        dataset: Dataset,
    ) -> Result<Visible<Dataset>, StoreError> {
        let event = record(
            &permit,
            EventKind::DatasetRegistered {
                dataset_id: dataset.dataset_id.clone(),
                version: dataset.version.clone(),
                manifest_sha256: dataset.manifest_sha256.clone(),
                holds: Some(dataset.holds),
                database: dataset.database.clone(),
                id_space: dataset.id_space.clone(),
            },
        );
        let row = dataset.clone();
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    overdue::settle(tx, &row.dataset_id).await?;
                    let inserted = sqlx::query(
                        "INSERT INTO dataset (dataset_id, version, registered_at, body)
                         VALUES ($1, $2, $3, $4)",
                    )
                    .bind(&row.dataset_id)
                    .bind(&row.version)
                    .bind(row.registered_at.millis())
                    .bind(body::encode(&row)?)
                    .execute(&mut *tx)
                    .await;
                    unique(inserted, "VERSION_EXISTS", "a dataset version never changes")?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(dataset)))
    }

    /// The catalogue.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn datasets(
        &self,
        permit: Permit<BrowseCatalogue>,
        page: &PageRequest,
    ) -> Result<Visible<Page<Dataset>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM dataset WHERE dataset_id || '@' || version > $1
             ORDER BY dataset_id || '@' || version LIMIT $2",
        )
        .bind(page.after.clone().unwrap_or_default())
        .bind(i64::from(page.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let datasets = self::page(body::decode_all(&rows)?, page, |dataset: &Dataset| {
            format!("{}@{}", dataset.dataset_id, dataset.version)
        });
        Ok(permit.reveal(Guarded::new(datasets)))
    }

    /// One dataset version; without a version the newest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn dataset(
        &self,
        dataset_id: &str,
        version: Option<&str>,
    ) -> Result<Guarded<Dataset>, StoreError> {
        const NEWEST: &str =
            "SELECT body FROM dataset WHERE dataset_id = $1 ORDER BY registered_at DESC LIMIT 1";
        let mut connection = self.pool.acquire().await?;
        let found = match version {
            Some(version) => dataset_version(&mut connection, dataset_id, version).await?,
            None => body::one(&mut connection, "dataset", NEWEST, dataset_id).await?,
        };
        Ok(Guarded::new(found))
    }

    /// Records an agreement and opens its project under a key of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_agreement(
        &self,
        permit: Permit<RecordAgreement>,
        project: Project,
    ) -> Result<Visible<Project>, StoreError> {
        let canonical = body::encode(&project.agreement)?;
        let event = record(
            &permit,
            EventKind::AgreementRecorded {
                agreement_id: project.agreement.agreement_id,
                project_id: project.project_id,
                agreement_sha256: hex::encode(Sha256::digest(canonical)),
            },
        );
        let key = self.keys.create(Scope::Project(project.project_id)).await?;
        let row = project.clone();
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO project (id, body) VALUES ($1, $2)")
                        .bind(row.project_id.to_string())
                        .bind(body::encode(&row)?)
                        .execute(&mut *tx)
                        .await?;
                    for handler in &row.agreement.handlers {
                        sqlx::query(
                            "INSERT INTO project_handler (person_id, project_id) VALUES ($1, $2)",
                        )
                        .bind(handler.to_string())
                        .bind(row.project_id.to_string())
                        .execute(&mut *tx)
                        .await?;
                    }
                    key.insert(tx).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(project)))
    }

    /// The caller's own projects.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn own_projects(
        &self,
        permit: Permit<ListProjects>,
        page: &PageRequest,
    ) -> Result<Visible<Page<Project>>, StoreError> {
        let person = permit.person_id().map(|id| id.to_string()).unwrap_or_default();
        let rows = sqlx::query(
            "SELECT project.body AS body FROM project
             JOIN project_handler ON project_handler.project_id = project.id
             WHERE project_handler.person_id = $1 AND project.id > $2 ORDER BY project.id LIMIT $3",
        )
        .bind(person)
        .bind(page.after.clone().unwrap_or_default())
        .bind(i64::from(page.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let projects = self::page(body::decode_all(&rows)?, page, |project: &Project| {
            project.project_id.to_string()
        });
        Ok(permit.reveal(Guarded::new(projects)))
    }

    /// A project, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn project(&self, project_id: ProjectId) -> Result<Guarded<Project>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(load_project(&mut connection, project_id).await?))
    }
}

pub(crate) async fn load_project(
    connection: &mut AnyConnection,
    project_id: ProjectId,
) -> Result<Project, StoreError> {
    const QUERY: &str = "SELECT body FROM project WHERE id = $1";
    body::one(connection, "project", QUERY, &project_id.to_string()).await
}

pub(crate) async fn dataset_version(
    connection: &mut AnyConnection,
    dataset_id: &str,
    version: &str,
) -> Result<Dataset, StoreError> {
    let row = sqlx::query("SELECT body FROM dataset WHERE dataset_id = $1 AND version = $2")
        .bind(dataset_id)
        .bind(version)
        .fetch_optional(connection)
        .await?;
    body::decode(&row.ok_or(StoreError::NotFound("dataset"))?)
}

/// Cuts a listing that was read one row too long into a page.
pub(crate) fn page<T>(
    mut items: Vec<T>,
    request: &PageRequest,
    key: impl Fn(&T) -> String,
) -> Page<T> {
    let size = request.size as usize;
    let more = items.len() > size;
    items.truncate(size);
    let next = if more { items.last().map(key) } else { None };
    Page { items, next }
}
