//! What the record layer needs of the application, and no more.

use async_trait::async_trait;
use sekisho_access::Caller;
use sekisho_app::{App, AppError};
use sekisho_audit::{Actor, EventKind};
use sekisho_domain::{RequestId, Timestamp};

use crate::{Peer, hidden::is_hidden};

/// Admits callers and takes call records.
#[async_trait]
pub trait Gate: Clone + Send + Sync + Unpin + 'static {
    /// The present, by the gateway's one clock.
    fn now(&self) -> Timestamp;

    /// Looks the caller up; nothing is remembered between calls (AU-2).
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] when there is no live session or known worker.
    async fn admit(&self, peer: &Peer, request_id: RequestId) -> Result<Caller, AppError>;

    /// Whether this caller may not know that `method` exists.
    fn hides(&self, caller: &Caller, method: &str) -> bool;

    /// Appends to the log; returns once the entry is durable.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when the log cannot take it.
    async fn record(
        &self,
        kind: EventKind,
        actor: Actor,
        request_id: Option<RequestId>,
    ) -> Result<(), AppError>;
}

#[async_trait]
impl Gate for App {
    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    async fn admit(&self, peer: &Peer, request_id: RequestId) -> Result<Caller, AppError> {
        App::admit(self, peer.identity.clone(), peer.address, request_id).await
    }

    fn hides(&self, caller: &Caller, method: &str) -> bool {
        is_hidden(method) && self.hides_reidentification(caller)
    }

    async fn record(
        &self,
        kind: EventKind,
        actor: Actor,
        request_id: Option<RequestId>,
    ) -> Result<(), AppError> {
        App::record(self, kind, actor, request_id).await.map(drop)
    }
}
