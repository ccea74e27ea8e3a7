//! Runs: queued by a permit, final exactly once. What workers do to them is in
//! [`crate::leases`].

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{CancelRun, ListRuns, StartRun},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    EndCause, GrantedTable, JoinedDataset, Page, PageRequest, ProjectId, Run, RunId, Timestamp,
    lifecycle::Lifecycle, run::RunEvent,
};
use sekisho_vault::{Context, seal};
use sqlx::{AnyConnection, Row};

use crate::{
    Store, StoreError, body, bring_ins::check_approved, closing::check_open, keys::Scope,
    log::record, projects::page,
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
    /// Further datasets of the view that it reads.
    pub joined: Vec<JoinedDataset>,
    /// Most runs this person may start in an hour (SV-4).
    pub runs_per_hour: u32,
    /// Most runs of the project that may be asked for on one day in Japan (SV-4); 0 sets no
    /// limit.
    pub runs_per_day: u32,
}

impl Store {
    /// Queues a run. With a request key that was used before, returns that run.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `RUN_RATE` above the agreement's runs per hour,
    /// `REQUEST_ID_REUSED` when the key named a run of somebody or something else,
    /// `TABLE_NOT_APPROVED` when a table it is tied to was taken back meanwhile;
    /// [`StoreError::UsedUp`] `RUNS_PER_DAY` when the day's runs have been asked for.
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
                    check_open(tx, order.run.project_id).await?;
                    check_approved(tx, &order.run).await?;
                    check_rate(tx, &order).await?;
                    check_day(tx, &order).await?;
                    insert_run(tx, &order).await?;
                    key.insert(tx).await?;
                    Ok((order.run, vec![event]))
                })
            })
            .await;
        let unused = match &done {
            Ok(done) => done.value.run_id != run_id,
            Err(
                StoreError::Conflict { .. } | StoreError::UsedUp { .. } | StoreError::SessionEnded,
            ) => true,
            // It may have been done and only the answer lost.
            Err(_) => false,
        };
        if unused {
            // Without its key it opens for nobody; it is only not left behind.
            let _ = self.objects.remove(&parameters_name(run_id)).await;
        }
        Ok(permit.reveal(Guarded::new(done?.value)))
    }

    /// Ends a run that has not finished; its worker learns by the heartbeat that waits.
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

pub(crate) fn parameters_context(run_id: RunId) -> Context {
    Context::new("run-parameters").text(&run_id.to_string())
}

pub(crate) fn parameters_name(run_id: RunId) -> String {
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
        joined: order.joined.clone(),
        bring_ins: order.run.bring_ins.clone(),
        parameters_sha256: order.run.parameters_sha256.clone(),
    }
}

pub(crate) fn finish(run: &mut Run, at: Timestamp) {
    run.ended_at = Some(at);
    run.lease = None;
}

/// Every run of a project, oldest first.
pub(crate) async fn runs_of(
    connection: &mut AnyConnection,
    project_id: ProjectId,
) -> Result<Vec<Run>, StoreError> {
    let rows = sqlx::query("SELECT body FROM run WHERE project_id = $1 ORDER BY id")
        .bind(project_id.to_string())
        .fetch_all(connection)
        .await?;
    body::decode_all(&rows)
}

/// Cancels those that have not finished.
pub(crate) async fn end_runs(
    connection: &mut AnyConnection,
    runs: &mut [Run],
    at: Timestamp,
    cause: EndCause,
    kinds: &mut Vec<EventKind>,
) -> Result<(), StoreError> {
    for run in runs.iter_mut().filter(|run| !run.state.is_final()) {
        kinds.push(end_run(connection, run, at, cause).await?);
    }
    Ok(())
}

/// Cancels a run that has not finished, for another cause than a person's word.
pub(crate) async fn end_run(
    connection: &mut AnyConnection,
    run: &mut Run,
    at: Timestamp,
    cause: EndCause,
) -> Result<EventKind, StoreError> {
    run.state = run.state.apply(RunEvent::Cancel)?;
    run.end_cause = Some(cause);
    finish(run, at);
    update_run(connection, run).await?;
    Ok(EventKind::RunCancelled { run_id: run.run_id })
}

pub(crate) async fn load_run(
    connection: &mut AnyConnection,
    run_id: RunId,
) -> Result<Run, StoreError> {
    body::one(connection, "run", RUN, &run_id.to_string()).await
}

pub(crate) async fn update_run(
    connection: &mut AnyConnection,
    run: &Run,
) -> Result<(), StoreError> {
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

/// Refuses a run above what the agreement gives the project on one day in Japan (SV-4). What
/// was asked for counts, whatever came of it; a run that is handed out again is the same run.
async fn check_day(connection: &mut AnyConnection, order: &RunOrder) -> Result<(), StoreError> {
    const ON_DAY: &str = "SELECT COUNT(*) AS asked FROM run
                          WHERE project_id = $1 AND id >= $2 AND id < $3";
    let Run { project_id, created_at, .. } = order.run;
    if order.runs_per_day == 0 {
        return Ok(());
    }
    let day = created_at.day_in_japan();
    let until = day.plus_seconds(86_400);
    let row = sqlx::query(ON_DAY)
        .bind(project_id.to_string())
        .bind(first_of(day))
        .bind(first_of(until))
        .fetch_one(connection)
        .await?;
    if row.try_get::<i64, _>("asked")? < i64::from(order.runs_per_day) {
        return Ok(());
    }
    let message = format!("the agreement allows {} runs a day", order.runs_per_day);
    Err(StoreError::UsedUp { code: "RUNS_PER_DAY", message, until })
}

/// What no id of a run asked for at `at` or later comes before: ids begin with their time.
fn first_of(at: Timestamp) -> String {
    format!("{}_{:012x}", RunId::KIND, at.millis().max(0))
}
