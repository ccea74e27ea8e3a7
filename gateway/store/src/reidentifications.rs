//! Orders of re-identification (RI-2): given by one steward, confirmed by another, traced by
//! a worker, taken to the identified zone. What lies here of persons is sealed for that zone.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{
        ConfirmReidentification, FetchReidentification, HoldTrace, LeaseTrace,
        ListReidentifications, OrderReidentification,
    },
};
use sekisho_audit::{Actor, Event, EventKind};
use sekisho_domain::{
    FailureClass, LeaseId, Page, PageRequest, ProjectId, Reidentification, ReidentificationId,
    ReidentificationState, Release, Timestamp, WorkerId,
    lifecycle::Lifecycle,
    reidentification::{ReidentificationEvent, SignedOrder},
    run::{Lease, MAX_ATTEMPTS},
};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use zeroize::Zeroizing;

use crate::{
    Store, StoreError, body,
    bring_ins::{check_approved, first_missing},
    closing::check_open,
    leases::Leased,
    log::record,
    outputs::OutputRecord,
    projects::page,
    releases::outputs_of,
    runs::load_run,
};

const ORDER: &str = "SELECT body FROM reidentification WHERE id = $1";
const IN_STATE: &str = "SELECT body FROM reidentification WHERE state = $1 ORDER BY id";

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
                        "INSERT INTO reidentification (id, state, body) VALUES ($1, $2, $3)",
                    )
                    .bind(ordered.order.reidentification_id.to_string())
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

    /// Whether a confirmed order waits for a worker.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn trace_waits(&self) -> Result<bool, StoreError> {
        let rows = sqlx::query(IN_STATE)
            .bind(ReidentificationState::Confirmed.name())
            .fetch_all(&self.pool)
            .await?;
        let waiting = body::decode_all::<Reidentification>(&rows)?;
        Ok(waiting.iter().any(|found| found.lease.is_none()))
    }

    /// Leases the oldest confirmed order, if any, until `expires_at`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_trace(
        &self,
        permit: Permit<LeaseTrace>,
        worker_id: WorkerId,
        expires_at: Timestamp,
    ) -> Result<Option<(Reidentification, Leased)>, StoreError> {
        let lease = Lease { lease_id: LeaseId::new(permit.at()), worker_id, expires_at };
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        let taken = lease.clone();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let Some(mut found) = in_state(tx, ReidentificationState::Confirmed)
                        .await?
                        .into_iter()
                        .find(|found| found.lease.is_none())
                    else {
                        return Ok((None, vec![]));
                    };
                    found.attempts += 1;
                    found.lease = Some(taken);
                    update(tx, &found).await?;
                    let run = load_run(tx, found.order.run_id).await?;
                    if first_missing(tx, &run).await?.is_some() {
                        // It cannot be done again as it was.
                        found.state = found.state.apply(ReidentificationEvent::Refuse)?;
                        update(tx, &found).await?;
                        let kind = ended(found.order.reidentification_id, found.state);
                        let event = Event { at, request_id: None, actor: Actor::System {}, kind };
                        return Ok((None, vec![event]));
                    }
                    let reidentification_id = found.order.reidentification_id;
                    let kind = EventKind::TraceLeased { reidentification_id, worker_id };
                    let event = Event { at, request_id: Some(request_id), actor, kind };
                    Ok((Some((found, run)), vec![event]))
                })
            })
            .await?;
        match done.value {
            Some((found, run)) => Ok(Some((found, self.equip(run, lease).await?))),
            None => Ok(None),
        }
    }

    /// Takes over the tokens that a worker sealed for the identified zone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one.
    pub async fn complete_trace(
        &self,
        permit: Permit<HoldTrace>,
        lease_id: LeaseId,
        sealed_tokens: Vec<u8>,
    ) -> Result<(), StoreError> {
        let id = permit.resource().reidentification_id;
        let sha256 = hex::encode(Sha256::digest(&sealed_tokens));
        self.objects.put(&tokens_name(id), sealed_tokens).await?;
        let kind = EventKind::ReidentificationSealed { reidentification_id: id, sha256 };
        let event = record(&permit, kind);
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = held(tx, id, lease_id).await?;
                    found.state = found.state.apply(ReidentificationEvent::Seal)?;
                    found.lease = None;
                    update(tx, &found).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }

    /// Ends a trace that failed: what the environment spoiled is tried again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one.
    pub async fn fail_trace(
        &self,
        permit: Permit<HoldTrace>,
        lease_id: LeaseId,
        class: FailureClass,
    ) -> Result<(), StoreError> {
        let id = permit.resource().reidentification_id;
        let event = record(&permit, ended(id, ReidentificationState::Refused));
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = held(tx, id, lease_id).await?;
                    found.lease = None;
                    let mut events = vec![];
                    if class != FailureClass::Environment || found.attempts >= MAX_ATTEMPTS {
                        found.state = found.state.apply(ReidentificationEvent::Refuse)?;
                        events.push(event);
                    }
                    update(tx, &found).await?;
                    Ok(((), events))
                })
            })
            .await?;
        Ok(())
    }

    /// The signed order and the sealed tokens, after recording that they are fetched.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `WRONG_STATE` while there are none.
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
                    if found.state != ReidentificationState::Fetched {
                        found.state = found.state.apply(ReidentificationEvent::Fetch)?;
                        update(tx, &found).await?;
                    }
                    let signed = found.signed.ok_or(StoreError::NotFound("signed order"))?;
                    Ok((signed, vec![event]))
                })
            })
            .await?;
        let tokens = self.objects.read(&tokens_name(id)).await?;
        Ok(permit.reveal(Guarded::new((done.value, tokens))))
    }

    /// Ends orders that nobody confirmed in time and hands traces out again whose lease ran
    /// out. The gateway does this by itself, as the log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tend_reidentifications(&self, now: Timestamp) -> Result<(), StoreError> {
        let any = sqlx::query("SELECT id FROM reidentification WHERE state IN ($1, $2) LIMIT 1")
            .bind(ReidentificationState::Ordered.name())
            .bind(ReidentificationState::Confirmed.name())
            .fetch_optional(&self.pool)
            .await?;
        if any.is_none() {
            return Ok(());
        }
        self.writer.commit(move |tx| Box::pin(tend(tx, now))).await?;
        Ok(())
    }
}

/// Refuses the orders that a closed project can no longer answer; gives the names of all its
/// sealed tokens, to be erased.
pub(crate) async fn end_with_project(
    tx: &mut AnyConnection,
    project_id: ProjectId,
    kinds: &mut Vec<EventKind>,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("SELECT body FROM reidentification ORDER BY id").fetch_all(&mut *tx);
    let found: Vec<Reidentification> = body::decode_all(&rows.await?)?;
    let mut objects = Vec::new();
    for mut found in found.into_iter().filter(|found| found.order.project_id == project_id) {
        let id = found.order.reidentification_id;
        if let Ok(refused) = found.state.apply(ReidentificationEvent::Refuse) {
            (found.state, found.lease) = (refused, None);
            update(tx, &found).await?;
            kinds.push(ended(id, refused));
        } else {
            objects.push(tokens_name(id));
        }
    }
    Ok(objects)
}

async fn tend(tx: &mut AnyConnection, now: Timestamp) -> crate::writer::Outcome<()> {
    let mut kinds = vec![];
    for mut found in in_state(tx, ReidentificationState::Ordered).await? {
        if found.expires_at <= now {
            found.state = found.state.apply(ReidentificationEvent::Expire)?;
            update(tx, &found).await?;
            kinds.push(ended(found.order.reidentification_id, found.state));
        }
    }
    for mut found in in_state(tx, ReidentificationState::Confirmed).await? {
        if found.lease.as_ref().is_some_and(|lease| lease.expires_at <= now) {
            found.lease = None;
            if found.attempts >= MAX_ATTEMPTS {
                found.state = found.state.apply(ReidentificationEvent::Refuse)?;
                kinds.push(ended(found.order.reidentification_id, found.state));
            }
            update(tx, &found).await?;
        }
    }
    let actor = Actor::System {};
    let events = kinds.into_iter().map(|kind| Event { at: now, request_id: None, actor, kind });
    Ok(((), events.collect()))
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

fn tokens_name(id: ReidentificationId) -> String {
    format!("reidentifications/{id}")
}

async fn load(
    connection: &mut AnyConnection,
    id: ReidentificationId,
) -> Result<Reidentification, StoreError> {
    body::one(connection, "reidentification", ORDER, &id.to_string()).await
}

async fn in_state(
    connection: &mut AnyConnection,
    state: ReidentificationState,
) -> Result<Vec<Reidentification>, StoreError> {
    body::decode_all(&sqlx::query(IN_STATE).bind(state.name()).fetch_all(connection).await?)
}

/// The order, if `lease_id` is its present lease.
async fn held(
    connection: &mut AnyConnection,
    id: ReidentificationId,
    lease_id: LeaseId,
) -> Result<Reidentification, StoreError> {
    let found = load(connection, id).await?;
    if found.lease.as_ref().is_some_and(|lease| lease.lease_id == lease_id) {
        Ok(found)
    } else {
        Err(StoreError::conflict("LEASE_LOST", "the trace is no longer this worker's"))
    }
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
