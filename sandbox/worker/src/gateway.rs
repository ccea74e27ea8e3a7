use std::io;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use sekisho_proto::v1;
use sekisho_proto::v1::worker_service_client::WorkerServiceClient;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::{ConfigErrors, Site};

/// Longest wait for work at the gateway.
const WAIT: Duration = Duration::from_secs(20);
/// A sealed module and its manifest come in one message.
const MOST_BYTES: usize = 80 << 20;
const CONNECT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const SHORT_CALL: Duration = Duration::from_secs(10);
const UPLOAD: Duration = Duration::from_secs(60);

/// The gateway as a worker sees it. Connects when first used, and again after each loss.
#[derive(Clone, Debug)]
pub(crate) struct Gateway(WorkerServiceClient<Channel>);

impl Gateway {
    pub(crate) fn new(site: &Site) -> Result<Self, ConfigErrors> {
        let wrong = |why: String| ConfigErrors(vec![format!("gateway: {why}")]);
        let origin = site.config.gateway.clone();
        let host = origin.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|error| wrong(error.to_string()))?;
        let place = (host, origin.port_u16().unwrap_or(443));
        let connector = TlsConnector::from(site.tls.clone());
        // tonic's own TLS offers no way to require version 1.3 alone, so it is told nothing of
        // TLS and given streams that have it already.
        let plain = format!("http://{}", origin.authority().map_or("", |it| it.as_str()));
        let channel = Endpoint::from_shared(plain)
            .map_err(|error| wrong(error.to_string()))?
            .origin(origin)
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                connect(place.clone(), name.clone(), connector.clone())
            }));
        Ok(Self(
            WorkerServiceClient::new(channel)
                .max_decoding_message_size(MOST_BYTES)
                .max_encoding_message_size(MOST_BYTES),
        ))
    }

    pub(crate) async fn lease(&mut self) -> Result<Option<v1::Lease>, Status> {
        let request =
            v1::LeaseRunRequest { wait_seconds: u32::try_from(WAIT.as_secs()).unwrap_or(0) };
        let answer = within(WAIT + SHORT_CALL, self.0.lease_run(request)).await?;
        Ok(answer.lease)
    }

    pub(crate) async fn heartbeat(
        &mut self,
        request: v1::HeartbeatRequest,
        patience: Duration,
    ) -> Result<v1::HeartbeatResponse, Status> {
        within(patience.min(SHORT_CALL), self.0.heartbeat(request)).await
    }

    pub(crate) async fn complete(&mut self, request: v1::CompleteRunRequest) -> Result<(), Status> {
        within(UPLOAD, self.0.complete_run(request)).await?;
        Ok(())
    }

    pub(crate) async fn fail(&mut self, request: v1::FailRunRequest) -> Result<(), Status> {
        within(SHORT_CALL, self.0.fail_run(request)).await?;
        Ok(())
    }
}

impl Gateway {
    pub(crate) async fn complete_trace(
        &mut self,
        request: v1::CompleteTraceRequest,
    ) -> Result<(), Status> {
        within(UPLOAD, self.0.complete_trace(request)).await?;
        Ok(())
    }

    pub(crate) async fn fail_trace(&mut self, request: v1::FailTraceRequest) -> Result<(), Status> {
        within(SHORT_CALL, self.0.fail_trace(request)).await?;
        Ok(())
    }
}

/// Whether asking again can help: the gateway was away or busy, it did not say no.
pub(crate) fn may_pass(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::ResourceExhausted
            | Code::Aborted
    )
}

async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match timeout(patience, call).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}

async fn connect(
    place: (String, u16),
    name: ServerName<'static>,
    connector: TlsConnector,
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(place).await?;
    stream.set_nodelay(true)?;
    connector.connect(name, stream).await.map(TokioIo::new)
}
