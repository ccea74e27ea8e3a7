//! Assertions kept as evidence, and checking one again years later.
//!
//! Needs no state of the server: the record and the enrolled public key are enough.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::{Credential, PublicKeyCredential};

use super::assertion::Purpose;
use super::{WebAuthnError, decode, encode, parse_credential, parse_passkey};

const VERSION: u32 = 1;
/// Bit 0: user present, bit 2: user verified (WebAuthn Level 3 section 6.1).
const PRESENT_AND_VERIFIED: u8 = 0b0000_0101;

/// The record of one accepted assertion.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    version: u32,
    rp_id: String,
    origin: String,
    /// base64url.
    nonce: String,
    /// base64url; absent for a login.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    decision_sha256: Option<String>,
    /// base64url.
    challenge: String,
    assertion: PublicKeyCredential,
}

/// What a piece of evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEvidence {
    /// base64url without padding.
    pub credential_id: String,
    /// What the holder of the credential signed for.
    pub purpose: Purpose,
    /// Signature counter at the time.
    pub counter: u32,
}

/// Checks recorded evidence against the credential as it was enrolled.
///
/// `passkey_json` is any state of the enrolled credential: only its public key is used.
///
/// # Errors
/// `malformed`, `wrong_origin`, `wrong_challenge` (the record names another decision than was
/// signed), `user_verification_missing`, `unknown_credential`, `signature_invalid`.
pub fn verify_evidence(
    evidence_json: &str,
    passkey_json: &str,
    rp_id: &str,
    origin: &str,
) -> Result<VerifiedEvidence, WebAuthnError> {
    let evidence: Evidence = parse_credential(evidence_json)?;
    if evidence.version != VERSION {
        return Err(WebAuthnError::Malformed(format!("version {}", evidence.version)));
    }
    let purpose = evidence.purpose()?;
    let challenge = purpose.challenge(&bytes32(&evidence.nonce)?);
    let response = &evidence.assertion.response;
    let client_data = ClientData::parse(&response.client_data_json)?;
    if client_data.kind != "webauthn.get" {
        return Err(WebAuthnError::Malformed("not an assertion".to_owned()));
    }
    if encode(&challenge) != client_data.challenge || evidence.challenge != client_data.challenge {
        return Err(WebAuthnError::WrongChallenge);
    }
    let origins = [evidence.origin.as_str(), client_data.origin.trim_end_matches('/')];
    if origins != [origin; 2] || evidence.rp_id != rp_id || client_data.is_cross_origin() {
        return Err(WebAuthnError::WrongOrigin);
    }
    let counter = check_authenticator_data(&response.authenticator_data, rp_id)?;
    let credential: Credential = parse_passkey(passkey_json)?.into();
    if credential.cred_id != evidence.assertion.raw_id {
        return Err(WebAuthnError::UnknownCredential);
    }
    let mut signed = response.authenticator_data.clone();
    signed.extend_from_slice(&Sha256::digest(&response.client_data_json));
    match credential.cred.verify_signature(&response.signature, &signed) {
        Ok(true) => {}
        _ => return Err(WebAuthnError::SignatureInvalid),
    }
    Ok(VerifiedEvidence { credential_id: encode(&credential.cred_id), purpose, counter })
}

impl Evidence {
    pub(super) fn new(
        rp_id: &str,
        origin: &str,
        purpose: Purpose,
        nonce: &[u8; 32],
        assertion: PublicKeyCredential,
    ) -> Self {
        Self {
            version: VERSION,
            rp_id: rp_id.to_owned(),
            origin: origin.to_owned(),
            nonce: encode(nonce),
            decision_sha256: match purpose {
                Purpose::Login => None,
                Purpose::Decision(sha256) => Some(encode(&sha256)),
            },
            challenge: encode(&purpose.challenge(nonce)),
            assertion,
        }
    }

    fn purpose(&self) -> Result<Purpose, WebAuthnError> {
        match &self.decision_sha256 {
            None => Ok(Purpose::Login),
            Some(sha256) => Ok(Purpose::Decision(bytes32(sha256)?)),
        }
    }
}

/// The part of the client's signed JSON that matters here.
#[derive(Deserialize)]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin")]
    cross_origin: Option<bool>,
}

impl ClientData {
    pub(super) fn parse(json: &[u8]) -> Result<Self, WebAuthnError> {
        serde_json::from_slice(json).map_err(|e| WebAuthnError::Malformed(e.to_string()))
    }

    pub(super) fn is_cross_origin(&self) -> bool {
        self.cross_origin == Some(true)
    }
}

/// RP id hash (32 bytes), flags (1), counter (4, big-endian), extensions. Yields the counter.
fn check_authenticator_data(data: &[u8], rp_id: &str) -> Result<u32, WebAuthnError> {
    let short = || WebAuthnError::Malformed("authenticator data is too short".to_owned());
    let (rp_id_hash, rest) = data.split_first_chunk::<32>().ok_or_else(short)?;
    let (flags, rest) = rest.split_first().ok_or_else(short)?;
    let (counter, _) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if rp_id_hash.as_slice() != Sha256::digest(rp_id).as_slice() {
        return Err(WebAuthnError::WrongOrigin);
    }
    if flags & PRESENT_AND_VERIFIED != PRESENT_AND_VERIFIED {
        return Err(WebAuthnError::UserVerificationMissing);
    }
    Ok(u32::from_be_bytes(*counter))
}

fn bytes32(text: &str) -> Result<[u8; 32], WebAuthnError> {
    decode(text)?
        .try_into()
        .map_err(|_| WebAuthnError::Malformed("a hash or nonce is not 32 bytes long".to_owned()))
}
