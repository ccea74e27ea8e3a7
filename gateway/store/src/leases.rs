//! Leases: a run goes to one worker at a time, comes back when the lease runs out, and
//! ends with the worker's outputs or failure.

use std::sync::Arc;

use sekisho_access::{
    Permit,
    action::{HoldRun, LeaseRun},
};
use sekisho_audit::{Actor, Event, EventKind, RunUsage};
use sekisho_domain::{
    EndCause, FailureClass, LeaseId, Run, RunId, RunState, Timestamp, WorkerId,
    lifecycle::Lifecycle,
    run::{Lease, MAX_ATTEMPTS, RunEvent},
};
use sekisho_vault::{Context, Key, open};
use sqlx::AnyConnection;

mod next;

use next::{still_allowed, take_next};

use crate::{
    Store, StoreError, body,
    bring_ins::SealedBringIn,
    keys::Scope,
    log::record,
    modules::SealedModule,
    outputs::{OutputRecord, insert_output, output_context, output_name, sealed_output},
    runs::{end_run, finish, load_run, parameters_context, parameters_name, update_run},
};

/// A leased run with everything its worker needs.
pub struct Leased {
    /// The run.
    pub run: Run,
    /// Its lease.
    pub lease: Lease,
    /// Its module.
    pub module: SealedModule,
    /// The brought-in tables that it looks up.
    pub bring_ins: Vec<SealedBringIn>,
    /// Encoded parameters.
    pub parameters: Vec<u8>,
    /// Seals the outputs.
    pub output_key: Key,
    /// Puts the patients in an order of the project's own.
    pub order_key: Key,
}

impl Store {
    /// Leases the oldest queued run that is still allowed, if any, until `expires_at`; those
    /// before it that are not are cancelled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_run(
        &self,
        permit: Permit<LeaseRun>,
        worker_id: WorkerId,
        expires_at: Timestamp,
    ) -> Result<Option<Leased>, StoreError> {
        let waiting = sqlx::query("SELECT id FROM run WHERE state = $1 ORDER BY id LIMIT 1")
            .bind(RunState::Queued.name())
            .fetch_optional(&self.pool)
            .await?;
        if waiting.is_none() {
            return Ok(None);
        }
        let lease = Lease { lease_id: LeaseId::new(permit.at()), worker_id, expires_at };
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        let (taken, linkage) = (lease.clone(), Arc::clone(&self.linkage));
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let (run, kinds) = take_next(tx, &linkage, &taken, at).await?;
                    let events = kinds.into_iter().map(|kind| {
                        // Ending one that is not allowed is the gateway's own doing.
                        let leased = matches!(kind, EventKind::RunLeased { .. });
                        let actor = if leased { actor } else { Actor::System {} };
                        Event { at, request_id: Some(request_id), actor, kind }
                    });
                    Ok((run, events.collect()))
                })
            })
            .await?;
        match done.value {
            Some(run) => Ok(Some(self.equip(run, lease).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn equip(&self, run: Run, lease: Lease) -> Result<Leased, StoreError> {
        let module = self.sealed_module(run.project_id, run.module_id).await?;
        let bring_ins = self.sealed_bring_ins(&run).await?;
        let output_key = self.keys.find(Scope::Run(run.project_id, run.run_id)).await?;
        let sealed = self.objects.read(&parameters_name(run.run_id)).await?;
        let parameters = open(&output_key, &parameters_context(run.run_id), &sealed)?.to_vec();
        let project_key = self.keys.find(Scope::Project(run.project_id)).await?;
        let order = Context::new("project-order").text(&run.project_id.to_string());
        let order_key = project_key.derive(&order)?;
        Ok(Leased { run, lease, module, bring_ins, parameters, output_key, order_key })
    }

    /// Extends a lease and keeps coarse progress. A run that is not allowed any more is
    /// cancelled instead, as its state then says.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one.
    pub async fn hold_run(
        &self,
        permit: Permit<HoldRun>,
        lease_id: LeaseId,
        state: RunState,
        progress_tenths: u32,
        expires_at: Timestamp,
    ) -> Result<Run, StoreError> {
        let run_id = permit.resource().run_id;
        let moved = record(&permit, EventKind::RunStateChanged { run_id, state });
        let cancelled = cancellation(&permit);
        let at = permit.at();
        let linkage = Arc::clone(&self.linkage);
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = held(tx, run_id, lease_id).await?;
                    if !still_allowed(tx, &linkage, &run, at).await? {
                        end_run(tx, &mut run, at, EndCause::NoLongerPermitted).await?;
                        return Ok((run, vec![cancelled]));
                    }
                    let mut events = vec![];
                    if let Some(event) = step_towards(run.state, state) {
                        run.state = run.state.apply(event)?;
                        events.push(moved);
                    }
                    run.progress_tenths = run.progress_tenths.max(progress_tenths.min(10));
                    if let Some(lease) = &mut run.lease {
                        lease.expires_at = expires_at;
                    }
                    update_run(tx, &run).await?;
                    Ok((run, events))
                })
            })
            .await?;
        Ok(done.value)
    }

    /// Whether what is held under a lease, a run or the trace of one, goes on at `now`: the
    /// lease is the present one, and the run is still allowed. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn goes_on(
        &self,
        run_id: RunId,
        lease_id: LeaseId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let run = load_run(&mut connection, run_id).await?;
        if run.lease.as_ref().is_some_and(|lease| lease.lease_id == lease_id) {
            return still_allowed(&mut connection, &self.linkage, &run, now).await;
        }
        drop(connection);
        Ok(self.trace_under(lease_id).await?.is_some())
    }

    /// Opens what a worker sealed, before it is taken over: it must be what the lease's
    /// key seals, under this run, at its place. `None` when it is not.
    ///
    /// # Errors
    /// [`StoreError`] when the key cannot be had now, which says nothing of the output.
    pub async fn open_sealed_output(
        &self,
        permit: &Permit<HoldRun>,
        ordinal: u32,
        name: &str,
        sealed: &[u8],
    ) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
        let resource = permit.resource();
        let key = self.keys.find(Scope::Run(resource.terms.project_id, resource.run_id)).await?;
        Ok(open(&key, &output_context(resource.run_id, ordinal, name), sealed).ok())
    }

    /// Takes a run's sealed outputs over and ends it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one, or the run
    /// is not allowed any more and was cancelled; then nothing was taken over.
    pub async fn complete_run(
        &self,
        permit: Permit<HoldRun>,
        lease_id: LeaseId,
        outputs: Vec<(OutputRecord, Vec<u8>)>,
        usage: RunUsage,
    ) -> Result<Run, StoreError> {
        let run_id = permit.resource().run_id;
        let mut rows = Vec::with_capacity(outputs.len());
        let mut objects = Vec::with_capacity(outputs.len());
        for (row, sealed) in outputs {
            objects.push(output_name(run_id, row.output_id));
            self.objects.put(&output_name(run_id, row.output_id), sealed).await?;
            rows.push(row);
        }
        let completed = record(
            &permit,
            EventKind::RunCompleted {
                run_id,
                requested_by: permit.resource().requested_by,
                outputs: rows.iter().map(sealed_output).collect(),
                usage,
            },
        );
        let cancelled = cancellation(&permit);
        let at = permit.at();
        let linkage = Arc::clone(&self.linkage);
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = held(tx, run_id, lease_id).await?;
                    if !still_allowed(tx, &linkage, &run, at).await? {
                        end_run(tx, &mut run, at, EndCause::NoLongerPermitted).await?;
                        return Ok((run, vec![cancelled]));
                    }
                    run.state = run.state.apply(RunEvent::Complete)?;
                    run.output_count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                    finish(&mut run, at);
                    run.progress_tenths = 10;
                    update_run(tx, &run).await?;
                    for row in rows {
                        insert_output(tx, &row).await?;
                    }
                    Ok((run, vec![completed]))
                })
            })
            .await;
        let refused = match done.map(|done| done.value) {
            Ok(run) if run.state == RunState::Succeeded => return Ok(run),
            Ok(_) => lease_lost(),
            Err(refused @ StoreError::Conflict { code: "LEASE_LOST", .. }) => refused,
            // It may have been done and only the answer lost.
            Err(error) => return Err(error),
        };
        // What stays behind here goes with the run's folder when the project closes.
        for name in objects {
            let _ = self.objects.remove(&name).await;
        }
        Err(refused)
    }

    /// Ends a leased run that failed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one.
    pub async fn fail_run(
        &self,
        permit: Permit<HoldRun>,
        lease_id: LeaseId,
        class: FailureClass,
        usage: RunUsage,
    ) -> Result<Run, StoreError> {
        let run_id = permit.resource().run_id;
        let requested_by = permit.resource().requested_by;
        let failed = record(&permit, EventKind::RunFailed { run_id, requested_by, class, usage });
        let returned = record(&permit, EventKind::LeaseLost { run_id, lease_id });
        let at = permit.at();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = held(tx, run_id, lease_id).await?;
                    // What the environment spoiled is tried again; what the module did is not.
                    let again = class == FailureClass::Environment && run.attempts < MAX_ATTEMPTS;
                    let event = if again {
                        run.state = run.state.apply(RunEvent::LeaseLost)?;
                        run.lease = None;
                        returned
                    } else {
                        run.state = run.state.apply(RunEvent::Fail)?;
                        run.failure_class = Some(class);
                        finish(&mut run, at);
                        failed
                    };
                    update_run(tx, &run).await?;
                    Ok((run, vec![event]))
                })
            })
            .await?;
        Ok(done.value)
    }

    /// Queues runs again whose lease ran out; after [`MAX_ATTEMPTS`] they fail. The
    /// gateway does this by itself, as the log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reap_leases(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        const EXPIRED: &str = "SELECT id, body FROM run WHERE lease_expires_at <= $1 ORDER BY id";
        let any = sqlx::query(EXPIRED).bind(now.millis()).fetch_optional(&self.pool).await?;
        if any.is_none() {
            return Ok(vec![]);
        }
        let done = self
            .writer
            .commit(move |tx| {
                Box::pin(async move {
                    let rows = sqlx::query(EXPIRED).bind(now.millis()).fetch_all(&mut *tx).await?;
                    let (mut ids, mut events) = (vec![], vec![]);
                    for mut run in body::decode_readable::<Run>("run", &rows)? {
                        ids.push(run.run_id);
                        events.extend(reap(&mut run, now)?.map(|kind| Event {
                            at: now,
                            request_id: None,
                            actor: Actor::System {},
                            kind,
                        }));
                        update_run(tx, &run).await?;
                    }
                    Ok((ids, events))
                })
            })
            .await?;
        Ok(done.value)
    }
}

fn reap(run: &mut Run, now: Timestamp) -> Result<Option<EventKind>, StoreError> {
    let Some(lease) = run.lease.take() else { return Ok(None) };
    let (run_id, lease_id) = (run.run_id, lease.lease_id);
    if run.attempts < MAX_ATTEMPTS {
        run.state = run.state.apply(RunEvent::LeaseLost)?;
        return Ok(Some(EventKind::LeaseLost { run_id, lease_id }));
    }
    give_up(run, now).map(Some)
}

/// Ends a run that nobody will take up any more.
fn give_up(run: &mut Run, now: Timestamp) -> Result<EventKind, StoreError> {
    run.state = run.state.apply(RunEvent::Fail)?;
    run.failure_class = Some(FailureClass::Environment);
    finish(run, now);
    Ok(EventKind::RunFailed {
        run_id: run.run_id,
        requested_by: run.requested_by,
        class: FailureClass::Environment,
        usage: RunUsage::default(),
    })
}

/// The one step a worker's report may mean; `None` when there is nothing to do.
fn step_towards(from: RunState, to: RunState) -> Option<RunEvent> {
    match (from, to) {
        (RunState::Leased, RunState::Running) => Some(RunEvent::Start),
        (RunState::Leased | RunState::Running, RunState::Sealing) => Some(RunEvent::Seal),
        _ => None,
    }
}

/// The run, if `lease_id` is its present lease.
async fn held(
    connection: &mut AnyConnection,
    run_id: RunId,
    lease_id: LeaseId,
) -> Result<Run, StoreError> {
    let run = load_run(connection, run_id).await?;
    if run.lease.as_ref().is_some_and(|lease| lease.lease_id == lease_id) {
        Ok(run)
    } else {
        Err(lease_lost())
    }
}

fn lease_lost() -> StoreError {
    StoreError::conflict("LEASE_LOST", "the run is no longer this worker's")
}

/// Ending a run under way whose permission is gone is the gateway's own doing.
fn cancellation(permit: &Permit<HoldRun>) -> Event {
    let kind = EventKind::RunCancelled { run_id: permit.resource().run_id };
    let request_id = Some(permit.request_id());
    Event { at: permit.at(), request_id, actor: Actor::System {}, kind }
}
