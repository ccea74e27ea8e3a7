//! Runs: queued by a permit, leased to one worker at a time, final exactly once.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{CancelRun, HoldRun, LeaseRun, ListRuns, StartRun},
};
use sekisho_audit::{Actor, Event, EventKind, RunUsage, SealedOutput};
use sekisho_domain::{
    FailureClass, GrantedTable, LeaseId, OutputId, Page, PageRequest, Person, Project, ProjectId,
    Run, RunId, RunState, Timestamp, WorkerId,
    lifecycle::Lifecycle,
    run::{Lease, MAX_ATTEMPTS, RunEvent},
};
use sekisho_vault::{Context, Key, open, seal};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

use crate::{
    Store, StoreError, body, keys::Scope, log::record, modules::SealedModule, projects::page,
};

const RUN: &str = "SELECT body FROM run WHERE id = $1";

/// What is recorded of a run when it is asked for.
#[derive(Debug, Clone)]
pub struct RunOrder {
    /// The run, queued.
    pub run: Run,
    /// Makes a retry find the first answer.
    pub request_key: Option<String>,
    /// Encoded parameters; sealed before they are stored.
    pub parameters: Vec<u8>,
    /// SHA-256 of the component, hexadecimal.
    pub module_sha256: String,
    /// The view it reads.
    pub tables: Vec<GrantedTable>,
    /// Most runs this person may start in an hour (SV-4).
    pub runs_per_hour: u32,
}

/// A leased run with everything its worker needs.
pub struct Leased {
    /// The run.
    pub run: Run,
    /// Its lease.
    pub lease: Lease,
    /// Its module.
    pub module: SealedModule,
    /// Encoded parameters.
    pub parameters: Vec<u8>,
    /// Seals the outputs.
    pub output_key: Key,
}

/// An output as stored; its content is a sealed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// Identifier.
    pub output_id: OutputId,
    /// Run.
    pub run_id: RunId,
    /// Project.
    pub project_id: ProjectId,
    /// Name declared in the manifest.
    pub name: String,
    /// Kind of output.
    pub kind: String,
    /// Findings of its check.
    pub findings: u32,
    /// Position within the run, from 0.
    pub ordinal: u32,
    /// SHA-256 of the sealed bytes, hexadecimal.
    pub sha256: String,
}

/// Context under which a runner seals an output.
#[must_use]
pub fn output_context(run_id: RunId, ordinal: u32, name: &str) -> Context {
    Context::new("run-output").text(&run_id.to_string()).text(&ordinal.to_string()).text(name)
}

fn parameters_context(run_id: RunId) -> Context {
    Context::new("run-parameters").text(&run_id.to_string())
}

impl Store {
    /// Queues a run. With a request key that was used before, returns that run.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `RUN_RATE` above the agreement's runs per hour,
    /// `REQUEST_ID_REUSED` when the key named a run of somebody or something else.
    pub async fn start_run(
        &self,
        permit: Permit<StartRun>,
        order: RunOrder,
    ) -> Result<Visible<Run>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        if let Some(run) = asked_before(&mut connection, &order).await? {
            return Ok(permit.reveal(Guarded::new(run)));
        }
        drop(connection);
        let run_id = order.run.run_id;
        let event = record(&permit, requested(&order));
        let key = self.keys.create(Scope::Run(order.run.project_id, run_id)).await?;
        let parameters = seal(&key.key, &parameters_context(run_id), &order.parameters)?;
        self.objects.put(&parameters_name(run_id), parameters).await?;
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    if let Some(run) = asked_before(tx, &order).await? {
                        return Ok((run, vec![]));
                    }
                    check_rate(tx, &order).await?;
                    insert_run(tx, &order).await?;
                    key.insert(tx).await?;
                    Ok((order.run, vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// Leases the oldest queued run, if any, until `expires_at`.
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
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let Some(mut run) = oldest_queued(tx).await? else {
                        return Ok((None, vec![]));
                    };
                    if !still_allowed(tx, &run, at).await? {
                        let event = Event {
                            at,
                            request_id: Some(request_id),
                            actor: Actor::System {},
                            kind: give_up(&mut run, at)?,
                        };
                        update_run(tx, &run).await?;
                        return Ok((None, vec![event]));
                    }
                    run.state = run.state.apply(RunEvent::Lease)?;
                    run.attempts += 1;
                    run.lease = Some(lease.clone());
                    update_run(tx, &run).await?;
                    let kind = EventKind::RunLeased {
                        run_id: run.run_id,
                        lease_id: lease.lease_id,
                        worker_id,
                        attempt: run.attempts,
                    };
                    let event = Event { at, request_id: Some(request_id), actor, kind };
                    Ok((Some((run, lease)), vec![event]))
                })
            })
            .await?;
        match done.value {
            Some((run, lease)) => Ok(Some(self.equip(run, lease).await?)),
            None => Ok(None),
        }
    }

    async fn equip(&self, run: Run, lease: Lease) -> Result<Leased, StoreError> {
        let module = self.sealed_module(run.project_id, run.module_id).await?;
        let output_key = self.keys.find(Scope::Run(run.project_id, run.run_id)).await?;
        let sealed = self.objects.read(&parameters_name(run.run_id)).await?;
        let parameters = open(&output_key, &parameters_context(run.run_id), &sealed)?.to_vec();
        Ok(Leased { run, lease, module, parameters, output_key })
    }

    /// Extends a lease and keeps coarse progress.
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
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = held(tx, run_id, lease_id).await?;
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

    /// Opens what a worker sealed, before it is taken over: it must be what the lease's
    /// key seals, under this run, at its place.
    ///
    /// # Errors
    /// [`StoreError::Vault`] when it does not open.
    pub async fn open_sealed_output(
        &self,
        permit: &Permit<HoldRun>,
        ordinal: u32,
        name: &str,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        let resource = permit.resource();
        let key = self.keys.find(Scope::Run(resource.terms.project_id, resource.run_id)).await?;
        Ok(open(&key, &output_context(resource.run_id, ordinal, name), sealed)?)
    }

    /// Takes a run's sealed outputs over and ends it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LEASE_LOST` when the lease is not the present one; then
    /// nothing was taken over.
    pub async fn complete_run(
        &self,
        permit: Permit<HoldRun>,
        lease_id: LeaseId,
        outputs: Vec<(OutputRecord, Vec<u8>)>,
        usage: RunUsage,
    ) -> Result<Run, StoreError> {
        let run_id = permit.resource().run_id;
        let mut rows = Vec::with_capacity(outputs.len());
        for (row, sealed) in outputs {
            self.objects.put(&output_name(row.output_id), sealed).await?;
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
        let at = permit.at();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = held(tx, run_id, lease_id).await?;
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
            .await?;
        Ok(done.value)
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

    /// Ends a run that has not finished; its worker learns at the next heartbeat.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `WRONG_STATE` when it is final.
    pub async fn cancel_run(&self, permit: Permit<CancelRun>) -> Result<Visible<Run>, StoreError> {
        let run_id = permit.resource().run_id;
        let event = record(&permit, EventKind::RunCancelled { run_id });
        let at = permit.at();
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut run = load_run(tx, run_id).await?;
                    run.state = run.state.apply(RunEvent::Cancel)?;
                    finish(&mut run, at);
                    update_run(tx, &run).await?;
                    Ok((run, vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// Queues runs again whose lease ran out; after [`MAX_ATTEMPTS`] they fail. The
    /// gateway does this by itself, as the log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reap_leases(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        const EXPIRED: &str = "SELECT body FROM run WHERE lease_expires_at <= $1 ORDER BY id";
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
                    for mut run in body::decode_all::<Run>(&rows)? {
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

    /// A run, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn run(&self, run_id: RunId) -> Result<Guarded<Run>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(Guarded::new(load_run(&mut connection, run_id).await?))
    }

    /// A project's runs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn runs(
        &self,
        permit: Permit<ListRuns>,
        request: &PageRequest,
    ) -> Result<Visible<Page<Run>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM run WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(permit.resource().terms.project_id.to_string())
        .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |run: &Run| run.run_id.to_string();
        Ok(permit.reveal(Guarded::new(page(body::decode_all(&rows)?, request, key))))
    }
}

/// As the log names a sealed output.
pub(crate) fn sealed_output(row: &OutputRecord) -> SealedOutput {
    SealedOutput { output_id: row.output_id, sha256: row.sha256.clone() }
}

pub(crate) fn output_name(output_id: OutputId) -> String {
    format!("outputs/{output_id}")
}

fn parameters_name(run_id: RunId) -> String {
    format!("parameters/{run_id}")
}

fn requested(order: &RunOrder) -> EventKind {
    EventKind::RunRequested {
        run_id: order.run.run_id,
        project_id: order.run.project_id,
        module_id: order.run.module_id,
        module_sha256: order.module_sha256.clone(),
        dataset_id: order.run.dataset_id.clone(),
        dataset_version: order.run.dataset_version.clone(),
        tables: order.tables.clone(),
        parameters_sha256: order.run.parameters_sha256.clone(),
    }
}

fn finish(run: &mut Run, at: Timestamp) {
    run.ended_at = Some(at);
    run.lease = None;
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

async fn load_run(connection: &mut AnyConnection, run_id: RunId) -> Result<Run, StoreError> {
    body::one(connection, "run", RUN, &run_id.to_string()).await
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
        Err(StoreError::conflict("LEASE_LOST", "the run is no longer this worker's"))
    }
}

/// Whether what permitted a queued run still holds: the period of use (AG-6) and its
/// requester's place on the roster (AU-2). It may have waited a while.
async fn still_allowed(
    connection: &mut AnyConnection,
    run: &Run,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const PROJECT: &str = "SELECT body FROM project WHERE id = $1";
    const PERSON: &str = "SELECT body FROM person WHERE id = $1";
    let id = run.project_id.to_string();
    let project: Project = body::one(connection, "project", PROJECT, &id).await?;
    let id = run.requested_by.to_string();
    let person: Person = body::one(connection, "person", PERSON, &id).await?;
    Ok(person.active && now < project.agreement.period_end)
}

async fn oldest_queued(connection: &mut AnyConnection) -> Result<Option<Run>, StoreError> {
    let row = sqlx::query("SELECT body FROM run WHERE state = $1 ORDER BY id LIMIT 1")
        .bind(RunState::Queued.name())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(body::decode).transpose()
}

async fn update_run(connection: &mut AnyConnection, run: &Run) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE run SET state = $1, lease_expires_at = $2, body = $3
         WHERE id = $4",
    )
    .bind(run.state.name())
    .bind(run.lease.as_ref().map(|lease| lease.expires_at.millis()))
    .bind(body::encode(run)?)
    .bind(run.run_id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// The run that the same request brought about before.
async fn asked_before(
    connection: &mut AnyConnection,
    order: &RunOrder,
) -> Result<Option<Run>, StoreError> {
    let Some(key) = &order.request_key else { return Ok(None) };
    let row = sqlx::query("SELECT body FROM run WHERE request_key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (asked, found): (&Run, Run) = (&order.run, body::decode(&row)?);
    let same = asked.project_id == found.project_id
        && asked.module_id == found.module_id
        && asked.requested_by == found.requested_by
        && asked.parameters_sha256 == found.parameters_sha256;
    if same {
        Ok(Some(found))
    } else {
        Err(StoreError::conflict("REQUEST_ID_REUSED", "this request id named another run before"))
    }
}

async fn insert_run(connection: &mut AnyConnection, order: &RunOrder) -> Result<(), StoreError> {
    let run = &order.run;
    sqlx::query(
        "INSERT INTO run (id, project_id, module_id, state, request_key, body)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(run.run_id.to_string())
    .bind(run.project_id.to_string())
    .bind(run.module_id.to_string())
    .bind(run.state.name())
    .bind(order.request_key.clone())
    .bind(body::encode(run)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses a run above the rate that the agreement gives one person (SV-4).
async fn check_rate(connection: &mut AnyConnection, order: &RunOrder) -> Result<(), StoreError> {
    let run = &order.run;
    let hour_ago = run.created_at.plus_seconds(-3600);
    // Ids sort by time, so older runs need not be read.
    let rows = sqlx::query("SELECT body FROM run WHERE project_id = $1 AND id > $2")
        .bind(run.project_id.to_string())
        .bind(RunId::new(hour_ago.plus_seconds(-1)).to_string())
        .fetch_all(connection)
        .await?;
    let recent = body::decode_all::<Run>(&rows)?
        .iter()
        .filter(|earlier| earlier.requested_by == run.requested_by)
        .filter(|earlier| earlier.created_at > hour_ago)
        .count();
    if recent >= order.runs_per_hour as usize {
        return Err(StoreError::conflict(
            "RUN_RATE",
            format!("the agreement allows {} runs an hour; wait", order.runs_per_hour),
        ));
    }
    Ok(())
}

async fn insert_output(
    connection: &mut AnyConnection,
    output: &OutputRecord,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO output (id, run_id, ordinal, released, body) VALUES ($1, $2, $3, 0, $4)",
    )
    .bind(output.output_id.to_string())
    .bind(output.run_id.to_string())
    .bind(i64::from(output.ordinal))
    .bind(body::encode(output)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads an output with whether it left.
pub(crate) async fn load_output(
    connection: &mut AnyConnection,
    output_id: OutputId,
) -> Result<(OutputRecord, bool), StoreError> {
    let row = sqlx::query("SELECT body, released FROM output WHERE id = $1")
        .bind(output_id.to_string())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("output"))?;
    Ok((body::decode(&row)?, row.try_get::<i64, _>("released")? != 0))
}
