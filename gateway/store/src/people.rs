//! Organisations, the roster (名簿), invitations, credentials and workers.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{EnrolWorker, ListPeople, RegisterOrganisation, RegisterPerson, RemovePerson},
};
use sekisho_audit::{Actor, Event, EventKind, SessionEnd};
use sekisho_domain::{
    BiometricLevel, Organisation, OrganisationId, Page, PageRequest, Person, PersonId, RequestId,
    Timestamp, WorkerId,
};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

use crate::{Store, StoreError, body, log::record, sessions::end_sessions};

const ANYBODY: &str = "SELECT id FROM person LIMIT 1";
pub(crate) const PERSON: &str = "SELECT body FROM person WHERE id = $1";

/// A credential as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// Credential id, base64url.
    pub credential_id: String,
    /// Whose.
    pub person_id: PersonId,
    /// Authenticator model id.
    pub aaguid: String,
    /// Authenticator model.
    pub model: String,
    /// Level it gives.
    pub level: BiometricLevel,
    /// The holder's name for it.
    pub label: String,
    /// Public key, counter and attestation, as the ceremonies need them.
    pub passkey_json: String,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// A credential as it was when an assertion was judged, and as the assertion left it.
#[derive(Debug, Clone)]
pub struct CredentialUse {
    /// As stored when judged.
    pub before: CredentialRecord,
    /// As to be stored.
    pub after: CredentialRecord,
}

/// A one-time invitation; only the hash of its code is kept.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// SHA-256 of the code, hexadecimal.
    pub code_sha256: String,
    /// For whom.
    pub person_id: PersonId,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Store {
    /// Records an organisation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_organisation(
        &self,
        permit: Permit<RegisterOrganisation>,
        organisation: Organisation,
    ) -> Result<Visible<Organisation>, StoreError> {
        let event = record(
            &permit,
            EventKind::OrganisationRegistered { organisation_id: organisation.organisation_id },
        );
        let row = organisation.clone();
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    insert_organisation(tx, &row).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(organisation)))
    }

    /// Puts a person on the roster with an invitation to enrol.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the first factor already belongs to somebody (AU-2).
    pub async fn register_person(
        &self,
        permit: Permit<RegisterPerson>,
        person: Person,
        invitation: Invitation,
    ) -> Result<Visible<Person>, StoreError> {
        let event = record(
            &permit,
            EventKind::PersonRegistered {
                person_id: person.person_id,
                organisation_id: person.organisation_id,
            },
        );
        let row = person.clone();
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    insert_person(tx, &row).await?;
                    insert_invitation(tx, &invitation).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(person)))
    }

    /// Whether the site has its first person.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_founded(&self) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let anybody = sqlx::query(ANYBODY).fetch_optional(&mut *connection).await?;
        Ok(anybody.is_some())
    }

    /// Founds a site: the producer, its first steward and their invitation. Only while
    /// nobody is on the roster; afterwards people come in through a permit.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the site has people already.
    pub async fn found(
        &self,
        producer: Organisation,
        steward: Person,
        invitation: Invitation,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let anybody = sqlx::query(ANYBODY).fetch_optional(&mut *tx).await?;
                    if anybody.is_some() {
                        return Err(StoreError::conflict("FOUNDED", "the site has people already"));
                    }
                    insert_organisation(tx, &producer).await?;
                    insert_person(tx, &steward).await?;
                    insert_invitation(tx, &invitation).await?;
                    let event =
                        |kind| Event { at: now, request_id: None, actor: Actor::System {}, kind };
                    let organisation_id = producer.organisation_id;
                    let person_id = steward.person_id;
                    let events = vec![
                        event(EventKind::OrganisationRegistered { organisation_id }),
                        event(EventKind::PersonRegistered { person_id, organisation_id }),
                    ];
                    Ok(((), events))
                })
            })
            .await?;
        Ok(())
    }

    /// The roster, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people(
        &self,
        permit: Permit<ListPeople>,
        page: &PageRequest,
    ) -> Result<Visible<Page<Person>>, StoreError> {
        let rows = sqlx::query("SELECT body FROM person WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(page.after.clone().unwrap_or_default())
            .bind(i64::from(page.size) + 1)
            .fetch_all(&self.pool)
            .await?;
        let people = crate::projects::page(body::decode_all(&rows)?, page, |person: &Person| {
            person.person_id.to_string()
        });
        Ok(permit.reveal(Guarded::new(people)))
    }

    /// Takes a person off the roster; their sessions and open
    /// invitations end in the same instant (AU-2).
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_person(
        &self,
        permit: Permit<RemovePerson>,
        person_id: PersonId,
        reason: String,
    ) -> Result<Visible<Person>, StoreError> {
        let removed = record(&permit, EventKind::PersonRemoved { person_id, reason });
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let mut person: Person =
                        body::one(tx, "person", PERSON, &person_id.to_string()).await?;
                    person.active = false;
                    sqlx::query("UPDATE person SET body = $1 WHERE id = $2")
                        .bind(body::encode(&person)?)
                        .bind(person_id.to_string())
                        .execute(&mut *tx)
                        .await?;
                    sqlx::query("DELETE FROM invitation WHERE person_id = $1")
                        .bind(person_id.to_string())
                        .execute(&mut *tx)
                        .await?;
                    let ended = end_sessions(tx, person_id, at).await?;
                    let mut events = vec![removed];
                    events.extend(ended.into_iter().map(|session_id| Event {
                        at,
                        request_id: Some(request_id),
                        actor,
                        kind: EventKind::SessionEnded {
                            session_id,
                            cause: SessionEnd::PersonRemoved,
                            reason: String::new(),
                        },
                    }));
                    Ok((person, events))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// A person, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn person(&self, person_id: PersonId) -> Result<Guarded<Person>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let person = body::one(&mut connection, "person", PERSON, &person_id.to_string()).await?;
        Ok(Guarded::new(person))
    }

    /// An organisation, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn organisation(
        &self,
        organisation_id: OrganisationId,
    ) -> Result<Guarded<Organisation>, StoreError> {
        const QUERY: &str = "SELECT body FROM organisation WHERE id = $1";
        let mut connection = self.pool.acquire().await?;
        let id = organisation_id.to_string();
        Ok(Guarded::new(body::one(&mut connection, "organisation", QUERY, &id).await?))
    }

    /// Who a first factor belongs to.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is nobody on the roster.
    pub async fn person_by_first_factor(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Guarded<Person>, StoreError> {
        let row =
            sqlx::query("SELECT body FROM person WHERE oidc_issuer = $1 AND oidc_subject = $2")
                .bind(issuer)
                .bind(subject)
                .fetch_optional(&self.pool)
                .await?;
        Ok(Guarded::new(body::decode(&row.ok_or(StoreError::NotFound("person"))?)?))
    }

    /// A live invitation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when unknown, spent or expired.
    pub async fn invitation(
        &self,
        code_sha256: &str,
        now: Timestamp,
    ) -> Result<Invitation, StoreError> {
        let row = sqlx::query(
            "SELECT person_id, expires_at FROM invitation WHERE code_sha256 = $1 AND expires_at > $2",
        )
        .bind(code_sha256)
        .bind(now.millis())
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("invitation"))?;
        let person_id: String = row.try_get("person_id")?;
        Ok(Invitation {
            code_sha256: code_sha256.to_owned(),
            person_id: person_id.parse().map_err(|_| StoreError::NotFound("invitation"))?,
            expires_at: Timestamp::from_millis(row.try_get("expires_at")?),
        })
    }

    /// Binds an attested credential to its person and spends the invitation. The
    /// invitation is the authority here: a steward gave it (AU-2).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the invitation is spent or the credential is
    /// bound to somebody already.
    pub async fn enrol_credential(
        &self,
        invitation: Invitation,
        credential: CredentialRecord,
        request_id: RequestId,
        actor: Actor,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let spent = sqlx::query(
                        "DELETE FROM invitation WHERE code_sha256 = $1 AND person_id = $2",
                    )
                    .bind(invitation.code_sha256)
                    .bind(credential.person_id.to_string())
                    .execute(&mut *tx)
                    .await?;
                    if spent.rows_affected() != 1 {
                        return Err(StoreError::conflict(
                            "INVITATION_SPENT",
                            "ask a steward for a new one",
                        ));
                    }
                    insert_credential(tx, &credential).await?;
                    let event = Event {
                        at: credential.enrolled_at,
                        request_id: Some(request_id),
                        actor,
                        kind: EventKind::CredentialEnrolled {
                            person_id: credential.person_id,
                            credential: credential.credential_id,
                            aaguid: credential.aaguid,
                            model: credential.model,
                            level: credential.level,
                        },
                    };
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }

    /// A person's credentials.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn credentials(
        &self,
        person_id: PersonId,
    ) -> Result<Vec<CredentialRecord>, StoreError> {
        let rows = sqlx::query("SELECT body FROM credential WHERE person_id = $1 ORDER BY id")
            .bind(person_id.to_string())
            .fetch_all(&self.pool)
            .await?;
        body::decode_all(&rows)
    }

    /// Lets a worker in.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn enrol_worker(
        &self,
        permit: Permit<EnrolWorker>,
        worker_id: WorkerId,
        name: String,
    ) -> Result<(), StoreError> {
        let event = record(&permit, EventKind::WorkerEnrolled { worker_id, name: name.clone() });
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO worker (id, name) VALUES ($1, $2)")
                        .bind(worker_id.to_string())
                        .bind(name)
                        .execute(&mut *tx)
                        .await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(())
    }

    /// Whether a worker is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn worker(&self, worker_id: WorkerId) -> Result<(), StoreError> {
        sqlx::query("SELECT id FROM worker WHERE id = $1")
            .bind(worker_id.to_string())
            .fetch_optional(&self.pool)
            .await?
            .map(|_| ())
            .ok_or(StoreError::NotFound("worker"))
    }
}

/// Keeps what an assertion changed in a credential (its counter), if nobody else used
/// it meanwhile: of two answers with the same counter only one may count.
pub(crate) async fn update_credential(
    connection: &mut AnyConnection,
    used: &CredentialUse,
) -> Result<(), StoreError> {
    let updated = sqlx::query("UPDATE credential SET body = $1 WHERE id = $2 AND body = $3")
        .bind(body::encode(&used.after)?)
        .bind(&used.after.credential_id)
        .bind(body::encode(&used.before)?)
        .execute(connection)
        .await?;
    if updated.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::conflict("CREDENTIAL_IN_USE", "another assertion came first; try again"))
    }
}

async fn insert_credential(
    connection: &mut AnyConnection,
    credential: &CredentialRecord,
) -> Result<(), StoreError> {
    let inserted = sqlx::query("INSERT INTO credential (id, person_id, body) VALUES ($1, $2, $3)")
        .bind(&credential.credential_id)
        .bind(credential.person_id.to_string())
        .bind(body::encode(credential)?)
        .execute(connection)
        .await;
    unique(inserted, "CREDENTIAL_TAKEN", "this authenticator belongs to somebody already")
}

async fn insert_organisation(
    connection: &mut AnyConnection,
    organisation: &Organisation,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO organisation (id, body) VALUES ($1, $2)")
        .bind(organisation.organisation_id.to_string())
        .bind(body::encode(organisation)?)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_person(connection: &mut AnyConnection, person: &Person) -> Result<(), StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO person (id, oidc_issuer, oidc_subject, body) VALUES ($1, $2, $3, $4)",
    )
    .bind(person.person_id.to_string())
    .bind(&person.oidc_issuer)
    .bind(&person.oidc_subject)
    .bind(body::encode(person)?)
    .execute(connection)
    .await;
    unique(inserted, "SUBJECT_TAKEN", "this account belongs to somebody on the roster already")
}

async fn insert_invitation(
    connection: &mut AnyConnection,
    invitation: &Invitation,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO invitation (code_sha256, person_id, expires_at) VALUES ($1, $2, $3)")
        .bind(&invitation.code_sha256)
        .bind(invitation.person_id.to_string())
        .bind(invitation.expires_at.millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Names the conflict when a unique index refused an insert.
pub(crate) fn unique(
    inserted: Result<sqlx::any::AnyQueryResult, sqlx::Error>,
    code: &'static str,
    message: &str,
) -> Result<(), StoreError> {
    match inserted {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(StoreError::conflict(code, message))
        }
        Err(error) => Err(error.into()),
    }
}
