//! Enrolling an authenticator.

use std::fmt;

use uuid::Uuid;
use webauthn_rs::prelude::{AttestedPasskeyRegistration, RegisterPublicKeyCredential};

use super::{
    BiometricLevel, CEREMONY_SECONDS, SecondFactor, WebAuthnError, aaguid_of, decode, encode,
    parse_credential, to_json,
};

/// An enrolment under way. Keep it on the server; it is spent by one answer.
pub struct RegistrationState {
    inner: AttestedPasskeyRegistration,
    excluded: Vec<Vec<u8>>,
    expires_at: i64,
}

impl fmt::Debug for RegistrationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationState")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An authenticator that passed enrolment.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// base64url without padding, as `id` in WebAuthn's JSON.
    pub credential_id: String,
    /// The attested model.
    pub aaguid: Uuid,
    /// Its name on the allow-list.
    pub model: String,
    /// Its level on the allow-list.
    pub level: BiometricLevel,
    /// Public key, counter and attestation chain, to be stored and handed back as
    /// [`super::StoredCredential`]. Holds no secret.
    pub passkey_json: String,
}

impl SecondFactor {
    /// Starts enrolling an authenticator for a person.
    ///
    /// Asks for direct attestation, user verification and a device-bound key. `exclude` are
    /// credential ids (base64url) that the person has already. Returns the bare
    /// `PublicKeyCredentialCreationOptionsJSON` and the state, which lives 300 seconds.
    pub fn begin_registration(
        &self,
        person: Uuid,
        user_name: &str,
        display_name: &str,
        exclude: &[String],
        now: i64,
    ) -> Result<(String, RegistrationState), WebAuthnError> {
        let excluded = exclude.iter().map(|id| decode(id)).collect::<Result<Vec<_>, _>>()?;
        let (options, inner) = self
            .webauthn
            .start_attested_passkey_registration(
                person,
                user_name,
                display_name,
                Some(excluded.clone()),
                self.allow_list.authorities().clone(),
                None,
            )
            .map_err(WebAuthnError::classify)?;
        let state = RegistrationState { inner, excluded, expires_at: now + CEREMONY_SECONDS };
        Ok((to_json(&options.public_key)?, state))
    }

    /// Judges the answer (`RegistrationResponseJSON`) to [`SecondFactor::begin_registration`].
    ///
    /// The caller still has to refuse an id that is enrolled for anybody (AU-2).
    ///
    /// # Errors
    /// See [`WebAuthnError`]; the state is spent whatever the outcome.
    pub fn complete_registration(
        &self,
        state: RegistrationState,
        credential_json: &str,
        now: i64,
    ) -> Result<NewCredential, WebAuthnError> {
        if now > state.expires_at {
            return Err(WebAuthnError::Expired);
        }
        let answer: RegisterPublicKeyCredential = parse_credential(credential_json)?;
        let passkey = self
            .webauthn
            .finish_attested_passkey_registration(&answer, &state.inner)
            .map_err(WebAuthnError::classify)?;
        // The library reports this one as an altered algorithm.
        if state.excluded.contains(passkey.cred_id()) {
            return Err(WebAuthnError::AlreadyEnrolled);
        }
        let model = self.model_of(&passkey)?;
        Ok(NewCredential {
            credential_id: encode(passkey.cred_id()),
            aaguid: aaguid_of(&passkey).ok_or(WebAuthnError::NotAttested)?,
            model: model.model.clone(),
            level: model.level,
            passkey_json: to_json(&passkey)?,
        })
    }
}

#[cfg(test)]
impl RegistrationState {
    /// Puts an id on the list of excluded ones after the ceremony began.
    pub(super) fn exclude_for_test(&mut self, credential_id: &str) {
        self.excluded.extend(decode(credential_id));
    }
}
