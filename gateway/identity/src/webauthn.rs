//! The second factor: an attested authenticator with user verification (WebAuthn Level 3).
//!
//! Start reading at [`SecondFactor`]. Only device-bound credentials of models on the
//! [`AllowList`] are enrolled, because the user-verification flag alone is also set by a PIN;
//! the model is checked again at every assertion, so that taking it off the list locks it out.
//!
//! JSON on the wire: options are the bare `PublicKeyCredentialCreationOptionsJSON` and
//! `PublicKeyCredentialRequestOptionsJSON` of WebAuthn Level 3 section 5.1, that is, what
//! `PublicKeyCredential.parseCreationOptionsFromJSON` takes and what stands *inside*
//! `{"publicKey": ...}` of webauthn-rs. Answers are what `PublicKeyCredential.toJSON()` gives.

mod allow_list;
mod assertion;
mod error;
mod evidence;
mod registration;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{AttestationMetadata, AttestedPasskey};
use webauthn_rs::{Webauthn, WebauthnBuilder};

pub use allow_list::{AllowList, AllowListError, AllowedModel};
pub use assertion::{Assertion, AssertionState, Purpose, StoredCredential};
pub use error::WebAuthnError;
pub use evidence::{VerifiedEvidence, verify_evidence};
pub use registration::{NewCredential, RegistrationState};

/// How long an enrolment or login ceremony may take, seconds.
pub const CEREMONY_SECONDS: i64 = 300;
/// How long a ceremony bound to a decision may take, seconds.
pub const DECISION_SECONDS: i64 = 120;
/// An attestation with a long chain takes about 10 KiB.
const CREDENTIAL_BYTES_MAX: usize = 64 * 1024;

/// How sure one may be that the verification was a biometric one, by what the model's vendor
/// attests and the site's list says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BiometricLevel {
    /// User verification only; may have been a PIN.
    B0,
    /// Device-bound model with a biometric sensor.
    B1,
    /// B1, enrolled in person and used on managed terminals only. No attestation can show
    /// that: a list that says so is the site's own promise about how it hands the model out.
    B2,
    /// Model without any PIN path.
    B3,
}

impl BiometricLevel {
    /// The level named `B0` to `B3`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "B0" => Some(Self::B0),
            "B1" => Some(Self::B1),
            "B2" => Some(Self::B2),
            "B3" => Some(Self::B3),
            _ => None,
        }
    }

    /// `B0` to `B3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::B0 => "B0",
            Self::B1 => "B1",
            Self::B2 => "B2",
            Self::B3 => "B3",
        }
    }
}

impl fmt::Display for BiometricLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The relying party: makes options, judges answers. Cheap to build anew when the list changes.
pub struct SecondFactor {
    webauthn: Webauthn,
    rp_id: String,
    origin: Url,
    allow_list: AllowList,
}

impl SecondFactor {
    /// A relying party for one origin, e.g. `sekisho.example` and `https://sekisho.example:8443`.
    ///
    /// # Errors
    /// [`WebAuthnError::Configuration`] unless the origin is https (plain http only on
    /// `localhost`, as browsers do) and its host is `rp_id` or below it.
    pub fn new(rp_id: &str, origin: &str, allow_list: AllowList) -> Result<Self, WebAuthnError> {
        let bad = |why: String| WebAuthnError::Configuration(why);
        let origin = Url::parse(origin).map_err(|e| bad(format!("origin {origin:?}: {e}")))?;
        let local = origin.scheme() == "http" && origin.host_str() == Some("localhost");
        if origin.scheme() != "https" && !local {
            return Err(bad(format!("origin {origin} is neither https nor http://localhost")));
        }
        if origin.path() != "/" || origin.query().is_some() || origin.fragment().is_some() {
            return Err(bad(format!("origin {origin} is more than scheme, host and port")));
        }
        let webauthn = WebauthnBuilder::new(rp_id, &origin)
            .and_then(|builder| builder.rp_name("Sekisho").build())
            .map_err(|_| bad(format!("{rp_id} is not {origin} nor above it")))?;
        Ok(Self { webauthn, rp_id: rp_id.to_owned(), origin, allow_list })
    }

    /// The origin an authenticator must see, without a trailing slash.
    pub fn origin(&self) -> String {
        self.origin.origin().ascii_serialization()
    }

    /// The models that are accepted now.
    pub fn allow_list(&self) -> &AllowList {
        &self.allow_list
    }

    fn model_of(&self, passkey: &AttestedPasskey) -> Result<&AllowedModel, WebAuthnError> {
        let aaguid = aaguid_of(passkey).ok_or(WebAuthnError::NotAttested)?;
        self.allow_list.model(aaguid).ok_or(WebAuthnError::ModelNotAllowed(Some(aaguid)))
    }
}

fn aaguid_of(passkey: &AttestedPasskey) -> Option<Uuid> {
    match &passkey.attestation().metadata {
        AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => {
            Some(*aaguid)
        }
        _ => None,
    }
}

fn parse_passkey(json: &str) -> Result<AttestedPasskey, WebAuthnError> {
    serde_json::from_str(json).map_err(|e| WebAuthnError::StoredCredential(e.to_string()))
}

/// Reads a credential sent by a client.
fn parse_credential<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, WebAuthnError> {
    if json.len() > CREDENTIAL_BYTES_MAX {
        return Err(WebAuthnError::Malformed("the credential is too large".to_owned()));
    }
    serde_json::from_str(json).map_err(|e| WebAuthnError::Malformed(e.to_string()))
}

fn to_json(value: &impl serde::Serialize) -> Result<String, WebAuthnError> {
    serde_json::to_string(value).map_err(|e| WebAuthnError::Internal(e.to_string()))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, WebAuthnError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|e| WebAuthnError::Malformed(e.to_string()))
}

#[cfg(test)]
mod tests;
