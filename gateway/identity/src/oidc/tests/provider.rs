//! An OpenID provider in this process, with faults to switch on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::{Url, form_urlencoded};

use crate::certificates::SiteCa;

pub(super) const CLIENT_ID: &str = "sekisho";
pub(super) const SECRET: &str = "a secret of the client";
pub(super) const NOW: i64 = 1_800_000_000;

type ChangeClaims = Box<dyn Fn(&mut Value) + Send>;

/// What the provider does wrong.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) claims: Option<ChangeClaims>,
    pub(super) forged_header: Option<Value>,
    pub(super) no_id_token: bool,
    pub(super) hide_new_keys: bool,
    pub(super) silent_issuer: bool,
    pub(super) oversized: Option<&'static str>,
    pub(super) redirecting: Option<&'static str>,
    pub(super) discovery: Option<(&'static str, Value)>,
}

/// A login that got its code: what the token endpoint must see and sign.
struct Grant {
    challenge: String,
    nonce: String,
    redirect_uri: String,
}

pub(super) struct Shared {
    issuer: String,
    faults: Mutex<Faults>,
    keys: Mutex<Vec<KeyPair>>,
    grants: Mutex<HashMap<String, Grant>>,
    pub(super) token_calls: AtomicU32,
    pub(super) key_calls: AtomicU32,
    pub(super) secret_in_body: AtomicBool,
}

pub(super) struct FakeProvider {
    pub(super) issuer: String,
    pub(super) shared: Arc<Shared>,
}

/// What the browser carries back to the loopback redirect.
pub(super) struct Answer {
    pub(super) state: String,
    pub(super) code: String,
    pub(super) iss: String,
}

impl FakeProvider {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (provider, router) = Self::new("http", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub(super) async fn start_tls(ca: &SiteCa) -> Self {
        let (chain, key) = ca.issue_server(&["127.0.0.1".into()], clock()).unwrap();
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (provider, router) = Self::new("https", listener.local_addr().unwrap());
        let listener = TlsListener { listener, acceptor: Arc::new(config).into() };
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn new(scheme: &str, address: SocketAddr) -> (Self, Router) {
        let issuer = format!("{scheme}://{address}");
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            faults: Mutex::default(),
            keys: Mutex::new(vec![new_key()]),
            grants: Mutex::default(),
            token_calls: AtomicU32::new(0),
            key_calls: AtomicU32::new(0),
            secret_in_body: AtomicBool::new(false),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), misbehave))
            .with_state(Arc::clone(&shared));
        (Self { issuer, shared }, router)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock().unwrap()
    }

    pub(super) fn rotate_key(&self) {
        self.shared.keys.lock().unwrap().push(new_key());
    }

    /// The person logs in at the authorization URL.
    pub(super) fn authorize(&self, url: &Url) -> Answer {
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let mut grants = self.shared.grants.lock().unwrap();
        let code = format!("code-{}-{}", grants.len(), query["state"]);
        let grant = Grant {
            challenge: query["code_challenge"].clone(),
            nonce: query["nonce"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
        };
        grants.insert(code.clone(), grant);
        Answer { state: query["state"].clone(), code, iss: self.issuer.clone() }
    }
}

pub(super) fn clock() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()
}

async fn misbehave(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (oversized, redirecting) = {
        let faults = shared.faults.lock().unwrap();
        let hit = |path: Option<&str>| path == Some(request.uri().path());
        (hit(faults.oversized), hit(faults.redirecting))
    };
    if oversized {
        let body = Body::from(vec![b' '; 2 * 1024 * 1024]);
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    if redirecting {
        let elsewhere = format!("{}/keys", shared.issuer);
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, elsewhere)]).into_response();
    }
    next.run(request).await
}

async fn discovery(State(shared): State<Arc<Shared>>) -> axum::Json<Value> {
    let issuer = &shared.issuer;
    let faults = shared.faults.lock().unwrap();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        "authorization_response_iss_parameter_supported": !faults.silent_issuer,
    });
    if let Some((key, value)) = &faults.discovery {
        document[key] = value.clone();
    }
    axum::Json(document)
}

async fn keys(State(shared): State<Arc<Shared>>) -> axum::Json<Value> {
    shared.key_calls.fetch_add(1, Ordering::SeqCst);
    let keys = shared.keys.lock().unwrap();
    let published = if shared.faults.lock().unwrap().hide_new_keys { 1 } else { keys.len() };
    let keys: Vec<_> = keys
        .iter()
        .take(published)
        .enumerate()
        .map(|(index, key)| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": format!("key-{index}"),
                "x": URL_SAFE_NO_PAD.encode(key.der_bytes()),
            })
        })
        .collect();
    axum::Json(json!({ "keys": keys }))
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    shared.token_calls.fetch_add(1, Ordering::SeqCst);
    let form: HashMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{secret}")));
    let in_body = form.get("client_secret").is_some_and(|s| s == SECRET);
    shared.secret_in_body.store(in_body, Ordering::SeqCst);
    if !in_body && headers.get(header::AUTHORIZATION).is_none_or(|h| *h != *basic) {
        return refuse("invalid_client");
    }
    // A code is spent by its first use, right or wrong.
    let Some(grant) = shared.grants.lock().unwrap().remove(&form["code"]) else {
        return refuse("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != grant.challenge || form["redirect_uri"] != grant.redirect_uri {
        return refuse("invalid_grant");
    }
    let mut answer = json!({ "access_token": "an access token", "token_type": "Bearer" });
    if !shared.faults.lock().unwrap().no_id_token {
        answer["id_token"] = json!(id_token(&shared, &grant.nonce));
    }
    axum::Json(answer).into_response()
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response()
}

fn id_token(shared: &Shared, nonce: &str) -> String {
    // OpenID Connect Core 3.1.3.6: the left half of the hash that the algorithm uses.
    let at_hash = URL_SAFE_NO_PAD.encode(&Sha512::digest("an access token")[..32]);
    let mut claims = json!({
        "iss": shared.issuer, "sub": "hanako", "aud": CLIENT_ID, "nonce": nonce,
        "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 10,
        "acr": "urn:example:loa:2", "at_hash": at_hash,
    });
    let faults = shared.faults.lock().unwrap();
    if let Some(change) = &faults.claims {
        change(&mut claims);
    }
    let keys = shared.keys.lock().unwrap();
    let honest = json!({"alg": "EdDSA", "kid": format!("key-{}", keys.len() - 1)});
    let jose = faults.forged_header.as_ref().unwrap_or(&honest);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(jose), part(&claims));
    // A forger has no key of the provider's.
    let forger = new_key();
    let key = if faults.forged_header.is_some() { &forger } else { keys.last().unwrap() };
    let signature = match jose["alg"].as_str() {
        Some("none") => Vec::new(),
        _ => key.sign(signed.as_bytes()).unwrap(),
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
