//! Orders of re-identification (RI-2): given by one steward, confirmed by another, traced by
//! a worker, taken to the identified zone. What lies here of persons is sealed for that zone.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{
        ConfirmReidentification, FetchReidentification, ListReidentifications,
        OrderReidentification,
    },
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    Page, PageRequest, ProjectId, Reidentification, ReidentificationId, ReidentificationState,
    Release, Timestamp,
    lifecycle::Lifecycle,
    reidentification::{ReidentificationEvent, SignedOrder},
};
use sekisho_vault::{Context, open};
use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

mod trace;

use crate::{
    Store, StoreError, body, bring_ins::check_approved, closing::check_open, keys::Scope,
    log::record, outputs::OutputRecord, projects::page, releases::outputs_of, runs::load_run,
};

const ORDER: &str = "SELECT body FROM reidentification WHERE id = $1";

impl Store {
    /// A released output with its content, to see whether its cell can be traced.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the release holds no such output.
    pub async fn released_output(
        &self,
        permit: &Permit<OrderReidentification>,
        release: &Release,
        name: &str,
    ) -> Result<(OutputRecord, Zeroizing<Vec<u8>>), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let outputs = outputs_of(&mut connection, release.run_id).await?;
        let found = outputs.into_iter().find(|(output, left)| *left && output.name == name);
        let (output, _) = found.ok_or(StoreError::NotFound("output"))?;
        let output_id = output.output_id;
        self.note(permit, EventKind::OutputRead { output_id }).await?;
        let content = self.content(&output).await?;
        Ok((output, content))
    }

    /// Records an order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `PROJECT_CLOSED` or `TABLE_NOT_APPROVED`: what its run needs is
    /// gone, so it cannot be traced.
    pub async fn order_reidentification(
        &self,
        permit: Permit<OrderReidentification>,
        ordered: Reidentification,
    ) -> Result<Visible<Reidentification>, StoreError> {
        let event = record(
            &permit,
            EventKind::ReidentificationOrdered {
                reidentification_id: ordered.order.reidentification_id,
                release_id: ordered.order.release_id,
                order_sha256: ordered.order_sha256.clone(),
            },
        );
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    check_open(tx, ordered.order.project_id).await?;
                    let run = load_run(tx, ordered.order.run_id).await?;
                    check_approved(tx, &run).await?;
                    sqlx::query(
                        "INSERT INTO reidentification (id, project_id, state, body)
                         VALUES ($1, $2, $3, $4)",
                    )
                    .bind(ordered.order.reidentification_id.to_string())
                    .bind(ordered.order.project_id.to_string())
                    .bind(ordered.state.name())
                    .bind(body::encode(&ordered)?)
                    .execute(&mut *tx)
                    .await?;
                    Ok((ordered, vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// An order, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn reidentification(
        &self,
        id: ReidentificationId,
    ) -> Result<Guarded<Reidentification>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(load(&mut connection, id).await?))
    }

    /// Records a second steward's confirmation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `SAME_PERSON`, `ORDER_EXPIRED`, `OTHER_ORDER` or
    /// `WRONG_STATE`.
    pub async fn confirm_reidentification(
        &self,
        permit: Permit<ConfirmReidentification>,
        order_sha256: String,
        signed: SignedOrder,
    ) -> Result<Visible<Reidentification>, StoreError> {
        let id = permit.resource().reidentification_id;
        let event = record(
            &permit,
            EventKind::ReidentificationConfirmed {
                reidentification_id: id,
                order_sha256: signed.sha256.clone(),
            },
        );
        let at = permit.at();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = load(tx, id).await?;
                    check_confirmation(&found, &signed, &order_sha256, at)?;
                    check_open(tx, found.order.project_id).await?;
                    found.state = found.state.apply(ReidentificationEvent::Confirm)?;
                    found.signed = Some(signed);
                    update(tx, &found).await?;
                    Ok((found, vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// The orders, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn reidentifications(
        &self,
        permit: Permit<ListReidentifications>,
        request: &PageRequest,
    ) -> Result<Visible<Page<Reidentification>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM reidentification WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |found: &Reidentification| found.order.reidentification_id.to_string();
        Ok(permit.reveal(Guarded::new(page(body::decode_all(&rows)?, request, key))))
    }

    /// The signed order and the tokens, sealed for the identified zone alone, after recording
    /// that they are fetched.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `WRONG_STATE` while there are none, `PROJECT_CLOSED` when they
    /// are being erased.
    pub async fn fetch_reidentification(
        &self,
        permit: Permit<FetchReidentification>,
    ) -> Result<Visible<(SignedOrder, Vec<u8>)>, StoreError> {
        let id = permit.resource().reidentification_id;
        let event = record(&permit, EventKind::ReidentificationFetched { reidentification_id: id });
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = load(tx, id).await?;
                    check_open(tx, found.order.project_id).await?;
                    if found.state != ReidentificationState::Fetched {
                        found.state = found.state.apply(ReidentificationEvent::Fetch)?;
                        update(tx, &found).await?;
                    }
                    let signed = found.signed.ok_or(StoreError::NotFound("signed order"))?;
                    let sha256 = found.tokens_sha256.ok_or(StoreError::NotFound("tokens"))?;
                    Ok(((signed, sha256, found.order), vec![event]))
                })
            })
            .await?;
        let (signed, sha256, order) = done.value;
        let stored = self.objects.read(&tokens_name(id, &sha256)).await?;
        let key = self.keys.find(Scope::Run(order.project_id, order.run_id)).await?;
        let tokens = open(&key, &tokens_context(id), &stored)?.to_vec();
        Ok(permit.reveal(Guarded::new((signed, tokens))))
    }
}

/// Refuses the orders that a closed project can no longer answer; gives the folders of all
/// its sealed tokens, to be erased: also of tokens that came and were never taken over, and
/// of an order that cannot be read.
pub(crate) async fn end_with_project(
    tx: &mut AnyConnection,
    project_id: ProjectId,
    kinds: &mut Vec<EventKind>,
) -> Result<Vec<String>, StoreError> {
    const OF_PROJECT: &str =
        "SELECT id, body FROM reidentification WHERE project_id = $1 ORDER BY id";
    let rows = sqlx::query(OF_PROJECT).bind(project_id.to_string()).fetch_all(&mut *tx).await?;
    for mut found in body::decode_readable::<Reidentification>("reidentification", &rows)? {
        if let Ok(refused) = found.state.apply(ReidentificationEvent::Refuse) {
            (found.state, found.lease) = (refused, None);
            update(tx, &found).await?;
            kinds.push(ended(found.order.reidentification_id, refused));
        }
    }
    rows.iter().map(|row| Ok(tokens_folder(&row.try_get::<String, _>("id")?))).collect()
}

fn ended(reidentification_id: ReidentificationId, outcome: ReidentificationState) -> EventKind {
    EventKind::ReidentificationEnded { reidentification_id, outcome }
}

/// What the policies said already, again where it takes effect: nothing may have changed in
/// between.
fn check_confirmation(
    found: &Reidentification,
    signed: &SignedOrder,
    order_sha256: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    if found.order.ordered_by == signed.confirmed_by {
        return Err(StoreError::conflict("SAME_PERSON", "another steward must confirm (RI-2)"));
    }
    if found.order_sha256 != order_sha256 {
        return Err(StoreError::conflict("OTHER_ORDER", "the order is another; look at it again"));
    }
    if found.expires_at <= at {
        return Err(StoreError::conflict("ORDER_EXPIRED", "too late; order it again"));
    }
    Ok(())
}

fn tokens_folder(id: &str) -> String {
    format!("reidentifications/{id}/")
}

fn tokens_name(id: ReidentificationId, sha256: &str) -> String {
    format!("{}{sha256}", tokens_folder(&id.to_string()))
}

/// What the tokens are sealed under once more while they lie here, so that nobody opens them
/// after close-out: not with the identified zone's key either.
fn tokens_context(id: ReidentificationId) -> Context {
    Context::new("reidentification-tokens").text(&id.to_string())
}

async fn load(
    connection: &mut AnyConnection,
    id: ReidentificationId,
) -> Result<Reidentification, StoreError> {
    body::one(connection, "reidentification", ORDER, &id.to_string()).await
}

async fn update(
    connection: &mut AnyConnection,
    found: &Reidentification,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE reidentification SET state = $1, body = $2 WHERE id = $3")
        .bind(found.state.name())
        .bind(body::encode(found)?)
        .bind(found.order.reidentification_id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
