//! Sessions: opened by two factors, looked up on every call, ended at once.

use sekisho_access::{
    Action, Permit, SessionRecord,
    action::{Logout, RevokeSession},
};
use sekisho_audit::{Actor, Event, EventKind, SessionEnd};
use sekisho_domain::{Person, PersonId, RequestId, SessionId, Timestamp};
use sqlx::{AnyConnection, Row};

use crate::{
    Store, StoreError, body,
    log::record,
    people::{CredentialUse, PERSON, update_credential},
};

const SESSION: &str = "SELECT body FROM session WHERE id = $1";

impl Store {
    /// Opens a session that both factors earned, and keeps the credential's counter.
    ///
    /// # Errors
    /// [`StoreError::SessionEnded`] when the person left the roster meanwhile (AU-2).
    pub async fn open_session(
        &self,
        session: SessionRecord,
        credential: CredentialUse,
        request_id: RequestId,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let id = session.person_id.to_string();
                    let person: Person = body::one(tx, "person", PERSON, &id).await?;
                    if !person.active {
                        return Err(StoreError::SessionEnded);
                    }
                    update_credential(tx, &credential).await?;
                    sqlx::query("INSERT INTO session (id, person_id, body) VALUES ($1, $2, $3)")
                        .bind(session.session_id.to_string())
                        .bind(session.person_id.to_string())
                        .bind(body::encode(&session)?)
                        .execute(&mut *tx)
                        .await?;
                    let actor = Actor::Person {
                        person_id: session.person_id,
                        session_id: session.session_id,
                    };
                    let kind = EventKind::LoginCompleted {
                        person_id: session.person_id,
                        session_id: session.session_id,
                        level: session.level,
                        credential: session.credential_id,
                        model: credential.after.model,
                    };
                    let event =
                        Event { at: session.started_at, request_id: Some(request_id), actor, kind };
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }

    /// A session and its holder, as stored now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn session(
        &self,
        session_id: SessionId,
    ) -> Result<(SessionRecord, Person), StoreError> {
        let row = sqlx::query(
            "SELECT session.body AS session_body, person.body AS body
             FROM session JOIN person ON person.id = session.person_id WHERE session.id = $1",
        )
        .bind(session_id.to_string())
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("session"))?;
        let record: String = row.try_get("session_body")?;
        Ok((serde_json::from_str(&record)?, body::decode(&row)?))
    }

    /// Keeps what a fresh assertion changed in a credential, and the assertion itself
    /// as evidence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_step_up(
        &self,
        credential: CredentialUse,
        event: Event,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    update_credential(tx, &credential).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn logout(
        &self,
        permit: Permit<Logout>,
        session_id: SessionId,
    ) -> Result<(), StoreError> {
        let kind = ended(session_id, SessionEnd::Logout, String::new());
        self.end(&permit, session_id, record(&permit, kind)).await
    }

    /// Cuts somebody's session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_session(
        &self,
        permit: Permit<RevokeSession>,
        session_id: SessionId,
        reason: String,
    ) -> Result<(), StoreError> {
        let kind = ended(session_id, SessionEnd::Revoked, reason);
        self.end(&permit, session_id, record(&permit, kind)).await
    }

    async fn end<A: Action>(
        &self,
        permit: &Permit<A>,
        session_id: SessionId,
        event: Event,
    ) -> Result<(), StoreError> {
        let at = permit.at();
        self.writer
            .effect(permit, move |tx| {
                Box::pin(async move {
                    end_session(tx, session_id, at).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }
}

/// The event that a session ended.
pub(crate) fn ended(session_id: SessionId, cause: SessionEnd, reason: String) -> EventKind {
    EventKind::SessionEnded { session_id, cause, reason }
}

/// Whether the session that acts is live in this very transaction: what was decided
/// before a cut must not take effect after it.
pub(crate) async fn check_live(
    connection: &mut AnyConnection,
    session_id: SessionId,
) -> Result<(), StoreError> {
    sqlx::query("SELECT id FROM session WHERE id = $1 AND ended_at IS NULL")
        .bind(session_id.to_string())
        .fetch_optional(connection)
        .await?
        .map(|_| ())
        .ok_or(StoreError::SessionEnded)
}

/// Marks a session ended; ending it again changes nothing.
pub(crate) async fn end_session(
    connection: &mut AnyConnection,
    session_id: SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let id = session_id.to_string();
    let mut session: SessionRecord = body::one(connection, "session", SESSION, &id).await?;
    if session.ended_at.is_none() {
        session.ended_at = Some(at);
        sqlx::query("UPDATE session SET ended_at = $1, body = $2 WHERE id = $3")
            .bind(at.millis())
            .bind(body::encode(&session)?)
            .bind(id)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Ends all live sessions of a person and says which they were.
pub(crate) async fn end_sessions(
    connection: &mut AnyConnection,
    person_id: PersonId,
    at: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let rows = sqlx::query("SELECT body FROM session WHERE person_id = $1 AND ended_at IS NULL")
        .bind(person_id.to_string())
        .fetch_all(&mut *connection)
        .await?;
    let sessions: Vec<SessionRecord> = body::decode_all(&rows)?;
    for session in &sessions {
        end_session(connection, session.session_id, at).await?;
    }
    Ok(sessions.into_iter().map(|session| session.session_id).collect())
}
