use std::{
    net::Ipv4Addr,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use sekisho_access::Caller;
use sekisho_app::AppError;
use sekisho_domain::{RequestId, Timestamp};
use sekisho_identity::certificates::{SiteCa, request_for_new_key};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls;

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<EventKind>>>);

#[async_trait]
impl Gate for Recorder {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    async fn admit(&self, _: &Peer, _: RequestId) -> Result<Caller, AppError> {
        Err(AppError::NotFound)
    }

    fn hides(&self, _: &Caller, _: &str) -> bool {
        false
    }

    async fn record(
        &self,
        kind: EventKind,
        _: Actor,
        _: Option<RequestId>,
    ) -> Result<(), AppError> {
        self.0.lock().unwrap().push(kind);
        Ok(())
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A site with its door, and what its door recorded.
struct Site {
    ca: SiteCa,
    acceptor: Acceptor<Recorder>,
    records: Recorder,
    listener: TcpListener,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = SiteCa::create(&folder.path().join("ca"), "Test", now()).unwrap();
        let (server, server_key) = ca.issue_server(&["localhost".to_owned()], now()).unwrap();
        let tls = tls::build(chain(ca.root_pem()), chain(&server), key(&server_key)).unwrap();
        let records = Recorder::default();
        let acceptor = Acceptor::new(Arc::new(tls), records.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self { ca, acceptor, records, listener, _folder: folder }
    }

    /// A session certificate and its key.
    fn session(&self) -> (String, String) {
        let request = request_for_new_key().unwrap();
        let pem = self.ca.issue_session(&request.request_pem, "s1", now(), now() + 60).unwrap();
        (pem, request.key_pem)
    }

    /// Opens the door to one connection that `client` makes.
    async fn meet<F: Future>(&self, client: impl FnOnce(TcpStream) -> F) -> Option<Peer> {
        let address = self.listener.local_addr().unwrap();
        let visit = async {
            client(TcpStream::connect(address).await.unwrap()).await;
        };
        let door = async {
            let (stream, from) = self.listener.accept().await.unwrap();
            self.acceptor.accept(stream, from.ip()).await.map(|(_, peer)| peer)
        };
        tokio::join!(door, visit).0
    }

    /// A handshake with these versions and this certificate.
    async fn greet(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        client: Option<(String, String)>,
    ) -> Option<Peer> {
        let mut roots = RootCertStore::empty();
        roots.add(chain(self.ca.root_pem()).remove(0)).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((pem, key_pem)) => {
                builder.with_client_auth_cert(chain(&pem), key(&key_pem)).unwrap()
            }
        };
        self.meet(async |stream| {
            let name = ServerName::try_from("localhost").unwrap();
            let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
            if let Ok(mut stream) = connected {
                // A refused certificate shows only after the client's last flight.
                let _ = stream.write_all(b"x").await;
                let _ = timeout(Duration::from_millis(200), stream.read_u8()).await;
            }
        })
        .await
    }

    fn refusals(&self) -> Vec<String> {
        let records = self.records.0.lock().unwrap();
        let reasons = records.iter().map(|kind| match kind {
            EventKind::HandshakeFailed { peer, reason } => {
                assert_eq!(*peer, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
                reason.clone()
            }
            other => panic!("{other:?}"),
        });
        reasons.collect()
    }
}

const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[tokio::test]
async fn a_session_certificate_names_its_session_and_none_is_fine() {
    let site = Site::new().await;
    let peer = site.greet(TLS13, Some(site.session())).await.unwrap();
    assert_eq!(peer.identity, Some(PeerIdentity::Session("s1".to_owned())));
    assert_eq!(site.greet(TLS13, None).await.unwrap().identity, None);
    assert!(site.refusals().is_empty());
}

#[tokio::test]
async fn lg_1_tls_1_2_is_refused_and_recorded() {
    let site = Site::new().await;
    assert_eq!(site.greet(TLS12, None).await, None);
    assert_eq!(site.refusals(), ["tls_version"]);
}

#[tokio::test]
async fn lg_1_plain_text_is_refused_and_recorded() {
    let site = Site::new().await;
    let met = site.meet(async |mut stream: TcpStream| {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"));
    });
    assert_eq!(met.await, None);
    assert_eq!(site.refusals(), ["not_tls"]);
}

#[tokio::test]
async fn au_1_a_certificate_of_another_site_is_refused_and_recorded() {
    let (site, other) = (Site::new().await, Site::new().await);
    assert_eq!(site.greet(TLS13, Some(other.session())).await, None);
    assert_eq!(site.refusals(), ["certificate_of_another_ca"]);
}

#[tokio::test]
async fn an_expired_or_misused_certificate_is_refused_and_recorded() {
    let site = Site::new().await;
    let request = request_for_new_key().unwrap();
    let then = now() - 3600;
    let old = site.ca.issue_session(&request.request_pem, "s1", then, then + 60).unwrap();
    assert_eq!(site.greet(TLS13, Some((old, request.key_pem))).await, None);
    let server = site.ca.issue_server(&["localhost".to_owned()], now()).unwrap();
    assert_eq!(site.greet(TLS13, Some(server)).await, None);
    assert_eq!(site.refusals(), ["certificate_expired", "certificate_refused"]);
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let mut site = Site::new().await;
    site.acceptor = site.acceptor.with_patience(Duration::from_millis(50));
    let met = site.meet(async |mut stream: TcpStream| {
        let _ = stream.read_u8().await;
    });
    assert_eq!(met.await, None);
    assert_eq!(site.refusals(), ["timeout"]);
}
