//! Why a ceremony was refused.

use uuid::Uuid;
use webauthn_rs::prelude::WebauthnError as Cause;

/// A refused or failed WebAuthn ceremony.
#[derive(Debug, thiserror::Error)]
pub enum WebAuthnError {
    /// The authenticator did not verify its user (AU-1), or nobody was present.
    #[error("the authenticator did not verify its user")]
    UserVerificationMissing,
    /// No attestation, or one the authenticator made up itself.
    #[error("the authenticator does not attest its model")]
    NotAttested,
    /// The attestation is broken or no authority on the allow-list stands behind it.
    #[error("the attestation is not trusted: {0}")]
    AttestationUntrusted(String),
    /// The model is not on the allow-list, or no longer.
    #[error("the authenticator model {0:?} is not on the allow-list")]
    ModelNotAllowed(Option<Uuid>),
    /// The key may be copied between devices.
    #[error("the credential is not bound to one device")]
    SyncedCredential,
    /// Another origin or relying party, or a frame inside another site.
    #[error("the ceremony took place at another origin")]
    WrongOrigin,
    /// Not the challenge of this ceremony: replayed, swapped, or of another decision.
    #[error("the answer is not to this challenge")]
    WrongChallenge,
    /// The signature counter did not grow: there may be a copy of the authenticator.
    #[error("the signature counter did not grow; the authenticator may have been cloned")]
    CounterRegressed,
    /// The signature does not match the enrolled key.
    #[error("the signature does not match the enrolled key")]
    SignatureInvalid,
    /// The credential is not one of this person's, or no longer.
    #[error("the credential is not enrolled for this person")]
    UnknownCredential,
    /// The authenticator is enrolled already.
    #[error("the authenticator is enrolled already")]
    AlreadyEnrolled,
    /// What the client sent cannot be read.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
    /// The ceremony took too long.
    #[error("the ceremony took too long")]
    Expired,
    /// Relying party id, origin or a user's name do not fit the standard.
    #[error("wrong configuration: {0}")]
    Configuration(String),
    /// A credential in the store cannot be read.
    #[error("a stored credential cannot be read: {0}")]
    StoredCredential(String),
    /// The library did something unforeseen.
    #[error("internal failure: {0}")]
    Internal(String),
}

impl WebAuthnError {
    /// Stable code for logs and callers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UserVerificationMissing => "user_verification_missing",
            Self::NotAttested => "not_attested",
            Self::AttestationUntrusted(_) => "attestation_untrusted",
            Self::ModelNotAllowed(_) => "model_not_allowed",
            Self::SyncedCredential => "synced_credential",
            Self::WrongOrigin => "wrong_origin",
            Self::WrongChallenge => "wrong_challenge",
            Self::CounterRegressed => "counter_regressed",
            Self::SignatureInvalid => "signature_invalid",
            Self::UnknownCredential => "unknown_credential",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::Malformed(_) => "malformed",
            Self::Expired => "expired",
            Self::Configuration(_) => "webauthn_configuration",
            Self::StoredCredential(_) => "stored_credential_unreadable",
            Self::Internal(_) => "webauthn_internal",
        }
    }

    /// The one place where the library's errors become ours.
    pub(super) fn classify(cause: Cause) -> Self {
        match cause {
            Cause::UserNotVerified | Cause::UserNotPresent => Self::UserVerificationMissing,
            Cause::AttestationNotVerifiable
            | Cause::AttestationNotSupported
            | Cause::AttestationLeafCertMissing
            | Cause::AttestationStatementX5CMissing => Self::NotAttested,
            Cause::AttestationUntrustedAaguid | Cause::AttestationFormatMissingAaguid => {
                Self::ModelNotAllowed(None)
            }
            Cause::CredentialMayNotBeHardwareBound
            | Cause::CredentialBackupEligibilityInconsistent => Self::SyncedCredential,
            Cause::InvalidRPOrigin | Cause::InvalidRPIDHash | Cause::CredentialCrossOrigin => {
                Self::WrongOrigin
            }
            Cause::MismatchedChallenge => Self::WrongChallenge,
            Cause::CredentialPossibleCompromise => Self::CounterRegressed,
            Cause::AuthenticationFailure | Cause::SignatureInvalid => Self::SignatureInvalid,
            Cause::CredentialNotFound => Self::UnknownCredential,
            Cause::Configuration | Cause::InvalidUsername | Cause::MissingAttestationCaList => {
                Self::Configuration(cause.to_string())
            }
            Cause::AttestationChainNotTrusted(_)
            | Cause::AttestationTrustFailure
            | Cause::AttestationStatementSigInvalid
            | Cause::AttestationStatementX5CInvalid
            | Cause::AttestationCertificateAAGUIDMismatch
            | Cause::AttestationCertificateRequirementsNotMet
            | Cause::AttestationCredentialSubjectKeyMismatch => {
                Self::AttestationUntrusted(cause.to_string())
            }
            other => Self::Malformed(other.to_string()),
        }
    }
}
