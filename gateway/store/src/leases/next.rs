//! Which queued run is next, and whether a run is still allowed.

use sekisho_access::linkage::LinkageMatrix;
use sekisho_audit::EventKind;
use sekisho_domain::{
    EndCause, Person, Run, RunState, Timestamp,
    lifecycle::Lifecycle,
    run::{Lease, RunEvent},
};
use sqlx::AnyConnection;

use super::give_up;
use crate::{
    StoreError, body,
    linkage::is_closed_to,
    projects::load_project,
    runs::{end_run, update_run},
};

/// Queued runs that are looked at for one that can be read.
const LOOKED_AT: &str = "SELECT id, body FROM run WHERE state = $1 ORDER BY id LIMIT 100";

/// Takes the oldest queued run that is still allowed, and cancels those before it. One that
/// cannot be read holds up no other; one whose permission cannot be read is given up.
pub(super) async fn take_next(
    tx: &mut AnyConnection,
    linkage: &LinkageMatrix,
    lease: &Lease,
    at: Timestamp,
) -> Result<(Option<Run>, Vec<EventKind>), StoreError> {
    let mut kinds = Vec::new();
    while let Some(mut run) = oldest_queued(tx).await? {
        match still_allowed(tx, linkage, &run, at).await {
            Ok(true) => {
                kinds.push(take(&mut run, lease)?);
                update_run(tx, &run).await?;
                return Ok((Some(run), kinds));
            }
            Ok(false) => {
                kinds.push(end_run(tx, &mut run, at, EndCause::NoLongerPermitted).await?);
            }
            Err(error @ (StoreError::Body(_) | StoreError::NotFound(_))) => {
                tracing::error!(%error, run_id = %run.run_id, "what permits a run cannot be read");
                kinds.push(give_up(&mut run, at)?);
                update_run(tx, &run).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((None, kinds))
}

fn take(run: &mut Run, lease: &Lease) -> Result<EventKind, StoreError> {
    run.state = run.state.apply(RunEvent::Lease)?;
    run.attempts += 1;
    run.lease = Some(lease.clone());
    Ok(EventKind::RunLeased {
        run_id: run.run_id,
        lease_id: lease.lease_id,
        worker_id: lease.worker_id,
        attempt: run.attempts,
    })
}

/// Whether what permitted a run still holds, which may have waited or worked a while: the
/// period of use (AG-6), its requester's place on the roster and among the handlers (AU-2,
/// AG-2), their training and pledge (ED-1), and the matrix for what it joins (LK-1, LK-3).
pub(super) async fn still_allowed(
    connection: &mut AnyConnection,
    linkage: &LinkageMatrix,
    run: &Run,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const PERSON: &str = "SELECT body FROM person WHERE id = $1";
    let project = load_project(connection, run.project_id).await?;
    let id = run.requested_by.to_string();
    let person: Person = body::one(connection, "person", PERSON, &id).await?;
    let trained = person.training_until.is_some_and(|until| now < until);
    let pledged = person.pledged_at.is_some_and(|at| at <= now);
    let named = project.agreement.handlers.contains(&person.person_id);
    let in_period = now < project.agreement.period_end;
    Ok(person.active
        && named
        && trained
        && pledged
        && in_period
        && !is_closed_to(connection, linkage, run, now).await?)
}

async fn oldest_queued(connection: &mut AnyConnection) -> Result<Option<Run>, StoreError> {
    let queued = sqlx::query(LOOKED_AT).bind(RunState::Queued.name());
    let rows = queued.fetch_all(connection).await?;
    Ok(body::decode_readable("run", &rows)?.into_iter().next())
}
