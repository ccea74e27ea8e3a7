//! What an ID token must say (OpenID Connect Core section 3.1.3.7).

use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Alg,
    CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthenticationContextClass, Nonce, OAuth2TokenResponse,
    TokenResponse,
};

use super::error::OidcError;
use super::{CLOCK_SKEW_SECONDS, DiscoveredClient, FirstFactor, OidcConfig};

/// Public-key algorithms only: a shared secret proves nothing to a third party, "none" nothing
/// to anybody.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];
/// OpenID Connect Core section 2: at most 255 ASCII characters.
const SUBJECT_MAX: usize = 255;

/// What this login expects of the token.
pub(super) struct Expected<'a> {
    pub(super) config: &'a OidcConfig,
    pub(super) nonce: &'a Nonce,
    pub(super) begun_at: i64,
    pub(super) now: i64,
}

impl Expected<'_> {
    pub(super) fn verify(
        &self,
        client: &DiscoveredClient,
        tokens: &CoreTokenResponse,
    ) -> Result<FirstFactor, OidcError> {
        let token = tokens.id_token().ok_or(OidcError::NoIdToken)?;
        let verifier = self.verifier(client)?;
        let claims = token.claims(&verifier, self.nonce).map_err(OidcError::from_claims)?;
        check_access_token(token, claims, tokens.access_token(), &verifier)?;
        if claims.authorized_party().is_some_and(|azp| azp.as_str() != self.config.client_id) {
            return Err(OidcError::WrongAudience);
        }
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > SUBJECT_MAX || !subject.is_ascii() {
            return Err(OidcError::BadIdToken("sub is empty, too long or not ASCII".to_owned()));
        }
        Ok(FirstFactor {
            issuer: self.config.issuer.clone(),
            subject: subject.to_owned(),
            acr: claims.auth_context_ref().map(|acr| acr.as_str().to_owned()),
            auth_time: claims.auth_time().ok_or(OidcError::AuthenticationTooOld)?.timestamp(),
        })
    }

    fn verifier<'v>(
        &'v self,
        client: &'v DiscoveredClient,
    ) -> Result<CoreIdTokenVerifier<'v>, OidcError> {
        // A token that ended within the skew still counts.
        let lenient_now = DateTime::<Utc>::from_timestamp(self.now - CLOCK_SKEW_SECONDS, 0)
            .ok_or_else(|| OidcError::Configuration("the clock is out of range".to_owned()))?;
        Ok(client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || lenient_now)
            .set_issue_time_verifier_fn(|issued| self.check_issued(issued.timestamp()))
            .set_auth_time_verifier_fn(|time| self.check_auth_time(time.map(|t| t.timestamp())))
            .set_auth_context_verifier_fn(|acr| self.check_acr(acr)))
    }

    /// Issued during this login, give or take the skew.
    fn check_issued(&self, issued: i64) -> Result<(), String> {
        let from = self.begun_at - CLOCK_SKEW_SECONDS;
        let until = self.now + CLOCK_SKEW_SECONDS;
        if (from..=until).contains(&issued) { Ok(()) } else { Err("iat".to_owned()) }
    }

    /// Required, because `max_age` was asked for (Core section 3.1.2.1).
    fn check_auth_time(&self, auth_time: Option<i64>) -> Result<(), String> {
        let auth_time = auth_time.ok_or_else(|| "missing".to_owned())?;
        // The age counts from when the login began: the person's own pace is not held against
        // them, and an age of 0 still means "at this login".
        let oldest =
            self.begun_at - i64::from(self.config.max_auth_age_seconds) - CLOCK_SKEW_SECONDS;
        let newest = self.now + CLOCK_SKEW_SECONDS;
        if (oldest..=newest).contains(&auth_time) { Ok(()) } else { Err("age".to_owned()) }
    }

    fn check_acr(&self, acr: Option<&AuthenticationContextClass>) -> Result<(), String> {
        let accepted = &self.config.required_acr;
        let met = acr.is_some_and(|acr| accepted.iter().any(|a| a == acr.as_str()));
        if accepted.is_empty() || met { Ok(()) } else { Err("acr".to_owned()) }
    }
}

/// Core section 3.1.3.8: optional in this flow, binding if there.
fn check_access_token(
    token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    access_token: &AccessToken,
    verifier: &CoreIdTokenVerifier<'_>,
) -> Result<(), OidcError> {
    let Some(claimed) = claims.access_token_hash() else { return Ok(()) };
    let refuse = |e: &dyn std::fmt::Display| OidcError::BadSignature(e.to_string());
    let algorithm = token.signing_alg().map_err(|e| refuse(&e))?;
    let key = token.signing_key(verifier).map_err(|e| refuse(&e))?;
    let actual =
        AccessTokenHash::from_token(access_token, algorithm, key).map_err(|e| refuse(&e))?;
    if actual == *claimed { Ok(()) } else { Err(OidcError::WrongAccessTokenHash) }
}
