//! The first factor: an authorization-code login at the site's OpenID provider.
//!
//! OpenID Connect Core 1.0 with PKCE S256 (RFC 7636), a nonce, a state, the issuer in the
//! answer (RFC 9207) and loopback redirects for native clients (RFC 8252). Start reading at
//! [`OidcProvider`]. State, nonce and PKCE verifier stay on the server; the access token is
//! checked against its hash and thrown away. Providers that speak SAML only need a bridge.

mod claims;
mod error;
mod http;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthenticationContextClass, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::{Host, Url};

pub use error::OidcError;

use claims::Expected;
pub use http::HttpFault;

use http::ProviderHttp;

/// How long a person may take at the provider, seconds.
pub const LOGIN_SECONDS: i64 = 600;
/// By how much the provider's clock may differ from ours, seconds.
pub const CLOCK_SKEW_SECONDS: i64 = 60;
/// Longest `state`, `code` or `iss` taken from a client, bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// How the site's provider is reached and what it must assert.
#[derive(Clone)]
pub struct OidcConfig {
    /// Issuer, exactly as the provider names itself.
    pub issuer: String,
    /// This gateway's client id at the provider.
    pub client_id: String,
    /// Its secret, for confidential clients.
    pub client_secret: Option<String>,
    /// Accepted values of `acr`; empty accepts any and none.
    pub required_acr: Vec<String>,
    /// Oldest acceptable login at the provider, seconds. 0 asks for a fresh one every time.
    pub max_auth_age_seconds: u32,
    /// Further certificate authorities (PEM) for the provider's TLS, besides the system's.
    pub extra_ca_pem: Option<String>,
    /// Allows plain http, to loopback addresses only: for demonstrations and tests.
    pub allow_http_loopback: bool,
}

impl fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcConfig")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret.as_ref().map(|_| "[redacted]"))
            .field("required_acr", &self.required_acr)
            .field("max_auth_age_seconds", &self.max_auth_age_seconds)
            .field("allow_http_loopback", &self.allow_http_loopback)
            .finish_non_exhaustive()
    }
}

/// A login under way. Keep it on the server; it is spent by one answer.
pub struct PendingFirstFactor {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    redirect_uri: RedirectUrl,
    begun_at: i64,
}

impl fmt::Debug for PendingFirstFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingFirstFactor")
            .field("begun_at", &self.begun_at)
            .finish_non_exhaustive()
    }
}

/// Who logged in at the provider, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFactor {
    /// The provider.
    pub issuer: String,
    /// The person's id there; unique together with the issuer.
    pub subject: String,
    /// How they authenticated, if the provider says.
    pub acr: Option<String>,
    /// When they authenticated, seconds since 1970-01-01 UTC.
    pub auth_time: i64,
}

/// The site's OpenID provider, discovered.
pub struct OidcProvider {
    config: OidcConfig,
    issuer: IssuerUrl,
    http: ProviderHttp,
    /// Discovery document and keys; replaced when the provider rotates its keys.
    metadata: RwLock<Arc<Metadata>>,
}

impl OidcProvider {
    /// Fetches the provider's discovery document and keys.
    ///
    /// # Errors
    /// `oidc_configuration` for what can never work, `provider_unreachable`,
    /// `provider_answer_refused` and others when the provider is down or wrong.
    pub async fn discover(config: OidcConfig) -> Result<Self, OidcError> {
        let issuer = IssuerUrl::new(config.issuer.clone())
            .map_err(|e| OidcError::Configuration(format!("issuer: {e}")))?;
        let http = ProviderHttp::new(config.extra_ca_pem.as_deref(), config.allow_http_loopback)?;
        let metadata = fetch_metadata(&issuer, &http).await?;
        Ok(Self { config, issuer, http, metadata: RwLock::new(Arc::new(metadata)) })
    }

    /// Starts a login; the person opens the returned URL in a browser.
    ///
    /// # Errors
    /// `redirect_refused` unless `redirect_uri` is `http://127.0.0.1:PORT/callback` or
    /// `http://[::1]:PORT/callback` (RFC 8252 section 7.3).
    pub fn begin(
        &self,
        redirect_uri: &str,
        now: i64,
    ) -> Result<(Url, PendingFirstFactor), OidcError> {
        let redirect_uri = loopback_redirect(redirect_uri)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&self.metadata());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_redirect_uri(Cow::Borrowed(&redirect_uri))
            .set_pkce_challenge(challenge)
            .set_max_age(Duration::from_secs(self.config.max_auth_age_seconds.into()));
        for acr in &self.config.required_acr {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        let (url, state, nonce) = request.url();
        Ok((url, PendingFirstFactor { state, nonce, verifier, redirect_uri, begun_at: now }))
    }

    /// Judges what the provider sent to the loopback redirect: `state`, `code` and, if it came,
    /// `iss`. Exchanges the code and verifies the ID token (Core section 3.1.3.7).
    ///
    /// # Errors
    /// See [`OidcError`]; the pending login is spent whatever the outcome.
    pub async fn complete(
        &self,
        pending: PendingFirstFactor,
        state: &str,
        code: &str,
        iss: Option<&str>,
        now: i64,
    ) -> Result<FirstFactor, OidcError> {
        if now > pending.begun_at + LOGIN_SECONDS {
            return Err(OidcError::Expired);
        }
        if code.is_empty() || [state, code, iss.unwrap_or("")].iter().any(|t| too_long(t)) {
            return Err(OidcError::MalformedAnswer);
        }
        if !bool::from(state.as_bytes().ct_eq(pending.state.secret().as_bytes())) {
            return Err(OidcError::WrongState);
        }
        let metadata = self.metadata();
        self.check_answering_issuer(&metadata, iss)?;
        let PendingFirstFactor { nonce, verifier, redirect_uri, begun_at, .. } = pending;
        let tokens = self.exchange(&metadata, code, verifier, redirect_uri).await?;
        let expected = Expected { config: &self.config, nonce: &nonce, begun_at, now };
        match expected.verify(&self.client(&metadata), &tokens) {
            // Keys rotate; a token under an unknown key is worth one look at the new set.
            Err(OidcError::UnknownKey) => {
                let fresh = Arc::new(fetch_metadata(&self.issuer, &self.http).await?);
                let verdict = expected.verify(&self.client(&fresh), &tokens);
                *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                verdict
            }
            verdict => verdict,
        }
    }

    /// RFC 9207: if the provider names itself, or promised to, it must be ours.
    fn check_answering_issuer(
        &self,
        metadata: &Metadata,
        iss: Option<&str>,
    ) -> Result<(), OidcError> {
        let promised = metadata.additional_metadata().names_itself_in_answers;
        match iss.filter(|iss| !iss.is_empty()) {
            Some(iss) if iss == self.config.issuer => Ok(()),
            None if !promised => Ok(()),
            _ => Err(OidcError::WrongIssuer),
        }
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: PkceCodeVerifier,
        redirect_uri: RedirectUrl,
    ) -> Result<CoreTokenResponse, OidcError> {
        self.client(metadata)
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| OidcError::ProviderAnswer("it has no token endpoint".to_owned()))?
            .set_pkce_verifier(verifier)
            .set_redirect_uri(Cow::Owned(redirect_uri))
            .request_async(&self.http)
            .await
            .map_err(OidcError::from_exchange)
    }

    fn metadata(&self) -> Arc<Metadata> {
        Arc::clone(&self.metadata.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn client(&self, metadata: &Metadata) -> DiscoveredClient {
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.config.client_id.clone()),
            self.config.client_secret.clone().map(ClientSecret::new),
        );
        let offered = metadata.token_endpoint_auth_methods_supported();
        let offers = |method| offered.is_some_and(|offered| offered.contains(&method));
        let body_only = offers(CoreClientAuthMethod::ClientSecretPost)
            && !offers(CoreClientAuthMethod::ClientSecretBasic);
        if body_only { client.set_auth_type(AuthType::RequestBody) } else { client }
    }
}

type DiscoveredClient = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Metadata = ProviderMetadata<
    AnswerMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The member of the discovery document that RFC 9207 adds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AnswerMetadata {
    #[serde(rename = "authorization_response_iss_parameter_supported", default)]
    names_itself_in_answers: bool,
}

impl AdditionalProviderMetadata for AnswerMetadata {}

async fn fetch_metadata(issuer: &IssuerUrl, http: &ProviderHttp) -> Result<Metadata, OidcError> {
    let metadata =
        Metadata::discover_async(issuer.clone(), http).await.map_err(OidcError::from_discovery)?;
    // The other endpoints are checked when they are called; this one the browser calls.
    http.check_url(metadata.authorization_endpoint().url())
        .map_err(|e| OidcError::ProviderAnswer(format!("authorization endpoint: {e}")))?;
    Ok(metadata)
}

fn too_long(text: &str) -> bool {
    text.len() > ANSWER_BYTES_MAX
}

fn loopback_redirect(redirect_uri: &str) -> Result<RedirectUrl, OidcError> {
    let url = Url::parse(redirect_uri).map_err(|_| OidcError::RedirectRefused)?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(ip)) => ip == std::net::Ipv6Addr::LOCALHOST,
        _ => false,
    };
    let plain = url.scheme() == "http"
        && url.path() == "/callback"
        && url.port().is_some()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !(loopback && plain) || url.as_str() != redirect_uri {
        return Err(OidcError::RedirectRefused);
    }
    RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| OidcError::RedirectRefused)
}

#[cfg(test)]
mod tests;
