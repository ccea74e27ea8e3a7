//! The layer around everything that can be called. Each call, known or not, refused or
//! not, is in the log with its start and its outcome (LG-1), and nobody reaches a handler
//! without having been admitted (AU-1, AU-2).
//!
//! Fails closed: without a durable record of the start nothing is called, and an outcome
//! that cannot be recorded is not told.

mod body;
mod call;
mod meter;
mod stamp;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use http::{Request, Response};
use sekisho_access::{Caller, Who};
use sekisho_app::AppError;
use sekisho_audit::{Actor, EventKind};
use sekisho_domain::RequestId;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::{
    Gate, Peer,
    hidden::send_nowhere,
    public::{is_open, is_public},
    status::status,
};
use body::RecordedBody;
use call::OpenCall;
use meter::CallMeter;
use stamp::Outcome;

/// Longest method name kept; a client may send any path.
const METHOD_CHARS: usize = 120;

/// Makes [`Recorded`] services.
#[derive(Clone)]
pub struct RecordLayer<G> {
    gate: G,
    pending: TaskTracker,
    meter: CallMeter,
}

impl<G: Gate> RecordLayer<G> {
    /// Records through `gate`. Records of outcomes that nobody waits for any more run
    /// under `pending`; wait for it before the process ends.
    pub fn new(gate: G, pending: TaskTracker) -> Self {
        Self { gate, pending, meter: CallMeter::new() }
    }
}

impl<G: Gate, S> Layer<S> for RecordLayer<G> {
    type Service = Recorded<G, S>;

    fn layer(&self, inner: S) -> Recorded<G, S> {
        Recorded { layer: self.clone(), inner }
    }
}

/// A service whose calls are recorded.
#[derive(Clone)]
pub struct Recorded<G, S> {
    layer: RecordLayer<G>,
    inner: S,
}

impl<G, S> Service<Request<Body>> for Recorded<G, S>
where
    G: Gate,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let spare = self.inner.clone();
        // The one that was polled ready must be the one that is called.
        let inner = std::mem::replace(&mut self.inner, spare);
        let layer = self.layer.clone();
        let request_id = RequestId::new(layer.gate.now());
        let method = method_name(request.uri().path());
        let span = tracing::info_span!(
            "call",
            otel.kind = "server",
            otel.name = %method,
            rpc.system = "grpc",
            %method,
            %request_id,
            caller = tracing::field::Empty,
            run_id = tracing::field::Empty,
            code = tracing::field::Empty,
            reason = tracing::field::Empty,
        );
        let recorded = recorded(layer, inner, request, request_id, method);
        Box::pin(async move { Ok(recorded.instrument(span).await) })
    }
}

async fn recorded<G, S>(
    layer: RecordLayer<G>,
    inner: S,
    mut request: Request<Body>,
    request_id: RequestId,
    method: String,
) -> Response<Body>
where
    G: Gate,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let peer = request.extensions().get::<Peer>().cloned();
    let admitted = admit(&layer.gate, peer.as_ref(), &method, request_id).await;
    let actor = match &admitted {
        Ok(Some(caller)) => caller.actor(),
        _ => Actor::Anonymous { peer: peer.as_ref().map(|peer| peer.address) },
    };
    if let Ok(Some(caller)) = &admitted
        && layer.gate.hides(caller, &method)
    {
        send_nowhere(&mut request);
    }
    // Only after the actor is known: the log names whom it was that strayed.
    let admitted = admitted.and_then(|caller| right_side(caller, &method));
    let call = match start(&layer, peer.as_ref(), actor, request_id, method).await {
        Ok(call) => call,
        Err(error) => return stamp::refusal(status(error), request_id),
    };
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(request_id);
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            let mut inner = inner;
            let Ok(response) = inner.call(request).await;
            finish(call, response).await
        }
        Err(error) => finish(call, stamp::refusal(status(error), request_id)).await,
    }
}

/// The caller; nobody for a public method, a visitor for an open one. Nothing else gets past.
async fn admit<G: Gate>(
    gate: &G,
    peer: Option<&Peer>,
    method: &str,
    request_id: RequestId,
) -> Result<Option<Caller>, AppError> {
    if is_public(method) {
        return Ok(None);
    }
    match peer {
        Some(peer) if peer.identity.is_none() && is_open(method) => {
            let (peer, at) = (peer.address, gate.now());
            Ok(Some(Caller { who: Who::Visitor, peer, request_id, at }))
        }
        Some(peer) => gate.admit(peer, request_id).await.map(Some),
        None => Err(AppError::Internal("the connection came without a peer".to_owned())),
    }
}

/// Workers call the workers' service and nothing else, people everything but that; said
/// before a message is read, because workers' messages may be large.
fn right_side(caller: Option<Caller>, method: &str) -> Result<Option<Caller>, AppError> {
    let for_workers = method.starts_with("/sekisho.v1.WorkerService/");
    let code = match caller.as_ref().map(|caller| &caller.who) {
        Some(Who::Person(_)) if for_workers => "NOT_A_WORKER",
        Some(Who::Worker(_)) if !for_workers => "NOT_A_PERSON",
        _ => return Ok(caller),
    };
    Err(AppError::Unauthenticated { code })
}

/// Records that the call began, durably.
async fn start<G: Gate>(
    layer: &RecordLayer<G>,
    peer: Option<&Peer>,
    actor: Actor,
    request_id: RequestId,
    method: String,
) -> Result<OpenCall<G>, AppError> {
    let peer = peer.map(|peer| peer.address);
    let begun = EventKind::CallStarted { method: method.clone(), peer };
    layer.gate.record(begun, actor, Some(request_id)).await?;
    let RecordLayer { gate, pending, meter } = layer.clone();
    Ok(OpenCall::new(gate, pending, meter, request_id, actor, method))
}

/// Records how the call ended: now, when the headers say so, else when the body ends.
async fn finish<G: Gate>(mut call: OpenCall<G>, mut response: Response<Body>) -> Response<Body> {
    let request_id = call.request_id();
    stamp::name_request(response.headers_mut(), request_id);
    let Some(outcome) = Outcome::of(response.headers()) else {
        return response.map(|body| Body::new(RecordedBody::new(body, call)));
    };
    stamp::stamp(response.headers_mut(), request_id);
    match call.end(outcome).await {
        Ok(()) => response,
        Err(error) => stamp::refusal(status(error), request_id),
    }
}

/// The path, as far as it can be a method's name.
fn method_name(path: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    path.chars().take(METHOD_CHARS).map(visible).collect()
}

/// The caller whom the layer admitted, and the message.
///
/// # Errors
/// Unauthenticated, when a method that takes a caller is called without one.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(crate) fn admitted<T>(request: tonic::Request<T>) -> Result<(Caller, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Caller>() {
        Some(caller) => Ok((caller, message)),
        None => Err(status(AppError::Unauthenticated { code: "NO_CERTIFICATE" })),
    }
}

/// Where a call comes from, and its id.
///
/// # Errors
/// Internal, when the acceptor did not say who is at the other end.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(crate) fn origin<T>(request: &tonic::Request<T>) -> Result<(Peer, RequestId), Status> {
    let extensions = request.extensions();
    match (extensions.get::<Peer>(), extensions.get::<RequestId>()) {
        (Some(peer), Some(request_id)) => Ok((peer.clone(), *request_id)),
        _ => Err(status(AppError::Internal("the connection came without a peer".to_owned()))),
    }
}

#[cfg(test)]
mod tests;
