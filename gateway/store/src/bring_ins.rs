//! Tables that researchers bring in (持込み, AG-5): sealed when they enter, decided by a
//! steward, opened by a review and by runs of their own project.

mod part;
mod read;

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{DecideBringIn, SubmitBringIn, WithdrawBringIn},
};
use sekisho_audit::{Event, EventKind};
use sekisho_domain::{
    BringIn, BringInId, BringInState, EndCause, ProjectId, Run,
    bring_in::{BringInDecision, BringInEvent, BringInWithdrawal},
    lifecycle::Lifecycle,
};
use sekisho_vault::seal;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use crate::{
    Store, StoreError, body,
    closing::check_open,
    keys::Scope,
    log::record,
    runs::{end_runs, runs_of},
};
use part::Part;
pub(crate) use part::{folder, object_names};
pub use read::SealedBringIn;

const BRING_IN: &str = "SELECT body FROM bring_in WHERE id = $1";
const OF_PROJECT: &str = "SELECT body FROM bring_in WHERE project_id = $1 ORDER BY id";

impl Store {
    /// Brings a table in, sealed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `TABLE_TAKEN` while another one of the project stands under
    /// its name.
    pub async fn submit_bring_in(
        &self,
        permit: Permit<SubmitBringIn>,
        bring_in: BringIn,
        description: &[u8],
        csv: &[u8],
    ) -> Result<Visible<BringIn>, StoreError> {
        let (project_id, id) = (bring_in.project_id, bring_in.bring_in_id);
        let event = record(
            &permit,
            EventKind::BringInSubmitted {
                bring_in_id: id,
                project_id,
                description_sha256: bring_in.description_sha256.clone(),
                table_sha256: bring_in.table_sha256.clone(),
            },
        );
        let key = self.keys.create(Scope::BringIn(project_id, id)).await?;
        for (part, content) in [(Part::Description, description), (Part::Table, csv)] {
            let sealed = seal(&key.key, &part.context(id), content)?;
            self.objects.put(&part.name(project_id, id), sealed).await?;
        }
        let row = bring_in.clone();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    check_open(tx, project_id).await?;
                    check_free(tx, &row).await?;
                    insert(tx, &row).await?;
                    key.insert(tx).await?;
                    Ok(((), vec![event]))
                })
            })
            .await;
        match done {
            Ok(_) => Ok(permit.reveal(Guarded::new(bring_in))),
            Err(refused @ (StoreError::Conflict { .. } | StoreError::SessionEnded)) => {
                self.remove_bring_in(&bring_in).await;
                Err(refused)
            }
            // It may have been done and only the answer lost.
            Err(error) => Err(error),
        }
    }

    /// A steward's decision. What is refused is erased.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was decided or taken back before.
    pub async fn decide_bring_in(
        &self,
        permit: Permit<DecideBringIn>,
        event: BringInEvent,
        decision: BringInDecision,
    ) -> Result<Visible<BringIn>, StoreError> {
        let id = permit.resource().bring_in_id;
        let (at, actor, request_id) = (permit.at(), *permit.actor(), Some(permit.request_id()));
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = load(tx, id).await?;
                    found.state = found.state.apply(event)?;
                    let kind = decided(&found, &decision);
                    found.decision = Some(decision);
                    update(tx, &found).await?;
                    Ok((found, vec![Event { at, request_id, actor, kind }]))
                })
            })
            .await?;
        if !done.value.state.stands() {
            self.remove_bring_in(&done.value).await;
        }
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// Takes a table back and erases it; unfinished runs that are tied to it end.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not stand any more.
    pub async fn withdraw_bring_in(
        &self,
        permit: Permit<WithdrawBringIn>,
        reason: String,
    ) -> Result<Visible<BringIn>, StoreError> {
        let id = permit.resource().bring_in_id;
        let (at, by) = (permit.at(), permit.person_id());
        let (actor, request_id) = (*permit.actor(), Some(permit.request_id()));
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = load(tx, id).await?;
                    let mut kinds = Vec::new();
                    withdraw(tx, &mut found, BringInWithdrawal { by, at, reason }, &mut kinds)
                        .await?;
                    let mut runs = runs_of(tx, found.project_id).await?;
                    runs.retain(|run| run.bring_ins.iter().any(|tied| tied.bring_in_id == id));
                    end_runs(tx, &mut runs, at, EndCause::TableWithdrawn, &mut kinds).await?;
                    let event = |kind| Event { at, request_id, actor, kind };
                    Ok((found, kinds.into_iter().map(event).collect()))
                })
            })
            .await?;
        self.remove_bring_in(&done.value).await;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// Removes its sealed objects, whose key is gone. What cannot be removed now goes with
    /// the project's folder.
    async fn remove_bring_in(&self, found: &BringIn) {
        for name in object_names(found) {
            if let Err(error) = self.objects.remove(&name).await {
                tracing::warn!(%error, name, "a sealed object is still there");
            }
        }
    }
}

/// Refuses a run whose tables were taken back since it was asked for.
pub(crate) async fn check_approved(
    connection: &mut AnyConnection,
    run: &Run,
) -> Result<(), StoreError> {
    match first_missing(connection, run).await? {
        None => Ok(()),
        Some(table) => Err(not_approved(&table)),
    }
}

/// Name of the first table that the run is tied to and that counts no more.
pub(crate) async fn first_missing(
    connection: &mut AnyConnection,
    run: &Run,
) -> Result<Option<String>, StoreError> {
    for pinned in &run.bring_ins {
        let found = load(connection, pinned.bring_in_id).await?;
        if found.state != BringInState::Approved || found.project_id != run.project_id {
            return Ok(Some(pinned.table.clone()));
        }
    }
    Ok(None)
}

/// Takes every table of a project that is closed back; gives those that stood.
pub(crate) async fn end_with_project(
    tx: &mut AnyConnection,
    project_id: ProjectId,
    withdrawal: BringInWithdrawal,
    kinds: &mut Vec<EventKind>,
) -> Result<Vec<BringIn>, StoreError> {
    let mut standing = of_project(tx, project_id).await?;
    standing.retain(|found| found.state.stands());
    for found in &mut standing {
        withdraw(tx, found, withdrawal.clone(), kinds).await?;
    }
    Ok(standing)
}

async fn withdraw(
    tx: &mut AnyConnection,
    found: &mut BringIn,
    withdrawal: BringInWithdrawal,
    kinds: &mut Vec<EventKind>,
) -> Result<(), StoreError> {
    found.state = found.state.apply(BringInEvent::Withdraw)?;
    kinds.push(EventKind::BringInWithdrawn {
        bring_in_id: found.bring_in_id,
        table_sha256: found.table_sha256.clone(),
        reason_sha256: hex::encode(Sha256::digest(&withdrawal.reason)),
    });
    found.withdrawal = Some(withdrawal);
    update(tx, found).await
}

fn decided(found: &BringIn, decision: &BringInDecision) -> EventKind {
    EventKind::BringInDecided {
        bring_in_id: found.bring_in_id,
        approved: found.state == BringInState::Approved,
        description_sha256: found.description_sha256.clone(),
        table_sha256: found.table_sha256.clone(),
        comment_sha256: hex::encode(Sha256::digest(&decision.comment)),
        decision_sha256: decision.decision_sha256.clone(),
    }
}

fn not_approved(names: &str) -> StoreError {
    let why = format!("the project has no approved table {names}");
    StoreError::conflict("TABLE_NOT_APPROVED", why)
}

async fn check_free(connection: &mut AnyConnection, new: &BringIn) -> Result<(), StoreError> {
    let standing = of_project(connection, new.project_id).await?;
    match standing.iter().any(|found| found.table == new.table && found.state.stands()) {
        false => Ok(()),
        true => {
            let why = format!("a table {} stands already; withdraw it first", new.table);
            Err(StoreError::conflict("TABLE_TAKEN", why))
        }
    }
}

async fn load(connection: &mut AnyConnection, id: BringInId) -> Result<BringIn, StoreError> {
    body::one(connection, "brought-in table", BRING_IN, &id.to_string()).await
}

async fn of_project(
    connection: &mut AnyConnection,
    project_id: ProjectId,
) -> Result<Vec<BringIn>, StoreError> {
    let rows = sqlx::query(OF_PROJECT).bind(project_id.to_string()).fetch_all(connection).await?;
    body::decode_all(&rows)
}

async fn insert(connection: &mut AnyConnection, row: &BringIn) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO bring_in (id, project_id, table_name, state, body) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(row.bring_in_id.to_string())
    .bind(row.project_id.to_string())
    .bind(&row.table)
    .bind(row.state.name())
    .bind(body::encode(row)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores a table's new state; the key of one that does not stand any more is destroyed.
async fn update(connection: &mut AnyConnection, found: &BringIn) -> Result<(), StoreError> {
    sqlx::query("UPDATE bring_in SET state = $1, body = $2 WHERE id = $3")
        .bind(found.state.name())
        .bind(body::encode(found)?)
        .bind(found.bring_in_id.to_string())
        .execute(&mut *connection)
        .await?;
    if !found.state.stands() {
        Scope::BringIn(found.project_id, found.bring_in_id).destroy(connection).await?;
    }
    Ok(())
}
