//! Outputs and releases: content is opened only for a permit to read or fetch it.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{FetchRelease, ListOutputs, ListReleases, ReadOutput},
};
use sekisho_audit::{EventKind, Hash, SealedOutput};
use sekisho_domain::{OutputId, Page, PageRequest, Release, ReleaseId, RunId};
use sekisho_vault::open;
use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

use crate::{
    Store, StoreError, body,
    keys::Scope,
    outputs::{OutputRecord, load_output, output_context, output_name, sealed_output},
    projects::page,
};

/// What leaves with a release: each output's content, and the log's own proof.
pub struct Withdrawal {
    /// Outputs in order, with their opened content.
    pub outputs: Vec<(OutputRecord, Zeroizing<Vec<u8>>)>,
    /// Index of the entry that released them.
    pub entry_index: u64,
    /// That entry's leaf bytes.
    pub entry: Vec<u8>,
    /// Newest checkpoint.
    pub checkpoint: String,
    /// Log size the checkpoint covers.
    pub tree_size: u64,
    /// Audit path of the entry under the checkpoint.
    pub inclusion: Vec<Hash>,
}

impl Store {
    /// An output with whether it left, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn output(
        &self,
        output_id: OutputId,
    ) -> Result<Guarded<(OutputRecord, bool)>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(load_output(&mut connection, output_id).await?))
    }

    /// What a run left: names and kinds.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn outputs(
        &self,
        permit: Permit<ListOutputs>,
    ) -> Result<Visible<Vec<(OutputRecord, bool)>>, StoreError> {
        let outputs = self.run_outputs(permit.resource().run_id).await?;
        Ok(permit.reveal(outputs))
    }

    /// What a run left, to show beside a review request.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn run_outputs(
        &self,
        run_id: RunId,
    ) -> Result<Guarded<Vec<(OutputRecord, bool)>>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(outputs_of(&mut connection, run_id).await?))
    }

    /// Opens an output's content, after recording that it is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_output(
        &self,
        permit: Permit<ReadOutput>,
    ) -> Result<Visible<(OutputRecord, bool, Zeroizing<Vec<u8>>)>, StoreError> {
        let output_id = permit.resource().output_id;
        self.note(&permit, EventKind::OutputRead { output_id }).await?;
        let mut connection = self.pool.acquire().await?;
        let (output, released) = load_output(&mut connection, output_id).await?;
        let content = self.content(&output).await?;
        Ok(permit.reveal(Guarded::new((output, released, content))))
    }

    /// A release, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn release(&self, release_id: ReleaseId) -> Result<Guarded<Release>, StoreError> {
        const QUERY: &str = "SELECT body FROM release WHERE id = $1";
        let mut connection = self.pool.acquire().await?;
        let id = release_id.to_string();
        Ok(Guarded::new(body::one(&mut connection, "release", QUERY, &id).await?))
    }

    /// A project's releases, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn releases(
        &self,
        permit: Permit<ListReleases>,
        request: &PageRequest,
    ) -> Result<Visible<Page<Release>>, StoreError> {
        let project = permit.resource().terms.project_id;
        let found = self.project_releases(project, request).await?;
        Ok(permit.reveal(found))
    }

    /// A project's releases, to show beside a review request.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn project_releases(
        &self,
        project_id: sekisho_domain::ProjectId,
        request: &PageRequest,
    ) -> Result<Guarded<Page<Release>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM release WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(project_id.to_string())
        .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |release: &Release| release.release_id.to_string();
        Ok(Guarded::new(page(body::decode_all(&rows)?, request, key)))
    }

    /// Opens everything of a release, after recording that it is fetched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the permit is for another release,
    /// [`StoreError::SessionEnded`].
    pub async fn withdraw(
        &self,
        permit: Permit<FetchRelease>,
        release: Guarded<Release>,
    ) -> Result<Visible<Withdrawal>, StoreError> {
        let release_id = permit.resource().release_id;
        let Release { release_id: given, run_id, entry_index, .. } = *release.for_decision();
        if given != release_id {
            return Err(StoreError::NotFound("release"));
        }
        self.note(&permit, EventKind::ReleaseFetched { release_id }).await?;
        let entry = self.entry(entry_index).await?;
        let (tree_size, checkpoint) = self.newest_checkpoint().await?;
        let inclusion = self.inclusion(entry_index, tree_size)?;
        let mut outputs = Vec::new();
        let mut connection = self.pool.acquire().await?;
        for (output, _) in outputs_of(&mut connection, run_id).await? {
            let content = self.content(&output).await?;
            outputs.push((output, content));
        }
        let withdrawal =
            Withdrawal { outputs, entry_index, entry, checkpoint, tree_size, inclusion };
        Ok(permit.reveal(Guarded::new(withdrawal)))
    }

    pub(crate) async fn content(
        &self,
        output: &OutputRecord,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let key = self.keys.find(Scope::Run(output.project_id, output.run_id)).await?;
        let sealed = self.objects.read(&output_name(output.run_id, output.output_id)).await?;
        let context = output_context(output.run_id, output.ordinal, &output.name);
        Ok(open(&key, &context, &sealed)?)
    }
}

/// Records a release and marks its outputs as gone out.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    release: &Release,
) -> Result<Vec<SealedOutput>, StoreError> {
    sqlx::query(
        "INSERT INTO release (id, review_request_id, project_id, body) VALUES ($1, $2, $3, $4)",
    )
    .bind(release.release_id.to_string())
    .bind(release.review_request_id.to_string())
    .bind(release.project_id.to_string())
    .bind(body::encode(release)?)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE output SET released = 1 WHERE run_id = $1")
        .bind(release.run_id.to_string())
        .execute(&mut *connection)
        .await?;
    let outputs = outputs_of(connection, release.run_id).await?;
    Ok(outputs.iter().map(|(output, _)| sealed_output(output)).collect())
}

pub(crate) async fn outputs_of(
    connection: &mut AnyConnection,
    run_id: RunId,
) -> Result<Vec<(OutputRecord, bool)>, StoreError> {
    let rows = sqlx::query("SELECT body, released FROM output WHERE run_id = $1 ORDER BY ordinal")
        .bind(run_id.to_string())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((body::decode(row)?, row.try_get::<i64, _>("released")? != 0)))
        .collect()
}
