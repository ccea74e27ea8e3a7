//! Connections to the gateway: TLS 1.3 only, the site's CA only, the session's
//! certificate where one is needed.

use std::{sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use url::Url;

use crate::{
    error::CliError,
    profile::{Profile, StoredSession},
    screen::Screen,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What every command works with: whose profile, which screen.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// The profile folder.
    pub profile: Profile,
    /// Where answers go.
    pub screen: Screen,
}

impl Desk {
    /// Connects without a certificate; enough for the public calls of a login.
    ///
    /// # Errors
    /// Fails when the profile is incomplete or the gateway unreachable.
    pub(crate) async fn connect_public(&self) -> Result<Channel, CliError> {
        self.connect(None).await
    }

    /// Connects with the session's certificate.
    ///
    /// # Errors
    /// Fails when there is no running session or the gateway is unreachable.
    pub(crate) async fn connect_session(&self) -> Result<Channel, CliError> {
        let session = self.profile.session(jiff::Timestamp::now())?;
        self.connect(Some(&session)).await
    }

    /// Connects with the session's certificate when there is one, else without: enough for
    /// what is public.
    ///
    /// # Errors
    /// Fails when the profile is incomplete or the gateway unreachable.
    pub(crate) async fn connect_either(&self) -> Result<Channel, CliError> {
        let session = self.profile.session(jiff::Timestamp::now()).ok();
        self.connect(session.as_ref()).await
    }

    async fn connect(&self, session: Option<&StoredSession>) -> Result<Channel, CliError> {
        let gateway = self.profile.config()?.gateway;
        let tls = tls_config(&self.profile.ca_pem()?, session)?;
        let dial = Dial::new(&gateway, tls)?;
        let unreachable =
            |reason: String| CliError::Unreachable { url: gateway.to_string(), reason };
        let endpoint =
            endpoint(&gateway).map_err(|error| CliError::Profile(format!("gateway: {error}")))?;
        endpoint
            .connect_with_connector(tower::service_fn(move |_: Uri| dial.clone().connect()))
            .await
            .map_err(|error| unreachable(chain(&error)))
    }
}

/// The transport sees plain http, because TLS is made by [`Dial`]; requests carry
/// the https origin.
fn endpoint(gateway: &Url) -> Result<Endpoint, tonic::transport::Error> {
    let mut plain = gateway.clone();
    // From https to http is a change `Url` allows.
    let _ = plain.set_scheme("http");
    let endpoint = Endpoint::from_shared(plain.to_string())?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    Ok(match gateway.as_str().parse::<Uri>() {
        Ok(origin) => endpoint.origin(origin),
        Err(_) => endpoint,
    })
}

fn tls_config(ca_pem: &str, session: Option<&StoredSession>) -> Result<ClientConfig, CliError> {
    let malformed = |what: &str| CliError::Profile(format!("{what} is not valid PEM"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|_| malformed("ca.pem"))?;
        roots.add(certificate).map_err(|error| CliError::Profile(format!("ca.pem: {error}")))?;
    }
    if roots.is_empty() {
        return Err(malformed("ca.pem"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| CliError::Profile(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match session {
        None => builder.with_no_client_auth(),
        Some(session) => {
            let chain = CertificateDer::pem_slice_iter(session.certificate_chain_pem.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| malformed("session.crt.pem"))?;
            let key = PrivateKeyDer::from_pem_slice(session.key_pem.as_bytes())
                .map_err(|_| malformed("session.key.pem"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| CliError::Profile(format!("session certificate: {error}")))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[derive(Clone)]
struct Dial {
    connector: TlsConnector,
    name: ServerName<'static>,
    host: String,
    port: u16,
}

impl Dial {
    fn new(gateway: &Url, config: ClientConfig) -> Result<Self, CliError> {
        let invalid = || CliError::Profile(format!("{gateway} names no host"));
        let host = gateway.host_str().ok_or_else(invalid)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(host.clone()).map_err(|_| invalid())?,
            port: gateway.port_or_known_default().ok_or_else(invalid)?,
            host,
        })
    }

    async fn connect(self) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(self.name, stream).await?;
        Ok(TokioIo::new(stream))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut lines = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let line = error.to_string();
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        source = error.source();
    }
    lines.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_without_a_ca_is_refused() {
        let error = tls_config("nothing here", None).expect_err("no certificate");
        assert_eq!(error.reason(), "PROFILE_INVALID");
    }

    #[test]
    fn only_tls_1_3_is_offered() {
        let key = rcgen::KeyPair::generate().expect("key");
        let ca = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
            .expect("params")
            .self_signed(&key)
            .expect("certificate");
        let config = tls_config(&ca.pem(), None).expect("config");
        assert_eq!(config.alpn_protocols, vec![b"h2".to_vec()]);
        assert!(!format!("{config:?}").contains("TLSv1_2"));
    }

    #[tokio::test]
    async fn an_unreachable_gateway_is_said_to_be_so() {
        let dir = tempfile::tempdir().expect("temp");
        let profile = Profile::locate(Some(dir.path().to_owned())).expect("located");
        let key = rcgen::KeyPair::generate().expect("key");
        let ca = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
            .expect("params")
            .self_signed(&key)
            .expect("certificate");
        let ca_path = dir.path().join("given.pem");
        std::fs::write(&ca_path, ca.pem()).expect("written");
        // A port that was free a moment ago: nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("port")
            .port();
        let url = Url::parse(&format!("https://127.0.0.1:{port}")).expect("url");
        profile.set_up(Some(url), Some(&ca_path)).expect("set up");
        let screen = Screen { json: true, quiet: true };
        let desk = Desk { profile, screen };
        let error = desk.connect_public().await.expect_err("nobody listens");
        assert_eq!(error.exit(), crate::exit::Exit::Unreachable);
    }
}
