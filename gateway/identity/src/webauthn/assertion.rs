//! Using an enrolled authenticator: to log in, or to make one decision.

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::{
    AttestedPasskey, AttestedPasskeyAuthentication, AuthenticationResult, PublicKeyCredential,
    RequestChallengeResponse,
};

use super::evidence::{ClientData, Evidence};
use super::{
    BiometricLevel, CEREMONY_SECONDS, DECISION_SECONDS, SecondFactor, WebAuthnError, encode,
    parse_credential, parse_passkey, to_json,
};

/// Label in front of what is hashed into a challenge, so that it can mean nothing else.
const CHALLENGE_LABEL: &[u8] = b"sekisho webauthn challenge v1\0";

/// What an assertion is for. It goes into the challenge, so the authenticator signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Opening a session. The ceremony may take 300 seconds.
    Login,
    /// Making exactly one decision, given as SHA-256 of its canonical form. 120 seconds.
    Decision([u8; 32]),
}

impl Purpose {
    /// SHA-256 over label, kind, nonce and decision.
    pub(super) fn challenge(&self, nonce: &[u8; 32]) -> Vec<u8> {
        let hasher = Sha256::new().chain_update(CHALLENGE_LABEL).chain_update(nonce);
        let hasher = match self {
            Self::Login => hasher.chain_update(b"login"),
            Self::Decision(sha256) => hasher.chain_update(b"decision").chain_update(sha256),
        };
        hasher.finalize().to_vec()
    }

    fn seconds(&self) -> i64 {
        match self {
            Self::Login => CEREMONY_SECONDS,
            Self::Decision(_) => DECISION_SECONDS,
        }
    }
}

/// An enrolled credential as the store keeps it.
#[derive(Debug, Clone)]
pub struct StoredCredential {
    /// The latest `passkey_json` of [`super::NewCredential`] or [`Assertion`].
    pub passkey_json: String,
}

/// An assertion under way. Keep it on the server; it is spent by one answer.
pub struct AssertionState {
    purpose: Purpose,
    nonce: [u8; 32],
    offered: Vec<Vec<u8>>,
    expires_at: i64,
}

impl fmt::Debug for AssertionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionState")
            .field("purpose", &self.purpose)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An accepted assertion.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// base64url without padding.
    pub credential_id: String,
    /// Signature counter after this assertion; 0 for models that do not count.
    pub counter: u32,
    /// The model's level on the list as it stands now.
    pub level: BiometricLevel,
    /// To be stored in place of the credential's old one.
    pub updated_passkey_json: String,
    /// The raw assertion with its challenge, for [`super::verify_evidence`].
    pub evidence_json: String,
}

impl SecondFactor {
    /// Starts an assertion with any of a person's credentials.
    ///
    /// Returns the bare `PublicKeyCredentialRequestOptionsJSON` and the state.
    ///
    /// # Errors
    /// [`WebAuthnError::UnknownCredential`] without credentials;
    /// [`WebAuthnError::ModelNotAllowed`] when no model among them is on the list any more.
    pub fn begin_assertion(
        &self,
        credentials: &[StoredCredential],
        purpose: Purpose,
        now: i64,
    ) -> Result<(String, AssertionState), WebAuthnError> {
        let mut nonce = [0_u8; 32];
        getrandom::fill(&mut nonce).map_err(|e| WebAuthnError::Internal(e.to_string()))?;
        let passkeys = self.allowed(credentials)?;
        let (options, _) = self.ceremony(&passkeys, &purpose.challenge(&nonce))?;
        let offered = passkeys.iter().map(|passkey| passkey.cred_id().clone()).collect();
        let expires_at = now + purpose.seconds();
        Ok((to_json(&options.public_key)?, AssertionState { purpose, nonce, offered, expires_at }))
    }

    /// Judges the answer (`AuthenticationResponseJSON`) to [`SecondFactor::begin_assertion`].
    ///
    /// `credentials` are the person's credentials as stored *now*: one revoked since the
    /// ceremony began is refused, and the counter is compared with its latest value. The
    /// caller replaces the stored credential by [`Assertion::updated_passkey_json`] only if it
    /// is still the one handed in here (compare and swap), so that two answers cannot both win.
    ///
    /// # Errors
    /// See [`WebAuthnError`]; the state is spent whatever the outcome.
    pub fn complete_assertion(
        &self,
        state: AssertionState,
        credentials: &[StoredCredential],
        credential_json: &str,
        now: i64,
    ) -> Result<Assertion, WebAuthnError> {
        if now > state.expires_at {
            return Err(WebAuthnError::Expired);
        }
        let answer: PublicKeyCredential = parse_credential(credential_json)?;
        // webauthn-rs checks this at registration only.
        if ClientData::parse(&answer.response.client_data_json)?.is_cross_origin() {
            return Err(WebAuthnError::WrongOrigin);
        }
        let passkeys: Vec<_> = parse_all(credentials)?
            .into_iter()
            .filter(|passkey| state.offered.contains(passkey.cred_id()))
            .collect();
        let mut passkey = passkeys
            .iter()
            .find(|passkey| *passkey.cred_id() == answer.raw_id)
            .cloned()
            .ok_or(WebAuthnError::UnknownCredential)?;
        let level = self.model_of(&passkey)?.level;
        let challenge = state.purpose.challenge(&state.nonce);
        let (_, ceremony) = self.ceremony(&passkeys, &challenge)?;
        let result = self
            .webauthn
            .finish_attested_passkey_authentication(&answer, &ceremony)
            .map_err(WebAuthnError::classify)?;
        require_user_verified(&result)?;
        passkey.update_credential(&result);
        let evidence =
            Evidence::new(&self.rp_id, &self.origin(), state.purpose, &state.nonce, answer);
        Ok(Assertion {
            credential_id: encode(passkey.cred_id()),
            counter: result.counter(),
            level,
            updated_passkey_json: to_json(&passkey)?,
            evidence_json: to_json(&evidence)?,
        })
    }

    fn allowed(
        &self,
        credentials: &[StoredCredential],
    ) -> Result<Vec<AttestedPasskey>, WebAuthnError> {
        let passkeys = parse_all(credentials)?;
        let first = passkeys.first().ok_or(WebAuthnError::UnknownCredential)?;
        let refusal = self.model_of(first).err();
        let allowed: Vec<_> =
            passkeys.into_iter().filter(|passkey| self.model_of(passkey).is_ok()).collect();
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(refusal),
            _ => Ok(allowed),
        }
    }

    /// The library's options and state over a challenge of our choice. The library draws its
    /// own; going through the serialised state is its only way to set one.
    fn ceremony(
        &self,
        passkeys: &[AttestedPasskey],
        challenge: &[u8],
    ) -> Result<(RequestChallengeResponse, AttestedPasskeyAuthentication), WebAuthnError> {
        let internal = |e: serde_json::Error| WebAuthnError::Internal(e.to_string());
        let (mut options, ceremony) = self
            .webauthn
            .start_attested_passkey_authentication(passkeys)
            .map_err(WebAuthnError::classify)?;
        options.public_key.challenge = challenge.to_vec();
        let mut ceremony = serde_json::to_value(&ceremony).map_err(internal)?;
        let slot = ceremony
            .pointer_mut("/ast/challenge")
            .ok_or_else(|| WebAuthnError::Internal("no challenge in the state".to_owned()))?;
        *slot = Value::String(encode(challenge));
        Ok((options, serde_json::from_value(ceremony).map_err(internal)?))
    }
}

fn parse_all(credentials: &[StoredCredential]) -> Result<Vec<AttestedPasskey>, WebAuthnError> {
    credentials.iter().map(|stored| parse_passkey(&stored.passkey_json)).collect()
}

/// The library enforces it by policy already; AU-1 is worth a second look at the flag itself.
fn require_user_verified(result: &AuthenticationResult) -> Result<(), WebAuthnError> {
    if result.user_verified() { Ok(()) } else { Err(WebAuthnError::UserVerificationMissing) }
}
