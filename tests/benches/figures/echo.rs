//! What the gateway's calls are held against: the same message from a bare tonic server in a
//! process of its own, with the gateway's certificate and the same demand for a client's, and
//! nothing else: no session, no policy, no record.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use sekisho_proto::v1;
use sekisho_proto::v1::session_service_server::{SessionService, SessionServiceServer};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// Under this word this program becomes the server.
pub(crate) const WORD: &str = "serve-echo";

/// The server's process; ended when dropped.
pub(crate) struct Echo {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Echo {
    /// Starts it with the certificates of a site.
    pub(crate) fn start(site: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command.arg(WORD).arg(site).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("its output")?;
        // From here on dropping it ends the process.
        let mut echo = Self { child, url: String::new() };
        BufReader::new(stdout).read_line(&mut echo.url)?;
        echo.url = echo.url.trim().to_owned();
        ensure!(!echo.url.is_empty(), "the echo server did not start");
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The life of the server's process.
pub(crate) fn serve(site: &Path) -> anyhow::Result<()> {
    let read = |name: &str| {
        let path = site.join("gateway").join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("tls/server.pem")?, read("tls/server.key.pem")?))
        .client_ca_root(Certificate::from_pem(read("ca/ca.pem")?));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
        let mut out = std::io::stdout();
        writeln!(out, "https://{}", incoming.local_addr()?)?;
        out.flush()?;
        let service = SessionServiceServer::new(Answer { session: session() });
        let mut server = Server::builder().tls_config(tls)?;
        Ok(server.add_service(service).serve_with_incoming(incoming).await?)
    })
}

/// As long as a real answer.
fn session() -> v1::Session {
    let id = || uuid::Uuid::now_v7().to_string();
    let now = Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 1_000_000 });
    v1::Session {
        session_id: id(),
        person_id: id(),
        display_name: "Suzuki Ken".to_owned(),
        organisation_id: id(),
        roles: vec![v1::Role::Handler.into()],
        biometric_level: v1::BiometricLevel::B1.into(),
        started_at: now,
        expires_at: now,
    }
}

struct Answer {
    session: v1::Session,
}

/// Never asked for here.
fn absent<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the echo server answers WhoAmI"))
}

#[tonic::async_trait]
impl SessionService for Answer {
    async fn who_am_i(
        &self,
        _: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        Ok(Response::new(v1::WhoAmIResponse { session: Some(self.session.clone()) }))
    }

    async fn begin_login(
        &self,
        _: Request<v1::BeginLoginRequest>,
    ) -> Result<Response<v1::BeginLoginResponse>, Status> {
        absent()
    }

    async fn complete_first_factor(
        &self,
        _: Request<v1::CompleteFirstFactorRequest>,
    ) -> Result<Response<v1::CompleteFirstFactorResponse>, Status> {
        absent()
    }

    async fn complete_login(
        &self,
        _: Request<v1::CompleteLoginRequest>,
    ) -> Result<Response<v1::CompleteLoginResponse>, Status> {
        absent()
    }

    async fn complete_enrolment(
        &self,
        _: Request<v1::CompleteEnrolmentRequest>,
    ) -> Result<Response<v1::CompleteEnrolmentResponse>, Status> {
        absent()
    }

    async fn logout(
        &self,
        _: Request<v1::LogoutRequest>,
    ) -> Result<Response<v1::LogoutResponse>, Status> {
        absent()
    }

    async fn begin_step_up(
        &self,
        _: Request<v1::BeginStepUpRequest>,
    ) -> Result<Response<v1::BeginStepUpResponse>, Status> {
        absent()
    }

    async fn revoke_session(
        &self,
        _: Request<v1::RevokeSessionRequest>,
    ) -> Result<Response<v1::RevokeSessionResponse>, Status> {
        absent()
    }
}
