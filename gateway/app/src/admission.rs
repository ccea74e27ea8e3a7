//! From a client certificate to a caller, looked up anew on every call (AU-2).

use std::net::IpAddr;

use sekisho_access::{ActiveSession, Caller, Who};
use sekisho_audit::{Actor, Event, EventKind};
use sekisho_domain::{RequestId, SessionId, WorkerId};
use sekisho_identity::certificates::PeerIdentity;
use sekisho_store::StoreError;

use crate::{App, AppError};

impl App {
    /// Who calls.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] without a certificate, or when what it names is not
    /// live any more.
    pub async fn admit(
        &self,
        peer: Option<PeerIdentity>,
        address: IpAddr,
        request_id: RequestId,
    ) -> Result<Caller, AppError> {
        let who = match peer {
            None => return Err(AppError::Unauthenticated { code: "NO_CERTIFICATE" }),
            Some(PeerIdentity::Session(id)) => self.admit_session(&id).await?,
            Some(PeerIdentity::Worker(id)) => self.admit_worker(&id).await?,
        };
        Ok(Caller { who, peer: address, request_id, at: self.clock.now() })
    }

    async fn admit_session(&self, id: &str) -> Result<Who, AppError> {
        let unknown = AppError::Unauthenticated { code: "SESSION_UNKNOWN" };
        let Ok(session_id) = id.parse::<SessionId>() else { return Err(unknown) };
        let (record, person) = match self.store.session(session_id).await {
            Err(StoreError::NotFound(_)) => return Err(unknown),
            found => found?,
        };
        let session = ActiveSession::admit(record, person, self.clock.now())?;
        Ok(Who::Person(Box::new(session)))
    }

    async fn admit_worker(&self, id: &str) -> Result<Who, AppError> {
        let unknown = AppError::Unauthenticated { code: "WORKER_UNKNOWN" };
        let Ok(worker_id) = id.parse::<WorkerId>() else { return Err(unknown) };
        match self.store.worker(worker_id).await {
            Err(StoreError::NotFound(_)) => Err(unknown),
            found => found.map(|()| Who::Worker(worker_id)).map_err(Into::into),
        }
    }

    /// Appends one event and returns its index once it is durable.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when it did not become durable.
    pub async fn record(
        &self,
        kind: EventKind,
        actor: Actor,
        request_id: Option<RequestId>,
    ) -> Result<u64, AppError> {
        let event = Event { at: self.clock.now(), request_id, actor, kind };
        Ok(self.store.append(vec![event]).await?)
    }
}
