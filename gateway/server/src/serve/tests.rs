//! A whole gateway in this process, called over real connections.

use std::path::Path;

use axum::body::{Body, Bytes};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use sekisho_app::Founding;
use sekisho_rpc::public::{is_open, is_public};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_rustls::TlsConnector;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::*;
use crate::init::tests::site;

#[test]
fn connections_are_limited_in_all_and_by_address() {
    let limits = Connections { most: 3, most_per_address: 2, age_seconds: 60 };
    let (guests, here) = (Guests::default(), IpAddr::from([192, 0, 2, 1]));
    let (first, _second) = (guests.admit(here, limits), guests.admit(here, limits));
    assert!(first.is_some());
    assert!(guests.admit(here, limits).is_none());
    let _third = guests.admit(IpAddr::from([192, 0, 2, 2]), limits).unwrap();
    assert!(guests.admit(IpAddr::from([192, 0, 2, 3]), limits).is_none());
    drop(first);
    assert!(guests.admit(here, limits).is_some());
}

struct Running {
    address: SocketAddr,
    ca_pem: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: &Path) -> Self {
        let config = Config::load(config).unwrap();
        let ca_pem = std::fs::read_to_string(config.app.ca.join("ca.pem")).unwrap();
        let (ready, listening) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let ready = move |address| {
            ready.send(address).unwrap();
            Ok(())
        };
        let served = tokio::spawn(serve(config, ready, async { drop(stopped.await) }));
        let address = listening.await.unwrap();
        Self { address, ca_pem, stop, served }
    }

    async fn connect(&self) -> SendRequest<Body> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        let served = timeout(Duration::from_secs(5), self.served).await;
        served.expect("it waits for no idle connection").unwrap().unwrap();
    }
}

/// Calls with an empty message.
async fn call(sender: &mut SendRequest<Body>, method: &str) -> Status {
    let request = Request::post(format!("https://localhost{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(Bytes::from_static(&[0; 5])))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let trailers: Option<HeaderMap> = body.collect().await.unwrap().trailers().cloned();
    Status::from_header_map(&trailers.unwrap_or(parts.headers)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn au_1_every_method_is_refused_without_a_session_but_the_public_ones() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path()).await;
    let running = Running::start(&config).await;
    let mut sender = running.connect().await;
    let methods = sekisho_rpc::methods();
    assert!(methods.len() > 40);
    let others = ["/grpc.health.v1.Health/Watch", "/no.such.Service/Call"].map(str::to_owned);
    for method in methods.iter().chain(&others) {
        let status = call(&mut sender, method).await;
        let open = is_public(method) || is_open(method);
        if status.code() == Code::Ok {
            assert!(open, "{method}");
            continue;
        }
        let info = status.get_details_error_info().unwrap();
        assert!(info.metadata["request_id"].starts_with("request_"), "{method}");
        let refused =
            (status.code(), info.reason.as_str()) == (Code::Unauthenticated, "NO_CERTIFICATE");
        assert_eq!(refused, !open, "{method} {status:?}");
    }
    assert_eq!(call(&mut sender, "/grpc.health.v1.Health/Check").await.code(), Code::Ok);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_not_taken_for_a_new_site() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path()).await;
    let loaded = Config::load(&config).unwrap();
    std::fs::remove_file(config.with_file_name("sekisho.db")).unwrap();
    let refused = serve(loaded, |_| Ok(()), async {}).await.unwrap_err();
    assert!(refused.to_string().contains("holds no site"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_stopped_starts_again_and_is_founded_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path()).await;
    for _ in 0..2 {
        let running = Running::start(&config).await;
        let mut sender = running.connect().await;
        assert_eq!(call(&mut sender, "/grpc.health.v1.Health/Check").await.code(), Code::Ok);
        running.stop().await;
    }
    let app = App::open(Config::load(&config).unwrap().app, Arc::new(SystemClock)).await.unwrap();
    let again = Founding {
        producer_name: "Another".to_owned(),
        steward_name: "Another".to_owned(),
        oidc_issuer: "https://issuer.example".to_owned(),
        oidc_subject: "another".to_owned(),
    };
    assert!(app.found(again).await.is_err());
}
