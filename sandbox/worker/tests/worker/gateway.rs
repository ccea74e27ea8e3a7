//! A gateway of the tests' own: hands out the leases it was given, over mutual TLS 1.3.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sekisho_proto::v1;
use sekisho_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::{Request, Response, Status};

/// What the gateway has and what it was told.
#[derive(Default)]
pub(crate) struct Book {
    /// Leases to hand out.
    pub(crate) leases: VecDeque<v1::Lease>,
    /// Heartbeats answer with stop.
    pub(crate) stop: bool,
    /// Everything but leases is unavailable.
    pub(crate) away: bool,
    /// Reports to lose on the way before one is taken.
    pub(crate) lose_reports: u32,
    pub(crate) asked: u32,
    pub(crate) beats: Vec<v1::HeartbeatRequest>,
    pub(crate) completed: Vec<v1::CompleteRunRequest>,
    pub(crate) failed: Vec<v1::FailRunRequest>,
}

#[derive(Clone, Default)]
pub(crate) struct Gateway(pub(crate) Arc<Mutex<Book>>);

impl Gateway {
    /// Looks at the book.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn report(&self) -> Result<(), Status> {
        self.look(|book| {
            if book.away {
                return Err(Status::unavailable("away"));
            }
            if book.lose_reports > 0 {
                book.lose_reports -= 1;
                return Err(Status::unavailable("lost"));
            }
            Ok(())
        })
    }
}

#[tonic::async_trait]
impl WorkerService for Gateway {
    async fn lease_run(
        &self,
        _: Request<v1::LeaseRunRequest>,
    ) -> Result<Response<v1::LeaseRunResponse>, Status> {
        let lease = self.look(|book| {
            book.asked += 1;
            book.leases.pop_front()
        });
        Ok(Response::new(v1::LeaseRunResponse { lease }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let beat = request.into_inner();
        let ends = Instant::now() + Duration::from_millis(beat.wait_millis.into());
        self.look(|book| {
            if book.away {
                return Err(Status::unavailable("away"));
            }
            book.beats.push(beat);
            Ok(())
        })?;
        while !self.look(|book| book.stop) && Instant::now() < ends {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let stop = self.look(|book| book.stop);
        let lease_expires_at = None;
        Ok(Response::new(v1::HeartbeatResponse { stop, lease_expires_at }))
    }

    async fn complete_run(
        &self,
        request: Request<v1::CompleteRunRequest>,
    ) -> Result<Response<v1::CompleteRunResponse>, Status> {
        self.report()?;
        self.look(|book| book.completed.push(request.into_inner()));
        Ok(Response::new(v1::CompleteRunResponse {}))
    }

    async fn fail_run(
        &self,
        request: Request<v1::FailRunRequest>,
    ) -> Result<Response<v1::FailRunResponse>, Status> {
        self.report()?;
        self.look(|book| book.failed.push(request.into_inner()));
        Ok(Response::new(v1::FailRunResponse {}))
    }

    async fn complete_trace(
        &self,
        _: Request<v1::CompleteTraceRequest>,
    ) -> Result<Response<v1::CompleteTraceResponse>, Status> {
        Err(Status::failed_precondition("no trace"))
    }

    async fn fail_trace(
        &self,
        _: Request<v1::FailTraceRequest>,
    ) -> Result<Response<v1::FailTraceResponse>, Status> {
        Err(Status::failed_precondition("no trace"))
    }
}

/// A CA with one server and one client certificate, all PEM.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    pub(crate) server: (String, String),
    pub(crate) client: (String, String),
}

impl Certificates {
    pub(crate) fn generate() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let issue = |usage: ExtendedKeyUsagePurpose| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.extended_key_usages = vec![usage];
            let certificate = params.signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        Self {
            server: issue(ExtendedKeyUsagePurpose::ServerAuth),
            client: issue(ExtendedKeyUsagePurpose::ClientAuth),
            ca,
        }
    }
}

/// Serves on a port of the system's choice.
pub(crate) async fn serve(gateway: Gateway, certificates: &Certificates) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server_tls(certificates)));
    let incoming = futures::stream::unfold(listener, move |listener| {
        let acceptor = acceptor.clone();
        async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that fails the handshake is not served; the next may do better.
                if let Ok(stream) = acceptor.accept(stream).await {
                    return Some((Ok::<_, io::Error>(stream), listener));
                }
            }
        }
    });
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(WorkerServiceServer::new(gateway).max_decoding_message_size(80 << 20))
            .serve_with_incoming(incoming),
    );
    port
}

fn server_tls(certificates: &Certificates) -> rustls::ServerConfig {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&certificates.ca)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let (chain, key) = &certificates.server;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate(chain)],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    tls
}
