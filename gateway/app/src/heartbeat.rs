//! A worker's word on what it holds, and the wait for whatever ends it: a worker that asks
//! again as soon as it was answered learns of a cancellation at once.

use std::time::Duration;

use sekisho_access::Caller;
use sekisho_domain::{LeaseId, RunId, RunState, Timestamp, lifecycle::Lifecycle};
use sekisho_proto::v1;
use sekisho_store::StoreError;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    App, AppError,
    work::{LEASE_SECONDS, timestamp, worker_of},
};

/// Longest wait, far below [`LEASE_SECONDS`].
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a worker says of a run that it holds.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// The run.
    pub run_id: RunId,
    /// The lease it is held under.
    pub lease_id: LeaseId,
    /// How far it is.
    pub state: RunState,
    /// Tenths of the rows scanned, 0 to 10.
    pub progress_tenths: u32,
    /// Longest wait for whatever ends the run; at most five seconds are waited.
    pub wait: Duration,
}

impl App {
    /// Extends a lease, then waits while the run goes on; says whether the worker must stop.
    /// `stopping` ends the wait.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn heartbeat(
        &self,
        caller: &Caller,
        beat: Beat,
        stopping: impl Future<Output = ()>,
    ) -> Result<v1::HeartbeatResponse, AppError> {
        worker_of(caller)?;
        // Listen before the first look, so that no change falls in between.
        let changes = self.run_changes.subscribe();
        let mut held = self.keep(caller, &beat).await?;
        if held.is_some() {
            let ended = tokio::select! {
                () = stopping => false,
                () = tokio::time::sleep(beat.wait.min(LONGEST_WAIT)) => false,
                ended = self.ended(changes, &beat) => ended.map(|()| true)?,
            };
            if ended {
                held = self.keep(caller, &beat).await?;
            }
        }
        let lease_expires_at = held.map(timestamp);
        Ok(v1::HeartbeatResponse { stop: lease_expires_at.is_none(), lease_expires_at })
    }

    /// Extends the lease of a run or a trace and gives its new end; `None` when the worker
    /// must stop. A run that is not permitted any more ends with this.
    async fn keep(&self, caller: &Caller, beat: &Beat) -> Result<Option<Timestamp>, AppError> {
        let until = self.clock.now().plus_seconds(LEASE_SECONDS);
        let Beat { run_id, lease_id, state, progress_tenths, .. } = *beat;
        let run = self.store.run(run_id).await?;
        let run = run.for_decision();
        if run.lease.as_ref().is_none_or(|lease| lease.lease_id != lease_id) {
            return Ok(self.keep_trace(caller, lease_id, until).await?.then_some(until));
        }
        let permit = self.hold(caller, run_id).await?;
        match self.store.hold_run(permit, lease_id, state, progress_tenths, until).await {
            Ok(held) if held.state.is_final() => Ok(None),
            Ok(held) => {
                if held.progress_tenths != run.progress_tenths {
                    // Progress alone leaves no event; nobody may be watching.
                    let _ = self.run_changes.send(Some(run_id));
                }
                Ok(Some(until))
            }
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Resolves once what is held under the lease may not go on.
    async fn ended(
        &self,
        mut changes: broadcast::Receiver<Option<RunId>>,
        beat: &Beat,
    ) -> Result<(), AppError> {
        loop {
            match changes.recv().await {
                Ok(Some(run_id)) if run_id != beat.run_id => {}
                Err(RecvError::Closed) => return Ok(()),
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    let now = self.clock.now();
                    if !self.store.goes_on(beat.run_id, beat.lease_id, now).await? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
