//! One connection after its handshake: HTTP/2 or HTTP/1.1, bounded in every direction.

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use sekisho_rpc::Peer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Most calls at once on one connection.
const STREAMS: u32 = 128;
/// Largest header list, bytes.
const HEADER_BYTES: u32 = 16 << 10;
/// How much one call, and one connection, may send ahead, bytes.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);
/// How often a silent peer is asked whether it is there, and how long it may ponder.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));
/// Longest wait for the headers of an HTTP/1.1 request.
const HEADER_WAIT: Duration = Duration::from_secs(10);
/// Age at which a connection without a certificate is asked to end: enough for any step
/// of a login, too short to hoard connections.
const ANONYMOUS_AGE: Duration = Duration::from_secs(120);
/// A connection that was asked to end is cut after a session's longest life.
const LAST_CALLS: Duration = Duration::from_secs(8 * 3600);

/// Serves `router` until the peer leaves, the connection is too old, or `stopping`.
pub async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    age: Duration,
    stopping: CancellationToken,
) {
    let known = peer.identity.is_some();
    let (age, last_calls) =
        if known { (age, LAST_CALLS) } else { (ANONYMOUS_AGE.min(age), ANONYMOUS_AGE) };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        answer(router.clone(), request)
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        served = connection.as_mut() => return note(served),
        () = sleep(age) => {}
        () = stopping.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        served = connection => note(served),
        () = sleep(last_calls) => tracing::info!("a connection outlived its last calls"),
    }
}

async fn answer(
    router: Router,
    request: Request<Body>,
) -> Result<hyper::Response<Body>, Infallible> {
    router.oneshot(request).await
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT)
        .max_buf_size(HEADER_BYTES as usize);
    builder
}

fn note(served: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = served {
        tracing::debug!(error, "a connection ended in disorder");
    }
}
