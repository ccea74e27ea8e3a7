//! Who is calling: a person in a live two-factor session, a worker, or nobody yet.

use std::net::IpAddr;

use sekisho_audit::Actor;
use sekisho_domain::{BiometricLevel, Person, PersonId, RequestId, SessionId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Identifier, also named by the client certificate.
    pub session_id: SessionId,
    /// Whose.
    pub person_id: PersonId,
    /// Level of the assertion that opened it.
    pub level: BiometricLevel,
    /// Credential that opened it.
    pub credential_id: String,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When it ends by itself; at most 8 hours later.
    pub expires_at: Timestamp,
    /// Set when it was ended before.
    pub ended_at: Option<Timestamp>,
}

/// A session that is live at the moment of the call. Holding one proves the look-up.
#[derive(Debug, Clone)]
pub struct ActiveSession {
    record: SessionRecord,
    person: Person,
}

/// Why a session no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnded {
    /// Its time is over.
    #[error("the session has expired")]
    Expired,
    /// Its holder logged out or somebody cut it.
    #[error("the session was ended")]
    Ended,
    /// Its holder is off the roster (AU-2).
    #[error("the session's holder is not on the roster")]
    OffRoster,
}

impl ActiveSession {
    /// Admits a stored session at `now`.
    ///
    /// # Errors
    /// [`SessionEnded`] when it is over or its holder left the roster (AU-2).
    pub fn admit(
        record: SessionRecord,
        person: Person,
        now: Timestamp,
    ) -> Result<Self, SessionEnded> {
        if record.ended_at.is_some() {
            return Err(SessionEnded::Ended);
        }
        if now < record.started_at || now >= record.expires_at {
            return Err(SessionEnded::Expired);
        }
        if !person.active || person.person_id != record.person_id {
            return Err(SessionEnded::OffRoster);
        }
        Ok(Self { record, person })
    }

    /// The session.
    #[must_use]
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Its holder.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }
}

/// What a call is made as.
#[derive(Debug, Clone)]
pub enum Who {
    /// A person.
    Person(Box<ActiveSession>),
    /// A worker, by its certificate.
    Worker(WorkerId),
    /// Anybody without a certificate, who may look at what is public.
    Visitor,
}

/// One authenticated call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As what.
    pub who: Who,
    /// From where.
    pub peer: IpAddr,
    /// Which call.
    pub request_id: RequestId,
    /// When.
    pub at: Timestamp,
}

impl Caller {
    /// As the log names the caller.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(session) => Actor::Person {
                person_id: session.person.person_id,
                session_id: session.record.session_id,
            },
            Who::Worker(worker_id) => Actor::Worker { worker_id: *worker_id },
            Who::Visitor => Actor::Anonymous { peer: Some(self.peer) },
        }
    }

    /// The session, when a person calls.
    #[must_use]
    pub fn session(&self) -> Option<&ActiveSession> {
        match &self.who {
            Who::Person(session) => Some(session),
            Who::Worker(_) | Who::Visitor => None,
        }
    }

    /// The person's id, when a person calls.
    #[must_use]
    pub fn person_id(&self) -> Option<PersonId> {
        self.session().map(|session| session.person.person_id)
    }
}
