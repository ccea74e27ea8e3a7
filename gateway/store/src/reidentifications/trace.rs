//! The workers' side of a re-identification: leases out, sealed tokens in.

use std::sync::Arc;

use sekisho_access::{
    Guarded, Permit,
    action::{HoldTrace, LeaseTrace},
    linkage::LinkageMatrix,
};
use sekisho_audit::{Actor, Event, EventKind};
use sekisho_domain::{
    FailureClass, LeaseId, Reidentification, ReidentificationId, ReidentificationState, Run, RunId,
    Timestamp, WorkerId,
    lifecycle::Lifecycle,
    reidentification::ReidentificationEvent,
    run::{Lease, MAX_ATTEMPTS},
};
use sekisho_vault::seal;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use super::{ended, load, tokens_context, tokens_name, update};
use crate::{
    Store, StoreError, body, bring_ins::first_missing, keys::Scope, leases::Leased,
    linkage::is_closed_to, log::record, runs::load_run, writer::Outcome,
};

const IN_STATE: &str = "SELECT id, body FROM reidentification WHERE state = $1 ORDER BY id";

impl Store {
    /// Whether a confirmed order waits for a worker.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn trace_waits(&self) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let waiting = in_state(&mut connection, ReidentificationState::Confirmed).await?;
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
        let (taken, linkage) = (lease.clone(), Arc::clone(&self.linkage));
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
                    let Some(run) = repeatable(tx, &linkage, found.order.run_id, at).await? else {
                        return Ok((None, vec![refuse(tx, &mut found, at).await?]));
                    };
                    found.attempts += 1;
                    found.lease = Some(taken);
                    update(tx, &found).await?;
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

    /// The order that is traced under a lease, if it still is.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn trace_under(
        &self,
        lease_id: LeaseId,
    ) -> Result<Option<Guarded<Reidentification>>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let traced = in_state(&mut connection, ReidentificationState::Confirmed).await?;
        Ok(traced.into_iter().find(|found| is_held(found, lease_id)).map(Guarded::new))
    }

    /// Extends the lease of a trace to `until`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one, or the
    /// matrix now keeps apart what its run joins and the order was refused (LK-3).
    pub async fn hold_trace(
        &self,
        permit: Permit<HoldTrace>,
        lease_id: LeaseId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let id = permit.resource().reidentification_id;
        let (at, linkage) = (permit.at(), Arc::clone(&self.linkage));
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = held(tx, id, lease_id).await?;
                    let run = load_run(tx, found.order.run_id).await?;
                    if is_closed_to(tx, &linkage, &run, at).await? {
                        return Ok((false, vec![refuse(tx, &mut found, at).await?]));
                    }
                    found.lease = found.lease.map(|lease| Lease { expires_at: until, ..lease });
                    update(tx, &found).await?;
                    Ok((true, vec![]))
                })
            })
            .await?;
        if done.value { Ok(()) } else { Err(lease_lost()) }
    }

    /// Takes over the tokens that a worker sealed for the identified zone, sealed once more
    /// under the run's key: what they tell ends with it (SV-3). A worker that heard no answer
    /// says the same again.
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
        let name = tokens_name(id, &sha256);
        let order = self.reidentification(id).await?.for_decision().order.clone();
        let key = self.keys.find(Scope::Run(order.project_id, order.run_id)).await?;
        let twice_sealed = seal(&key, &tokens_context(id), &sealed_tokens)?;
        self.objects.put(&name, twice_sealed).await?;
        let kind =
            EventKind::ReidentificationSealed { reidentification_id: id, sha256: sha256.clone() };
        let event = record(&permit, kind);
        let (at, linkage, taken) = (permit.at(), Arc::clone(&self.linkage), sha256.clone());
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = held(tx, id, lease_id).await?;
                    let run = load_run(tx, found.order.run_id).await?;
                    if is_closed_to(tx, &linkage, &run, at).await? {
                        return Ok((false, vec![refuse(tx, &mut found, at).await?]));
                    }
                    found.state = found.state.apply(ReidentificationEvent::Seal)?;
                    (found.lease, found.tokens_sha256) = (None, Some(taken));
                    update(tx, &found).await?;
                    Ok((true, vec![event]))
                })
            })
            .await
            .and_then(|done| if done.value { Ok(()) } else { Err(lease_lost()) });
        if let Err(StoreError::Conflict { code: "LEASE_LOST", .. }) = done {
            let order = self.reidentification(id).await?;
            if order.for_decision().tokens_sha256.as_ref() == Some(&sha256) {
                return Ok(());
            }
            // Close-out empties the folder too; this is only sooner.
            let _ = self.objects.remove(&name).await;
        }
        done
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
        let refused = record(&permit, ended(id, ReidentificationState::Refused));
        let lost = record(&permit, EventKind::TraceLost { reidentification_id: id });
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut found = held(tx, id, lease_id).await?;
                    found.lease = None;
                    let given_back = class == FailureClass::Environment;
                    let mut events = Vec::new();
                    if given_back {
                        events.push(lost);
                    }
                    if !given_back || found.attempts >= MAX_ATTEMPTS {
                        found.state = found.state.apply(ReidentificationEvent::Refuse)?;
                        events.push(refused);
                    }
                    update(tx, &found).await?;
                    Ok(((), events))
                })
            })
            .await?;
        Ok(())
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

async fn tend(tx: &mut AnyConnection, now: Timestamp) -> Outcome<()> {
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
            let reidentification_id = found.order.reidentification_id;
            kinds.push(EventKind::TraceLost { reidentification_id });
            if found.attempts >= MAX_ATTEMPTS {
                found.state = found.state.apply(ReidentificationEvent::Refuse)?;
                kinds.push(ended(reidentification_id, found.state));
            }
            update(tx, &found).await?;
        }
    }
    let actor = Actor::System {};
    let events = kinds.into_iter().map(|kind| Event { at: now, request_id: None, actor, kind });
    Ok(((), events.collect()))
}

/// The run, if it can be done again as it was: what it reads is there and may be joined. One
/// that cannot be read cannot be done, and holds up no other order.
async fn repeatable(
    tx: &mut AnyConnection,
    linkage: &LinkageMatrix,
    run_id: RunId,
    at: Timestamp,
) -> Result<Option<Run>, StoreError> {
    let found = async {
        let run = load_run(tx, run_id).await?;
        let barred =
            first_missing(tx, &run).await?.is_some() || is_closed_to(tx, linkage, &run, at).await?;
        Ok::<_, StoreError>((!barred).then_some(run))
    };
    match found.await {
        Err(error @ (StoreError::Body(_) | StoreError::NotFound(_))) => {
            tracing::error!(%error, %run_id, "what an order asks about cannot be read");
            Ok(None)
        }
        found => found,
    }
}

async fn in_state(
    connection: &mut AnyConnection,
    state: ReidentificationState,
) -> Result<Vec<Reidentification>, StoreError> {
    let rows = sqlx::query(IN_STATE).bind(state.name()).fetch_all(connection).await?;
    body::decode_readable("reidentification", &rows)
}

/// The order, if `lease_id` is its present lease.
async fn held(
    connection: &mut AnyConnection,
    id: ReidentificationId,
    lease_id: LeaseId,
) -> Result<Reidentification, StoreError> {
    let found = load(connection, id).await?;
    if is_held(&found, lease_id) { Ok(found) } else { Err(lease_lost()) }
}

fn lease_lost() -> StoreError {
    StoreError::conflict("LEASE_LOST", "the trace is no longer this worker's")
}

/// Ends an order that cannot be traced any more; the gateway does this by itself.
async fn refuse(
    tx: &mut AnyConnection,
    found: &mut Reidentification,
    at: Timestamp,
) -> Result<Event, StoreError> {
    (found.state, found.lease) = (found.state.apply(ReidentificationEvent::Refuse)?, None);
    update(tx, found).await?;
    let kind = ended(found.order.reidentification_id, found.state);
    Ok(Event { at, request_id: None, actor: Actor::System {}, kind })
}

fn is_held(found: &Reidentification, lease_id: LeaseId) -> bool {
    found.lease.as_ref().is_some_and(|lease| lease.lease_id == lease_id)
}
