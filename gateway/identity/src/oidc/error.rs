//! Why a first factor was refused.

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError,
    StandardErrorResponse,
};

use super::http::HttpFault;

/// A refused or failed login at the provider. Carries no token, code or response body.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// Issuer or certificate authorities cannot be used.
    #[error("wrong configuration: {0}")]
    Configuration(String),
    /// The client's redirect is not a loopback one (RFC 8252).
    #[error("only http://127.0.0.1:PORT/callback and http://[::1]:PORT/callback are redirected to")]
    RedirectRefused,
    /// The provider cannot be reached, or not safely.
    #[error("the provider cannot be reached")]
    ProviderUnreachable(#[source] HttpFault),
    /// The provider's discovery document, keys or token answer are unusable.
    #[error("the provider's answer is refused: {0}")]
    ProviderAnswer(String),
    /// The provider refused the code: used, expired, or not ours.
    #[error("the provider refused the code: {0}")]
    CodeRefused(String),
    /// The client sent no code, or something too long.
    #[error("the answer handed over is malformed")]
    MalformedAnswer,
    /// The login took too long.
    #[error("the login took too long")]
    Expired,
    /// Not the state of this login: possibly forged (RFC 6749 section 10.12).
    #[error("the state is not the one of this login")]
    WrongState,
    /// Another provider answered (RFC 9207), or the token names one.
    #[error("the answer comes from another issuer")]
    WrongIssuer,
    /// No ID token came.
    #[error("the provider sent no ID token")]
    NoIdToken,
    /// The token's key is not among the provider's keys.
    #[error("the ID token is signed by an unknown key")]
    UnknownKey,
    /// The signature is wrong or of a refused algorithm.
    #[error("the ID token's signature is refused: {0}")]
    BadSignature(String),
    /// Not meant for this gateway.
    #[error("the ID token is for another audience")]
    WrongAudience,
    /// Not of this login.
    #[error("the ID token's nonce is not the one of this login")]
    WrongNonce,
    /// The ID token is over, or not of this login's time.
    #[error("the ID token is outside its time")]
    TokenOutsideItsTime,
    /// The access token was swapped (`at_hash`).
    #[error("the access token does not match the ID token")]
    WrongAccessTokenHash,
    /// Authenticated in another way than required.
    #[error("the login's authentication class is not accepted")]
    AcrNotAccepted,
    /// Authenticated too long ago, or the provider does not say when.
    #[error("the login at the provider is too old")]
    AuthenticationTooOld,
    /// Anything else wrong with the ID token.
    #[error("the ID token is refused: {0}")]
    BadIdToken(String),
}

impl OidcError {
    /// Stable code for logs and callers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "oidc_configuration",
            Self::RedirectRefused => "redirect_refused",
            Self::ProviderUnreachable(_) => "provider_unreachable",
            Self::ProviderAnswer(_) => "provider_answer_refused",
            Self::CodeRefused(_) => "code_refused",
            Self::MalformedAnswer => "malformed_answer",
            Self::Expired => "login_expired",
            Self::WrongState => "wrong_state",
            Self::WrongIssuer => "wrong_issuer",
            Self::NoIdToken => "no_id_token",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature(_) => "bad_signature",
            Self::WrongAudience => "wrong_audience",
            Self::WrongNonce => "wrong_nonce",
            Self::TokenOutsideItsTime => "token_outside_its_time",
            Self::WrongAccessTokenHash => "wrong_access_token_hash",
            Self::AcrNotAccepted => "acr_not_accepted",
            Self::AuthenticationTooOld => "authentication_too_old",
            Self::BadIdToken(_) => "bad_id_token",
        }
    }

    pub(super) fn from_discovery(error: DiscoveryError<HttpFault>) -> Self {
        match error {
            DiscoveryError::Request(fault) => Self::ProviderUnreachable(fault),
            DiscoveryError::Response(status, _, why) => {
                Self::ProviderAnswer(format!("discovery, status {status}: {why}"))
            }
            DiscoveryError::Parse(error) => Self::ProviderAnswer(format!("discovery: {error}")),
            DiscoveryError::Validation(why) | DiscoveryError::Other(why) => {
                Self::ProviderAnswer(format!("discovery: {why}"))
            }
            other => Self::ProviderAnswer(format!("discovery: {other}")),
        }
    }

    pub(super) fn from_exchange(
        error: RequestTokenError<HttpFault, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> Self {
        match error {
            RequestTokenError::Request(fault) => Self::ProviderUnreachable(fault),
            RequestTokenError::ServerResponse(response) => {
                Self::CodeRefused(response.error().to_string())
            }
            // The body may hold tokens, so only where it went wrong is kept.
            RequestTokenError::Parse(error, _) => {
                Self::ProviderAnswer(format!("token answer, at {}", error.path()))
            }
            RequestTokenError::Other(_) => Self::ProviderAnswer("token answer".to_owned()),
        }
    }

    pub(super) fn from_claims(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as E;
        match error {
            E::Expired(_) => Self::TokenOutsideItsTime,
            E::InvalidAudience(_) => Self::WrongAudience,
            E::InvalidAuthContext(_) => Self::AcrNotAccepted,
            E::InvalidAuthTime(_) => Self::AuthenticationTooOld,
            E::InvalidIssuer(_) => Self::WrongIssuer,
            E::InvalidNonce(_) => Self::WrongNonce,
            E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Self::UnknownKey,
            E::SignatureVerification(error) => Self::BadSignature(error.to_string()),
            other => Self::BadIdToken(other.to_string()),
        }
    }
}
