//! Logins and enrolments: a first factor, then an authenticator, then a session (AU-1).

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use sekisho_access::{ActiveSession, Guarded, SessionRecord};
use sekisho_audit::{Actor, EventKind};
use sekisho_domain::{BiometricLevel, LoginId, Person, RequestId, SessionId, Timestamp};
use sekisho_identity::{
    oidc::{FirstFactor, OidcProvider, PendingFirstFactor},
    webauthn::{self, AssertionState, Purpose, RegistrationState, StoredCredential},
};
use sekisho_store::{
    StoreError,
    people::{CredentialRecord, CredentialUse, Invitation},
};
use sha2::{Digest, Sha256};

use crate::{App, AppError};

/// Seconds a login may take from its beginning.
const LIFETIME_SECONDS: i64 = 600;
/// Most logins in progress; the oldest gives way.
const MOST_OPEN: usize = 4096;

/// A login that began.
#[derive(Debug)]
pub struct LoginStarted {
    /// Names it in the next calls.
    pub login_id: LoginId,
    /// To open in a browser.
    pub authorization_url: String,
}

/// The WebAuthn ceremony to perform next.
#[derive(Debug)]
pub struct Ceremony {
    /// What is asked of the authenticator.
    pub options: CeremonyOptions,
    /// Origin the authenticator must see.
    pub origin: String,
}

/// Options as JSON of WebAuthn Level 3.
#[derive(Debug)]
pub enum CeremonyOptions {
    /// Make a credential.
    Create(String),
    /// Assert with one.
    Request(String),
}

/// An opened session.
#[derive(Debug)]
pub struct OpenedSession {
    /// The session and its holder.
    pub session: ActiveSession,
    /// Its client certificate, leaf first.
    pub certificate_chain_pem: String,
}

/// An enrolled credential.
#[derive(Debug)]
pub struct EnrolledCredential {
    /// Credential id, base64url.
    pub credential_id: String,
    /// Authenticator model.
    pub model: String,
    /// Level it gives.
    pub level: BiometricLevel,
}

enum Stage {
    FirstFactor { pending: PendingFirstFactor, invitation: Option<Invitation> },
    Assertion { person: Box<Person>, state: AssertionState },
    Registration { person: Box<Person>, state: RegistrationState, invitation: Invitation },
}

/// Logins in progress, in memory: a restart only makes people begin again. A stage is
/// taken out when it is answered, so that no answer counts twice.
#[derive(Default)]
pub(crate) struct Logins(Mutex<HashMap<LoginId, (Timestamp, Stage)>>);

impl Logins {
    fn put(&self, id: LoginId, began: Timestamp, stage: Stage, now: Timestamp) {
        let mut open = self.lock();
        open.retain(|_, (began, _)| began.plus_seconds(LIFETIME_SECONDS) > now);
        if open.len() >= MOST_OPEN
            && let Some(oldest) = open.keys().min().copied()
        {
            open.remove(&oldest);
        }
        open.insert(id, (began, stage));
    }

    fn take(&self, id: LoginId, now: Timestamp) -> Result<(Timestamp, Stage), AppError> {
        self.lock()
            .remove(&id)
            .filter(|(began, _)| began.plus_seconds(LIFETIME_SECONDS) > now)
            .ok_or(AppError::Unauthenticated { code: "LOGIN_UNKNOWN" })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LoginId, (Timestamp, Stage)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a login call knows of its caller.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// From where.
    pub peer: IpAddr,
    /// Which call.
    pub request_id: RequestId,
}

impl Visitor {
    fn actor(self) -> Actor {
        Actor::Anonymous { peer: Some(self.peer) }
    }
}

impl App {
    /// Starts a login, or with an invitation an enrolment.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] when the invitation is unknown, spent or expired, or
    /// the redirect is not a loopback one.
    pub async fn begin_login(
        &self,
        visitor: Visitor,
        redirect_uri: &str,
        invitation: Option<&str>,
    ) -> Result<LoginStarted, AppError> {
        let now = self.clock.now();
        self.note(visitor, EventKind::LoginStarted {}).await?;
        let invitation = match invitation {
            None => None,
            Some(code) => match self.store.invitation(&code_sha256(code), now).await {
                Err(StoreError::NotFound(_)) => {
                    return self.refuse(visitor, None, "INVITATION_UNKNOWN").await;
                }
                found => Some(found?),
            },
        };
        let provider = self.provider().await?;
        let (url, pending) = match provider.begin(redirect_uri, now.seconds()) {
            Ok(begun) => begun,
            Err(error) => return self.refuse(visitor, None, error.code()).await,
        };
        let login_id = LoginId::new(now);
        self.logins.put(login_id, now, Stage::FirstFactor { pending, invitation }, now);
        Ok(LoginStarted { login_id, authorization_url: url.to_string() })
    }

    /// Takes the provider's answer and says what the authenticator must do.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`].
    pub async fn complete_first_factor(
        &self,
        visitor: Visitor,
        login_id: LoginId,
        state: &str,
        code: &str,
        iss: Option<&str>,
    ) -> Result<Ceremony, AppError> {
        let now = self.clock.now();
        let (began, stage) = self.logins.take(login_id, now)?;
        let Stage::FirstFactor { pending, invitation } = stage else {
            return self.refuse(visitor, None, "OUT_OF_ORDER").await;
        };
        let provider = self.provider().await?;
        let factor = match provider.complete(pending, state, code, iss, now.seconds()).await {
            Ok(factor) => factor,
            Err(error) => return self.refuse(visitor, None, error.code()).await,
        };
        self.note(visitor, EventKind::FirstFactor { issuer: factor.issuer.clone() }).await?;
        let person = self.person_of(visitor, &factor).await?;
        let (options, stage) = match invitation {
            None => self.begin_assertion(visitor, person).await?,
            Some(invitation) => self.begin_enrolment(visitor, person, invitation).await?,
        };
        self.logins.put(login_id, began, stage, now);
        Ok(Ceremony { options, origin: self.second_factor.origin() })
    }

    /// Takes the assertion and opens a session with a client certificate.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] with the reason; [`AppError::Invalid`] for a
    /// certificate request that cannot be used.
    pub async fn complete_login(
        &self,
        visitor: Visitor,
        login_id: LoginId,
        credential_json: &str,
        certificate_request_pem: &str,
    ) -> Result<OpenedSession, AppError> {
        let now = self.clock.now();
        let Stage::Assertion { person, state } = self.logins.take(login_id, now)?.1 else {
            return self.refuse(visitor, None, "OUT_OF_ORDER").await;
        };
        let (credential, _) = match self.check_assertion(&person, state, credential_json, now).await
        {
            Ok(checked) => checked,
            Err(AppError::Unauthenticated { code }) => {
                return self.refuse(visitor, Some(&person), code).await;
            }
            Err(error) => return Err(error),
        };
        let expires_at = now.plus_seconds(self.session_seconds);
        let session_id = SessionId::new(now);
        let certificate_chain_pem = self.ca.issue_session(
            certificate_request_pem,
            &session_id.to_string(),
            now.seconds(),
            expires_at.seconds(),
        )?;
        let record = SessionRecord {
            session_id,
            person_id: person.person_id,
            level: credential.after.level,
            credential_id: credential.after.credential_id.clone(),
            started_at: now,
            expires_at,
            ended_at: None,
        };
        self.store.open_session(record.clone(), credential, visitor.request_id).await?;
        let session = ActiveSession::admit(record, *person, now)?;
        Ok(OpenedSession { session, certificate_chain_pem })
    }

    /// Takes a new attested credential under an invitation.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] with the reason; [`AppError::Conflict`] when the
    /// invitation is spent or the credential belongs to somebody.
    pub async fn complete_enrolment(
        &self,
        visitor: Visitor,
        login_id: LoginId,
        credential_json: &str,
        label: String,
    ) -> Result<EnrolledCredential, AppError> {
        let now = self.clock.now();
        let stage = self.logins.take(login_id, now)?.1;
        let Stage::Registration { person, state, invitation } = stage else {
            return self.refuse(visitor, None, "OUT_OF_ORDER").await;
        };
        let judged =
            self.second_factor.complete_registration(state, credential_json, now.seconds());
        let new = match judged {
            Ok(new) => new,
            Err(error) => return self.refuse(visitor, Some(&person), error.code()).await,
        };
        let record = CredentialRecord {
            credential_id: new.credential_id.clone(),
            person_id: person.person_id,
            aaguid: new.aaguid.to_string(),
            model: new.model.clone(),
            level: level(new.level),
            label,
            passkey_json: new.passkey_json,
            enrolled_at: now,
        };
        let enrolled = EnrolledCredential {
            credential_id: new.credential_id,
            model: new.model,
            level: record.level,
        };
        self.store
            .enrol_credential(invitation, record, visitor.request_id, visitor.actor())
            .await?;
        Ok(enrolled)
    }

    async fn begin_assertion(
        &self,
        visitor: Visitor,
        person: Person,
    ) -> Result<(CeremonyOptions, Stage), AppError> {
        let stored = stored(&self.store.credentials(person.person_id).await?);
        let now = self.clock.now().seconds();
        match self.second_factor.begin_assertion(&stored, Purpose::Login, now) {
            Ok((json, state)) => {
                let person = Box::new(person);
                Ok((CeremonyOptions::Request(json), Stage::Assertion { person, state }))
            }
            Err(error) => self.refuse(visitor, Some(&person), error.code()).await,
        }
    }

    async fn begin_enrolment(
        &self,
        visitor: Visitor,
        person: Person,
        invitation: Invitation,
    ) -> Result<(CeremonyOptions, Stage), AppError> {
        if invitation.person_id != person.person_id {
            return self.refuse(visitor, Some(&person), "INVITATION_FOR_ANOTHER").await;
        }
        let known = self.store.credentials(person.person_id).await?;
        let exclude: Vec<String> =
            known.into_iter().map(|credential| credential.credential_id).collect();
        let begun = self.second_factor.begin_registration(
            person.person_id.uuid(),
            &person.oidc_subject,
            &person.display_name,
            &exclude,
            self.clock.now().seconds(),
        );
        match begun {
            Ok((json, state)) => {
                let person = Box::new(person);
                let stage = Stage::Registration { person, state, invitation };
                Ok((CeremonyOptions::Create(json), stage))
            }
            Err(error) => self.refuse(visitor, Some(&person), error.code()).await,
        }
    }

    /// Judges an assertion against the person's credentials as they are now, and returns
    /// the credential as it must be stored, with the raw evidence.
    pub(crate) async fn check_assertion(
        &self,
        person: &Person,
        state: AssertionState,
        credential_json: &str,
        now: Timestamp,
    ) -> Result<(CredentialUse, String), AppError> {
        let known = self.store.credentials(person.person_id).await?;
        let assertion = self.second_factor.complete_assertion(
            state,
            &stored(&known),
            credential_json,
            now.seconds(),
        )?;
        let before = known
            .into_iter()
            .find(|credential| credential.credential_id == assertion.credential_id)
            .ok_or(AppError::Unauthenticated { code: "unknown_credential" })?;
        let after = CredentialRecord {
            level: level(assertion.level),
            passkey_json: assertion.updated_passkey_json,
            ..before.clone()
        };
        Ok((CredentialUse { before, after }, assertion.evidence_json))
    }

    async fn person_of(&self, visitor: Visitor, factor: &FirstFactor) -> Result<Person, AppError> {
        let found = self.store.person_by_first_factor(&factor.issuer, &factor.subject).await;
        match found.map(|person: Guarded<Person>| person.for_decision().clone()) {
            Ok(person) if person.active => Ok(person),
            Ok(person) => self.refuse(visitor, Some(&person), "OFF_ROSTER").await,
            Err(StoreError::NotFound(_)) => self.refuse(visitor, None, "OFF_ROSTER").await,
            Err(error) => Err(error.into()),
        }
    }

    /// The provider, discovered at the first login that finds it up.
    async fn provider(&self) -> Result<&OidcProvider, AppError> {
        self.oidc
            .get_or_try_init(|| OidcProvider::discover(self.oidc_config.clone()))
            .await
            .map_err(|error| AppError::Unavailable(error.to_string()))
    }

    async fn refuse<T>(
        &self,
        visitor: Visitor,
        person: Option<&Person>,
        code: &'static str,
    ) -> Result<T, AppError> {
        let person_id = person.map(|person| person.person_id);
        self.note(visitor, EventKind::LoginRefused { reason: code.to_owned(), person_id }).await?;
        Err(AppError::Unauthenticated { code })
    }

    async fn note(&self, visitor: Visitor, kind: EventKind) -> Result<(), AppError> {
        self.record(kind, visitor.actor(), Some(visitor.request_id)).await?;
        Ok(())
    }
}

/// SHA-256 of an invitation code, hexadecimal; the code itself is never stored.
pub(crate) fn code_sha256(code: &str) -> String {
    hex::encode(Sha256::digest(code))
}

pub(crate) fn stored(credentials: &[CredentialRecord]) -> Vec<StoredCredential> {
    credentials
        .iter()
        .map(|credential| StoredCredential { passkey_json: credential.passkey_json.clone() })
        .collect()
}

fn level(level: webauthn::BiometricLevel) -> BiometricLevel {
    match level {
        webauthn::BiometricLevel::B0 => BiometricLevel::B0,
        webauthn::BiometricLevel::B1 => BiometricLevel::B1,
        webauthn::BiometricLevel::B2 => BiometricLevel::B2,
        webauthn::BiometricLevel::B3 => BiometricLevel::B3,
    }
}
