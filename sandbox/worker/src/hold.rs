use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sekisho_proto::v1;
use sekisho_runner::Cancel;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, may_pass};

/// A heartbeat that was answered at once is followed by the next after this, and at least four
/// come in the life of a lease.
const BEAT: Duration = Duration::from_secs(3);
/// How long the gateway may wait with its answer for something that ends the run.
const WAIT: Duration = Duration::from_secs(5);
const LEASE_BOUNDS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(600));

/// One lease while this worker has it.
#[derive(Debug)]
pub(crate) struct Hold {
    run_id: String,
    lease_id: String,
    /// How long the lease lives after each word from the gateway.
    life: Duration,
    tenths: AtomicU32,
    sealing: AtomicBool,
    /// Kills the runner.
    pub(crate) cancel: Cancel,
    /// The lease is gone, or the gateway said stop.
    pub(crate) lost: CancellationToken,
}

impl Hold {
    /// The lease's life is the difference of two stamps of the gateway, so a worker whose
    /// clock is wrong still counts right.
    pub(crate) fn new(ticket: &v1::RunTicket, expires: Option<prost_types::Timestamp>) -> Self {
        let time = |stamp: Option<prost_types::Timestamp>| SystemTime::try_from(stamp?).ok();
        let life = time(expires)
            .zip(time(ticket.issued_at))
            .and_then(|(end, start)| end.duration_since(start).ok())
            .unwrap_or_default();
        Self {
            run_id: ticket.run_id.clone(),
            lease_id: ticket.lease_id.clone(),
            life: life.clamp(LEASE_BOUNDS.0, LEASE_BOUNDS.1),
            tenths: AtomicU32::new(0),
            sealing: AtomicBool::new(false),
            cancel: Cancel::new(),
            lost: CancellationToken::new(),
        }
    }

    pub(crate) fn progress(&self, tenths: u32) {
        self.tenths.store(tenths.min(10), Ordering::Relaxed);
    }

    pub(crate) fn sealing(&self) {
        self.sealing.store(true, Ordering::Relaxed);
    }

    /// Extends the lease until it is lost; then kills the runner. Ends with the lease, or when
    /// it is dropped. The lease is counted from when it was asked for, for the gateway extends
    /// it before it waits.
    pub(crate) async fn keep(&self, mut gateway: Gateway) {
        let mut deadline = Instant::now() + self.life;
        loop {
            let asked = Instant::now();
            let left = deadline.saturating_duration_since(asked);
            match gateway.heartbeat(self.beat(left), left).await {
                Ok(answer) if answer.stop => return self.lose("the gateway said stop"),
                Ok(_) => deadline = asked + self.life,
                Err(status) if !may_pass(&status) => return self.lose("the gateway refused"),
                Err(status) => {
                    tracing::warn!(code = ?status.code(), "heartbeat failed");
                    if Instant::now() >= deadline {
                        return self.lose("the lease ran out");
                    }
                }
            }
            let next = asked + BEAT.min(self.life / 4);
            tokio::time::sleep_until(next.min(deadline)).await;
        }
    }

    fn lose(&self, why: &'static str) {
        if self.sealing.load(Ordering::Relaxed) {
            // The report that is under way may be what ended it.
            tracing::info!(why, "the lease is over");
        } else {
            tracing::warn!(why, "the lease is lost");
        }
        self.cancel.cancel();
        self.lost.cancel();
    }

    /// The next heartbeat, with `left` to live.
    fn beat(&self, left: Duration) -> v1::HeartbeatRequest {
        let (state, wait) = if self.sealing.load(Ordering::Relaxed) {
            (v1::RunState::Sealing, Duration::ZERO)
        } else {
            (v1::RunState::Running, WAIT.min(self.life / 4).min(left / 2))
        };
        v1::HeartbeatRequest {
            run_id: self.run_id.clone(),
            lease_id: self.lease_id.clone(),
            state: state.into(),
            progress_tenths: self.tenths.load(Ordering::Relaxed),
            wait_millis: u32::try_from(wait.as_millis()).unwrap_or(0),
        }
    }

    pub(crate) fn completion(
        &self,
        outputs: Vec<v1::SealedOutput>,
        usage: v1::RunUsage,
    ) -> v1::CompleteRunRequest {
        v1::CompleteRunRequest {
            run_id: self.run_id.clone(),
            lease_id: self.lease_id.clone(),
            outputs,
            usage: Some(usage),
        }
    }

    pub(crate) fn failure(
        &self,
        class: v1::FailureClass,
        usage: v1::RunUsage,
    ) -> v1::FailRunRequest {
        v1::FailRunRequest {
            run_id: self.run_id.clone(),
            lease_id: self.lease_id.clone(),
            failure_class: class.into(),
            usage: Some(usage),
        }
    }
}
