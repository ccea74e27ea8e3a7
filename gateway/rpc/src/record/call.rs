//! A call that has begun and must be seen to end.

use std::time::Instant;

use sekisho_app::AppError;
use sekisho_audit::{Actor, EventKind};
use sekisho_domain::RequestId;
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::{meter::CallMeter, stamp::Outcome};
use crate::Gate;

/// Dropped before its end, it records that the call was cut off.
pub(super) struct OpenCall<G: Gate> {
    gate: G,
    pending: TaskTracker,
    meter: CallMeter,
    runtime: Handle,
    request_id: RequestId,
    actor: Actor,
    method: String,
    span: Span,
    began: Instant,
    ended: bool,
}

impl<G: Gate> OpenCall<G> {
    /// A call whose start is recorded. Must be made inside the runtime.
    pub(super) fn new(
        gate: G,
        pending: TaskTracker,
        meter: CallMeter,
        request_id: RequestId,
        actor: Actor,
        method: String,
    ) -> Self {
        let span = Span::current();
        span.record("caller", tracing::field::debug(actor));
        let (runtime, began) = (Handle::current(), Instant::now());
        Self { gate, pending, meter, runtime, request_id, actor, method, span, began, ended: false }
    }

    pub(super) fn request_id(&self) -> RequestId {
        self.request_id
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Records the outcome; resolves once that is durable.
    pub(super) async fn end(&mut self, outcome: Outcome) -> Result<(), AppError> {
        joined(self.spawn_end(outcome).await)
    }

    /// The same as a task of its own, which goes on when nobody waits for it.
    pub(super) fn spawn_end(&mut self, outcome: Outcome) -> JoinHandle<Result<(), AppError>> {
        self.ended = true;
        self.observe(&outcome);
        let Outcome { code, reason, rule } = outcome;
        let (method, code) = (self.method.clone(), code.into());
        let ended = EventKind::CallEnded { method, code, reason, rule };
        let (gate, actor, request_id) = (self.gate.clone(), self.actor, self.request_id);
        let record = async move {
            let recorded = gate.record(ended, actor, Some(request_id)).await;
            if let Err(error) = &recorded {
                tracing::error!(%error, "the outcome of a call could not be recorded");
            }
            recorded
        };
        self.pending.spawn_on(record.instrument(self.span.clone()), &self.runtime)
    }

    fn observe(&self, outcome: &Outcome) {
        let elapsed = self.began.elapsed();
        self.span.record("code", outcome.code);
        if let Some(reason) = &outcome.reason {
            self.span.record("reason", reason);
        }
        tracing::info!(parent: &self.span, seconds = elapsed.as_secs_f64(), "call ended");
        self.meter.ended(&self.method, outcome.code, elapsed);
    }
}

impl<G: Gate> Drop for OpenCall<G> {
    fn drop(&mut self) {
        if !self.ended {
            let code = if std::thread::panicking() { "INTERNAL" } else { "CANCELLED" };
            drop(self.spawn_end(Outcome { code, reason: None, rule: None }));
        }
    }
}

/// What became of a recording task.
pub(super) fn joined(
    result: Result<Result<(), AppError>, tokio::task::JoinError>,
) -> Result<(), AppError> {
    result.unwrap_or_else(|error| Err(AppError::Unavailable(error.to_string())))
}
