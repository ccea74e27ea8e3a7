//! The client that talks to the provider: https, no redirects, bounded in time and size.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use super::error::OidcError;

/// Discovery documents and key sets take some KiB.
const BODY_BYTES_MAX: usize = 1024 * 1024;
const CONNECT_SECONDS: u64 = 5;
const EXCHANGE_SECONDS: u64 = 10;

/// What went wrong between us and the provider.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// Plain http, or another scheme.
    #[error("{0} is not https")]
    NotHttps(String),
    /// A redirect: following it could leave the provider (SSRF).
    #[error("the provider redirected (status {0})")]
    Redirected(u16),
    /// More than 1 MiB.
    #[error("the provider's answer is larger than 1 MiB")]
    TooLarge,
    /// Connection, TLS, time-out.
    #[error("the exchange with the provider failed")]
    Transport(#[source] reqwest::Error),
    /// A message that HTTP cannot carry.
    #[error("a message could not be built")]
    Message,
}

pub(super) struct ProviderHttp {
    client: reqwest::Client,
    allow_http_loopback: bool,
}

impl ProviderHttp {
    /// A client that trusts the system's authorities and those in `extra_ca_pem`.
    pub(super) fn new(
        extra_ca_pem: Option<&str>,
        allow_http_loopback: bool,
    ) -> Result<Self, OidcError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(extra_ca_pem)?)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!allow_http_loopback)
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .timeout(Duration::from_secs(EXCHANGE_SECONDS))
            .build()
            .map_err(|e| OidcError::Configuration(format!("http client: {e}")))?;
        Ok(Self { client, allow_http_loopback })
    }

    /// https, or http to this very machine where that is allowed.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), HttpFault> {
        let loopback = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_http_loopback && loopback => Ok(()),
            _ => Err(HttpFault::NotHttps(url.origin().ascii_serialization())),
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
        let request = reqwest::Request::try_from(request).map_err(HttpFault::Transport)?;
        self.check_url(request.url())?;
        let mut response = self.client.execute(request).await.map_err(without_url)?;
        if response.status().is_redirection() {
            return Err(HttpFault::Redirected(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(without_url)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(HttpFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

fn tls(extra_ca_pem: Option<&str>) -> Result<ClientConfig, OidcError> {
    let bad = |why: String| OidcError::Configuration(format!("certificate authorities: {why}"));
    let mut roots = RootCertStore::empty();
    // A machine without a system store is fine as long as the provider's CA is given.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = extra_ca_pem {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|e| bad(e.to_string()))?;
            roots.add(certificate).map_err(|e| bad(e.to_string()))?;
        }
        if roots.len() == before {
            return Err(bad("no certificate in the PEM".to_owned()));
        }
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn without_url(error: reqwest::Error) -> HttpFault {
    HttpFault::Transport(error.without_url())
}
