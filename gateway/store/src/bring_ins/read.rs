//! What is read of brought-in tables: listings, descriptions, and their sealed parts.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{ListBringInQueue, ListBringIns, ReadBringIn, ReadBringInTable, StartRun},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    BringIn, BringInId, BringInState, Page, PageRequest, PinnedBringIn, Run, lifecycle::Lifecycle,
};
use sekisho_vault::{Key, open};
use zeroize::Zeroizing;

use super::{load, not_approved, of_project, part::Part};
use crate::{Store, StoreError, body, keys::Scope, projects::page};

/// A brought-in table as stored, with what opens it; goes to a worker under a lease.
pub struct SealedBringIn {
    /// Which, and exactly what content.
    pub pinned: PinnedBringIn,
    /// Its description as stored.
    pub description: Vec<u8>,
    /// Its CSV as stored.
    pub table: Vec<u8>,
    /// Opens both.
    pub key: Key,
}

impl Store {
    /// A brought-in table, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn bring_in(&self, id: BringInId) -> Result<Guarded<BringIn>, StoreError> {
        Ok(Guarded::new(load(&mut *self.pool.acquire().await?, id).await?))
    }

    /// What it says of itself, for whoever may read that.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `TABLE_ERASED` once it does not stand any more.
    pub async fn bring_in_description(
        &self,
        permit: &Permit<ReadBringIn>,
        found: &BringIn,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        if permit.resource().bring_in_id != found.bring_in_id {
            return Err(StoreError::NotFound("brought-in table"));
        }
        self.open_part(found, Part::Description).await
    }

    /// Opens its CSV, after recording that it is read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `TABLE_ERASED` once it does not stand any more.
    pub async fn read_bring_in(
        &self,
        permit: Permit<ReadBringInTable>,
    ) -> Result<Visible<Zeroizing<Vec<u8>>>, StoreError> {
        let id = permit.resource().bring_in_id;
        let found = load(&mut *self.pool.acquire().await?, id).await?;
        let csv = self.open_part(&found, Part::Table).await?;
        let table_sha256 = found.table_sha256;
        self.note(&permit, EventKind::BringInRead { bring_in_id: id, table_sha256 }).await?;
        Ok(permit.reveal(Guarded::new(csv)))
    }

    /// The project's approved tables of these names, each exactly as it is now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `TABLE_NOT_APPROVED`, naming those there are none of.
    pub async fn approved_bring_ins(
        &self,
        permit: &Permit<StartRun>,
        names: &[&str],
    ) -> Result<Vec<PinnedBringIn>, StoreError> {
        let project_id = permit.resource().terms.project_id;
        let found = of_project(&mut *self.pool.acquire().await?, project_id).await?;
        let approved = |name: &str| {
            let counts = |one: &&BringIn| one.state == BringInState::Approved;
            found.iter().filter(counts).find(|one| one.table == name)
        };
        let missing: Vec<&str> =
            names.iter().copied().filter(|name| approved(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(not_approved(&missing.join(", ")));
        }
        Ok(names.iter().filter_map(|name| approved(name)).map(BringIn::pinned).collect())
    }

    /// The sealed tables that a leased run is tied to.
    pub(crate) async fn sealed_bring_ins(
        &self,
        run: &Run,
    ) -> Result<Vec<SealedBringIn>, StoreError> {
        let mut sealed = Vec::with_capacity(run.bring_ins.len());
        for pinned in &run.bring_ins {
            let (project_id, id) = (run.project_id, pinned.bring_in_id);
            sealed.push(SealedBringIn {
                pinned: pinned.clone(),
                key: self.keys.find(Scope::BringIn(project_id, id)).await?,
                description: self.objects.read(&Part::Description.name(project_id, id)).await?,
                table: self.objects.read(&Part::Table.name(project_id, id)).await?,
            });
        }
        Ok(sealed)
    }

    /// A project's brought-in tables, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn project_bring_ins(
        &self,
        permit: Permit<ListBringIns>,
        request: &PageRequest,
    ) -> Result<Visible<Page<BringIn>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM bring_in WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(permit.resource().terms.project_id.to_string())
        .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |found: &BringIn| found.bring_in_id.to_string();
        Ok(permit.reveal(Guarded::new(page(body::decode_all(&rows)?, request, key))))
    }

    /// Tables that wait for a steward, oldest first. Each must still be permitted.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn bring_in_queue(
        &self,
        _: &Permit<ListBringInQueue>,
        request: &PageRequest,
    ) -> Result<Guarded<Page<BringIn>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM bring_in WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(BringInState::Submitted.name())
        .bind(request.after.clone().unwrap_or_default())
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |found: &BringIn| found.bring_in_id.to_string();
        Ok(Guarded::new(page(body::decode_all(&rows)?, request, key)))
    }

    async fn open_part(
        &self,
        found: &BringIn,
        part: Part,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (project_id, id) = (found.project_id, found.bring_in_id);
        if !found.state.stands() {
            return Err(StoreError::conflict("TABLE_ERASED", "nothing is left of its content"));
        }
        let key = self.keys.find(Scope::BringIn(project_id, id)).await?;
        let sealed = self.objects.read(&part.name(project_id, id)).await?;
        Ok(open(&key, &part.context(id), &sealed)?)
    }
}
