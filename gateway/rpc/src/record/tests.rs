//! The layer around a made-up service, with a gate that keeps what it is given.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::Router;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use sekisho_access::{ActiveSession, SessionRecord};
use sekisho_domain::{
    BiometricLevel, OrganisationId, Person, PersonId, SessionId, Timestamp, WorkerId,
};
use sekisho_identity::certificates::PeerIdentity;
use sekisho_proto::v1::{self, run_service_server::RunServiceServer};
use tonic::{Code, service::Routes};
use tonic_types::StatusExt;
use tower::ServiceExt;

use super::*;

const WHO_AM_I: &str = "/sekisho.v1.SessionService/WhoAmI";
const BEGIN_LOGIN: &str = "/sekisho.v1.SessionService/BeginLogin";
const LEASE_RUN: &str = "/sekisho.v1.WorkerService/LeaseRun";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Admits any worker and the session `live`; takes so many records and then no more.
#[derive(Clone)]
struct FakeGate {
    records: Arc<Mutex<Vec<(EventKind, Actor)>>>,
    room: Arc<AtomicUsize>,
}

impl FakeGate {
    fn with_room(records: usize) -> Self {
        Self { records: Arc::default(), room: Arc::new(AtomicUsize::new(records)) }
    }

    fn outcomes(&self) -> Vec<(String, Option<String>)> {
        let records = self.records.lock().unwrap();
        let ended = records.iter().filter_map(|(kind, _)| match kind {
            EventKind::CallEnded { code, reason, .. } => Some((code.clone(), reason.clone())),
            _ => None,
        });
        ended.collect()
    }

    fn started(&self) -> Vec<(String, Actor)> {
        let records = self.records.lock().unwrap();
        let started = records.iter().filter_map(|(kind, actor)| match kind {
            EventKind::CallStarted { method, .. } => Some((method.clone(), *actor)),
            _ => None,
        });
        started.collect()
    }
}

#[async_trait]
impl Gate for FakeGate {
    fn now(&self) -> Timestamp {
        NOW
    }

    async fn admit(&self, peer: &Peer, request_id: RequestId) -> Result<Caller, AppError> {
        match &peer.identity {
            Some(PeerIdentity::Worker(_)) => Ok(caller(Who::Worker(worker()), request_id)),
            Some(PeerIdentity::Session(id)) if id == "live" => {
                Ok(caller(Who::Person(Box::new(session())), request_id))
            }
            Some(_) => Err(AppError::Unauthenticated { code: "SESSION_ENDED" }),
            None => Err(AppError::Unauthenticated { code: "NO_CERTIFICATE" }),
        }
    }

    fn hides(&self, _: &Caller, _: &str) -> bool {
        false
    }

    async fn record(
        &self,
        kind: EventKind,
        actor: Actor,
        _request_id: Option<RequestId>,
    ) -> Result<(), AppError> {
        let taken =
            self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if taken.is_err() {
            return Err(AppError::Unavailable("the disk is full".to_owned()));
        }
        self.records.lock().unwrap().push((kind, actor));
        Ok(())
    }
}

fn worker() -> WorkerId {
    id(WorkerId::KIND)
}

/// The one id of its kind in these tests.
fn id<T: std::str::FromStr<Err = sekisho_domain::IdError>>(kind: &str) -> T {
    format!("{kind}_018f3c4e5b6a7c8d9e0fa1b2c3d4e5f6").parse().unwrap()
}

fn caller(who: Who, request_id: RequestId) -> Caller {
    Caller { who, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), request_id, at: NOW }
}

/// A session that is the same in every test.
fn session() -> ActiveSession {
    let person = Person {
        person_id: id(PersonId::KIND),
        display_name: "Sato".to_owned(),
        organisation_id: id(OrganisationId::KIND),
        roles: Vec::new(),
        active: true,
        oidc_issuer: "https://issuer.example".to_owned(),
        oidc_subject: "sato".to_owned(),
        training_until: None,
        pledged_at: None,
    };
    let record = SessionRecord {
        session_id: id(SessionId::KIND),
        person_id: person.person_id,
        level: BiometricLevel::B1,
        credential_id: "c".to_owned(),
        started_at: NOW,
        expires_at: NOW.plus_seconds(60),
        ended_at: None,
    };
    ActiveSession::admit(record, person, NOW).unwrap()
}

fn actor() -> Actor {
    Actor::Person { person_id: id(PersonId::KIND), session_id: id(SessionId::KIND) }
}

fn peer(identity: Option<PeerIdentity>) -> Peer {
    Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), identity }
}

fn admitted_peer() -> Peer {
    peer(Some(PeerIdentity::Session("live".to_owned())))
}

fn request(path: &str, peer: Option<Peer>, body: &[u8]) -> Request<Body> {
    let mut request = Request::post(path)
        .header("content-type", "application/grpc")
        .body(Body::from(body.to_vec()))
        .unwrap();
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    request
}

/// One uncompressed gRPC message.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

fn layered(gate: &FakeGate, router: Router) -> Router {
    router.layer(RecordLayer::new(gate.clone(), TaskTracker::new()))
}

/// A handler that counts its calls and answers with `status` in the trailers.
fn answering(status: &'static str, calls: &Arc<AtomicUsize>) -> Router {
    let calls = calls.clone();
    Router::new().fallback(move || {
        calls.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            let frames = [
                Ok::<_, Infallible>(http_body::Frame::data(axum::body::Bytes::from_static(b"x"))),
                Ok(http_body::Frame::trailers(trailers)),
            ];
            Response::new(Body::new(StreamBody::new(stream::iter(frames))))
        }
    })
}

/// The status a client ends up with, from trailers or headers.
async fn status_of(response: Response<Body>) -> Status {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
    Status::from_header_map(&trailers).unwrap()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn lg_1_a_call_is_recorded_with_caller_start_and_outcome() {
    let (gate, calls) = (FakeGate::with_room(9), Arc::default());
    let router = layered(&gate, answering("0", &calls));
    let response = router.oneshot(request(WHO_AM_I, Some(admitted_peer()), b"")).await.unwrap();
    assert!(gate.outcomes().is_empty(), "it has not ended before its body is read");
    assert!(response.headers()["sekisho-request-id"].to_str().unwrap().starts_with("request_"));
    assert_eq!(status_of(response).await.code(), Code::Ok);
    assert_eq!(gate.started(), [(WHO_AM_I.to_owned(), actor())]);
    assert_eq!(gate.outcomes(), [("OK".to_owned(), None)]);
}

#[tokio::test]
async fn lg_1_an_error_in_the_trailers_is_recorded_and_names_the_call() {
    let (gate, calls) = (FakeGate::with_room(9), Arc::default());
    let router = layered(&gate, answering("9", &calls));
    let response = router.oneshot(request(WHO_AM_I, Some(admitted_peer()), b"")).await.unwrap();
    let status = status_of(response).await;
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::FailedPrecondition, "FAILED_PRECONDITION")
    );
    assert!(info.metadata["request_id"].starts_with("request_"));
    assert_eq!(gate.outcomes()[0].0, "FAILED_PRECONDITION");
}

#[tokio::test]
async fn au_1_nobody_unadmitted_reaches_a_handler_and_the_refusal_is_recorded() {
    let calls = Arc::default();
    let session = PeerIdentity::Session("s1".to_owned());
    for (identity, code) in [(None, "NO_CERTIFICATE"), (Some(session), "SESSION_ENDED")] {
        let gate = FakeGate::with_room(9);
        for method in [WHO_AM_I, "/sekisho.v1.RunService/StartRun", "/any.thing/Else", "/"] {
            let router = layered(&gate, answering("0", &calls));
            let call = request(method, Some(peer(identity.clone())), b"");
            let status = status_of(router.oneshot(call).await.unwrap()).await;
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, code));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        let refused = ("UNAUTHENTICATED".to_owned(), Some(code.to_owned()));
        assert_eq!(gate.outcomes(), vec![refused; 4]);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(
            gate.started()
                .iter()
                .all(|(_, actor)| { *actor == Actor::Anonymous { peer: Some(address) } })
        );
    }
}

#[tokio::test]
async fn people_and_workers_do_not_call_each_others_methods_and_are_named_when_they_try() {
    let calls = Arc::default();
    let worker_peer = peer(Some(PeerIdentity::Worker("w1".to_owned())));
    let named = Actor::Worker { worker_id: worker() };
    for (method, from, code, named) in [
        (LEASE_RUN, admitted_peer(), "NOT_A_WORKER", actor()),
        (WHO_AM_I, worker_peer.clone(), "NOT_A_PERSON", named),
    ] {
        let gate = FakeGate::with_room(9);
        let router = layered(&gate, answering("0", &calls));
        let status =
            status_of(router.oneshot(request(method, Some(from), b"")).await.unwrap()).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, code));
        assert_eq!(gate.started(), [(method.to_owned(), named)]);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let router = layered(&FakeGate::with_room(9), answering("0", &calls));
    let response = router.oneshot(request(LEASE_RUN, Some(worker_peer), b"")).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::Ok);
}

#[tokio::test]
async fn public_methods_need_no_session_but_are_recorded() {
    let (gate, calls) = (FakeGate::with_room(9), Arc::default());
    let router = layered(&gate, answering("0", &calls));
    let response = router.oneshot(request(BEGIN_LOGIN, Some(peer(None)), b"")).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::Ok);
    assert_eq!((calls.load(Ordering::SeqCst), gate.outcomes().len()), (1, 1));
}

#[tokio::test]
async fn lg_1_without_a_record_of_the_start_nothing_is_called() {
    let (gate, calls) = (FakeGate::with_room(0), Arc::default());
    for method in [WHO_AM_I, BEGIN_LOGIN] {
        let router = layered(&gate, answering("0", &calls));
        let call = request(method, Some(admitted_peer()), b"");
        let status = status_of(router.oneshot(call).await.unwrap()).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UNAVAILABLE"));
        assert!(!format!("{status:?}").contains("disk"));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn lg_1_an_outcome_that_cannot_be_recorded_is_not_told() {
    let (gate, calls) = (FakeGate::with_room(1), Arc::default());
    let router = layered(&gate, answering("0", &calls));
    let response = router.oneshot(request(WHO_AM_I, Some(admitted_peer()), b"")).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::Unavailable);

    let gate = FakeGate::with_room(1);
    let router = layered(&gate, answering("0", &calls));
    let response = router.oneshot(request(WHO_AM_I, Some(peer(None)), b"")).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_connection_without_a_peer_is_refused() {
    let (gate, calls) = (FakeGate::with_room(9), Arc::default());
    let router = layered(&gate, answering("0", &calls));
    let response = router.oneshot(request(WHO_AM_I, None, b"")).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::Internal);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn lg_1_a_dropped_stream_is_recorded_as_cancelled() {
    let gate = FakeGate::with_room(9);
    let endless = Router::new().fallback(async || {
        let frames = stream::repeat_with(|| Ok::<_, Infallible>(axum::body::Bytes::from("tick")));
        Response::new(Body::from_stream(frames))
    });
    let pending = TaskTracker::new();
    let router = endless.layer(RecordLayer::new(gate.clone(), pending.clone()));
    let response = router.oneshot(request(WHO_AM_I, Some(admitted_peer()), b"")).await.unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    drop(body);
    pending.close();
    pending.wait().await;
    assert_eq!(gate.outcomes(), [("CANCELLED".to_owned(), None)]);
}

#[tokio::test]
async fn lg_1_a_call_dropped_before_its_answer_is_recorded_as_cancelled() {
    let gate = FakeGate::with_room(9);
    let silent = Router::new().fallback(async || {
        std::future::pending::<()>().await;
        Response::new(Body::empty())
    });
    let pending = TaskTracker::new();
    let router = silent.layer(RecordLayer::new(gate.clone(), pending.clone()));
    let call = router.oneshot(request(WHO_AM_I, Some(admitted_peer()), b""));
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    pending.close();
    pending.wait().await;
    assert_eq!(gate.outcomes(), [("CANCELLED".to_owned(), None)]);
}

/// A service of the contract that would answer anything.
struct Eager;

#[tonic::async_trait]
impl v1::run_service_server::RunService for Eager {
    async fn start_run(
        &self,
        request: tonic::Request<v1::StartRunRequest>,
    ) -> Result<tonic::Response<v1::StartRunResponse>, Status> {
        let (caller, _) = admitted(request)?;
        assert_eq!(caller.actor(), actor());
        Ok(tonic::Response::new(v1::StartRunResponse::default()))
    }

    async fn get_run(
        &self,
        _: tonic::Request<v1::GetRunRequest>,
    ) -> Result<tonic::Response<v1::GetRunResponse>, Status> {
        Err(Status::not_found("no"))
    }

    async fn list_runs(
        &self,
        _: tonic::Request<v1::ListRunsRequest>,
    ) -> Result<tonic::Response<v1::ListRunsResponse>, Status> {
        Err(Status::not_found("no"))
    }

    async fn cancel_run(
        &self,
        _: tonic::Request<v1::CancelRunRequest>,
    ) -> Result<tonic::Response<v1::CancelRunResponse>, Status> {
        Err(Status::not_found("no"))
    }

    type WatchRunStream = crate::held::Answers<v1::WatchRunResponse>;

    async fn watch_run(
        &self,
        _: tonic::Request<v1::WatchRunRequest>,
    ) -> Result<tonic::Response<Self::WatchRunStream>, Status> {
        Err(Status::not_found("no"))
    }
}

#[tokio::test]
async fn lg_1_what_the_transport_refuses_is_recorded_too() {
    let server = RunServiceServer::new(Eager).max_decoding_message_size(64);
    let router = Routes::new(server).into_axum_router();
    let oversized = frame(&[b'x'; 65]);
    let garbage = frame(&[0xff, 0xff]);
    for (path, body, code) in [
        ("/sekisho.v1.RunService/StartRun", frame(b""), Code::Ok),
        ("/sekisho.v1.RunService/Nothing", frame(b""), Code::Unimplemented),
        ("/no.such.Service/Call", frame(b""), Code::Unimplemented),
        ("/sekisho.v1.RunService/StartRun", oversized, Code::OutOfRange),
        ("/sekisho.v1.RunService/StartRun", garbage, Code::Internal),
        ("/sekisho.v1.RunService/GetRun", frame(b""), Code::NotFound),
    ] {
        let gate = FakeGate::with_room(9);
        let layered = layered(&gate, router.clone());
        let call = request(path, Some(admitted_peer()), &body);
        let status = status_of(layered.oneshot(call).await.unwrap()).await;
        assert_eq!(status.code(), code, "{path}");
        assert_eq!(gate.outcomes()[0].0, crate::status::code_name(code), "{path}");
        assert_eq!(gate.started()[0].0, path);
        let named = status.get_details_error_info().map(|info| info.metadata["request_id"].clone());
        assert_eq!(named.is_some(), code != Code::Ok, "{path}");
    }
}

#[tokio::test]
async fn a_hostile_method_name_is_cut_and_cleaned() {
    let (gate, calls) = (FakeGate::with_room(9), Arc::default());
    let router = layered(&gate, answering("0", &calls));
    let path = format!("/{}", "%0a\u{7f}".replace('\u{7f}', "~").repeat(100));
    router.oneshot(request(&path, Some(peer(None)), b"")).await.unwrap();
    let (method, _) = gate.started().remove(0);
    assert_eq!(method.len(), METHOD_CHARS);
    assert_eq!(method_name("/a\nb"), "/a?b");
}

#[tokio::test]
async fn au_2_a_stream_ends_when_its_caller_would_not_be_admitted() {
    use futures::StreamExt;
    let hold = |identity| crate::held::Hold {
        gate: FakeGate::with_room(0),
        peer: peer(identity),
        request_id: RequestId::new(Timestamp::from_millis(1)),
        every: Duration::from_millis(5),
        stopping: tokio_util::sync::CancellationToken::new(),
    };
    let silent = || stream::pending::<Result<(), Status>>();

    let mut removed = crate::held::while_admitted(hold(None), silent());
    let status = removed.next().await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "NO_CERTIFICATE")
    );
    assert!(removed.next().await.is_none());

    let live = hold(admitted_peer().identity);
    let stopping = live.stopping.clone();
    let mut live = crate::held::while_admitted(live, silent());
    assert!(tokio::time::timeout(Duration::from_millis(50), live.next()).await.is_err());
    stopping.cancel();
    assert_eq!(live.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
}
