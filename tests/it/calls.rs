//! No call without a session has an effect, and each leaves a record: those of the
//! contract, those that do not exist, those that are not well formed, and handshakes that
//! never came about.

use std::{collections::BTreeMap, fs, net::SocketAddr, sync::Arc};

use prost_reflect::DescriptorPool;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use sekisho_demo::site::{Site, StageName};
use sekisho_rpc::{limits, public};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use tokio_rustls::TlsConnector;
use tonic::{
    Code,
    transport::{Channel, Identity},
};

use crate::support::{
    desk::{self, NOT_LOGGED_IN},
    log::{self, Entry},
    wire::{self, Ended, call, channel},
};

const WHO_AM_I: &str = "/sekisho.v1.SessionService/WhoAmI";
const WORKERS: &str = "/sekisho.v1.WorkerService/";
const BEGIN_LOGIN: &str = "/sekisho.v1.SessionService/BeginLogin";
/// A tag of field 31 with a length far beyond the end: no message of the contract.
const GARBAGE: &[u8] = &[0xfa, 0x01, 0xff, 0xff, 0xff, 0x7f, 0x00];
const STEWARD: StageName = StageName::Steward;

/// Every method of the descriptor set.
fn methods() -> Vec<String> {
    let pool = DescriptorPool::decode(sekisho_proto::FILE_DESCRIPTOR_SET).unwrap();
    let of = |service: prost_reflect::ServiceDescriptor| {
        let name = service.full_name().to_owned();
        let methods: Vec<_> =
            service.methods().map(|method| format!("/{name}/{}", method.name())).collect();
        methods
    };
    pool.services().flat_map(of).collect()
}

/// Start and end of each call in the log.
struct Recorded(BTreeMap<String, (Vec<Entry>, Vec<Entry>)>);

impl Recorded {
    fn of(site: &Site) -> Self {
        let mut calls: BTreeMap<String, (Vec<Entry>, Vec<Entry>)> = BTreeMap::new();
        for entry in log::entries(site) {
            let call = calls.entry(entry.request_id().to_owned()).or_default();
            match entry.kind() {
                "call_started" => call.0.push(entry),
                "call_ended" => call.1.push(entry),
                _ => {}
            }
        }
        Self(calls)
    }

    /// Whether the log holds exactly one start and one end of this call, as the caller saw
    /// them, and who it says the caller was.
    fn actor(&self, method: &str, ended: &Ended) -> String {
        let call = self.0.get(&ended.request_id);
        let (starts, ends) = call.unwrap_or_else(|| panic!("no record of {method}: {ended:?}"));
        assert_eq!((starts.len(), ends.len()), (1, 1), "{method}");
        assert!(starts[0].index < ends[0].index, "{method}");
        assert_eq!(starts[0].part("method"), method);
        assert_eq!(starts[0].part("peer"), "127.0.0.1");
        assert_eq!(ends[0].part("code"), sekisho_rpc::status::code_name(ended.code), "{method}");
        // What the transport itself refused has no reason but its code.
        let (told, kept) = (ended.reason.as_str(), ends[0].part("reason"));
        assert!(
            kept == told || kept.is_empty() && told == ends[0].part("code"),
            "{method}: {told}"
        );
        starts[0].actor()["type"].as_str().unwrap().to_owned()
    }
}

/// A staffed site, something done to it, and its log intact afterwards.
fn on_a_site(act: impl AsyncFn(&Site)) {
    let (site, _) = Site::staffed().unwrap();
    Runtime::new().unwrap().block_on(act(&site));
    log::verified(&site);
}

#[test]
fn au_1_every_call_without_a_session_is_refused_and_recorded() {
    on_a_site(every_method_without_a_session);
}

#[test]
fn lg_1_what_is_not_well_formed_reaches_no_handler_and_is_recorded() {
    on_a_site(what_is_not_well_formed);
}

#[test]
fn zn_2_neither_people_nor_workers_call_the_others_methods() {
    on_a_site(only_their_own_side);
}

#[test]
fn cr_1_nothing_but_tls_1_3_with_certificates_of_the_site() {
    on_a_site(handshakes_that_fail);
}

#[test]
fn au_2_off_the_roster_a_session_is_over_at_once() {
    on_a_site(somebody_off_the_roster);
}

async fn every_method_without_a_session(site: &Site) {
    let stranger = channel(site, None);
    let mut ended = Vec::new();
    let health = "/grpc.health.v1.Health/Check".to_owned();
    let unlisted =
        ["/grpc.health.v1.Health/Watch", "/sekisho.v1.RunService/Nothing", "/no.such.Service/Call"];
    let all: Vec<String> =
        methods().into_iter().chain([health]).chain(unlisted.map(str::to_owned)).collect();
    assert!(all.len() > 40, "{} methods", all.len());
    for method in &all {
        // Empty is a message of every type, so nothing but the missing session can stop it.
        for message in [&[][..], GARBAGE] {
            let seen = call(&stranger, method, message).await;
            if public::is_public(method) || public::is_open(method) {
                assert_ne!(seen.reason, "NO_CERTIFICATE", "{method}");
            } else {
                assert_eq!(seen.code, Code::Unauthenticated, "{method}: {seen:?}");
                assert_eq!(seen.reason, "NO_CERTIFICATE", "{method}");
            }
            ended.push((method, seen));
        }
    }
    for (method, reason) in public::PUBLIC.iter().chain(public::OPEN) {
        assert!(all.iter().any(|known| known == method), "{method} is public but unknown");
        assert!(!reason.is_empty(), "{method}");
    }
    let recorded = Recorded::of(site);
    for (method, seen) in &ended {
        assert_eq!(recorded.actor(method, seen), "anonymous", "{method}");
    }
}

/// Nothing that is not a message reaches a handler, session or not.
async fn what_is_not_well_formed(site: &Site) {
    let known = channel(site, Some(wire::session(site, STEWARD)));
    let stranger = channel(site, None);
    let mut ended = Vec::new();
    for method in methods() {
        let seen = call(&known, &method, GARBAGE).await;
        // The worker's side is closed to a person before anything is read.
        let closed = method.starts_with(WORKERS) && seen.reason == "NOT_A_WORKER";
        let unread = matches!(seen.code, Code::Internal | Code::InvalidArgument);
        assert!(unread || closed, "{method}: {seen:?}");
        ended.push((method, seen));
    }
    let oversized = vec![0; limits::MESSAGE_BYTES + 1];
    for (channel, method) in [(&known, WHO_AM_I), (&stranger, BEGIN_LOGIN)] {
        let seen = call(channel, method, &oversized).await;
        assert!(
            matches!(seen.code, Code::OutOfRange | Code::ResourceExhausted),
            "{method}: {seen:?}"
        );
        ended.push((method.to_owned(), seen));
    }
    for method in ["/sekisho.v1.RunService/Nothing", "/no.such.Service/Call", "/"] {
        let seen = call(&known, method, &[]).await;
        assert_eq!(seen.code, Code::Unimplemented, "{method}: {seen:?}");
        ended.push((method.to_owned(), seen));
    }
    assert_eq!(call(&known, WHO_AM_I, &[]).await.code, Code::Ok, "garbage ended the session");
    let recorded = Recorded::of(site);
    for (method, seen) in &ended {
        recorded.actor(method, seen);
    }
}

/// A person's session opens no worker's method, a worker's certificate no person's.
async fn only_their_own_side(site: &Site) {
    let read = |name: &str| fs::read(site.root().join("worker/tls").join(name)).unwrap();
    let worker = Identity::from_pem(read("worker.pem"), read("worker.key"));
    let (worker, steward) =
        (channel(site, Some(worker)), channel(site, Some(wire::session(site, STEWARD))));
    let mut ended = Vec::new();
    for method in methods() {
        let for_workers = method.starts_with(WORKERS);
        if public::is_public(&method) {
            continue;
        }
        let channel = if for_workers { &steward } else { &worker };
        let seen = call(channel, &method, &[]).await;
        assert_ne!(seen.code, Code::Ok, "{method} was open to the other side");
        ended.push((method, seen));
    }
    let recorded = Recorded::of(site);
    for (method, seen) in &ended {
        recorded.actor(method, seen);
    }
}

async fn handshakes_that_fail(site: &Site) {
    let before = failures(site);
    let session_id = session_id(site, STEWARD);
    let forged = channel(site, Some(forged(&format!("urn:sekisho:session:{session_id}"))));
    assert!(refused_outright(&forged).await, "another CA's certificate was taken");
    let read = |name: &str| fs::read(site.root().join("gateway/tls").join(name)).unwrap();
    let own = Identity::from_pem(read("server.pem"), read("server.key.pem"));
    assert!(refused_outright(&channel(site, Some(own))).await, "a server's certificate was taken");
    assert!(tls_handshake(site, &rustls::version::TLS12).await.is_err(), "TLS 1.2 was taken");
    assert!(tls_handshake(site, &rustls::version::TLS13).await.is_ok());
    let mut plain = TcpStream::connect(address(site)).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "the gateway answered in the clear");
    let mut new = failures(site);
    for reason in before {
        let at = new.iter().position(|known| *known == reason).unwrap();
        new.remove(at);
    }
    for reason in ["certificate_of_another_ca", "certificate_refused", "tls_version", "not_tls"] {
        assert!(new.iter().any(|known| known == reason), "no record of {reason}: {new:?}");
    }
}

/// Removal from the roster ends a session at once, even one whose certificate lives on.
async fn somebody_off_the_roster(site: &Site) {
    let who = StageName::InsideReviewer;
    let open = channel(site, Some(wire::session(site, who)));
    assert_eq!(call(&open, WHO_AM_I, &[]).await.code, Code::Ok);
    let session_id = session_id(site, who);
    let people = site.person(STEWARD).args(["steward", "person", "list"]).json().unwrap();
    let named = |person: &&serde_json::Value| person["display_name"] == who.full_name();
    let person = desk::list(&people).iter().find(named).unwrap();
    let words = ["steward", "person", "remove", person["person_id"].as_str().unwrap()];
    site.person(STEWARD).args(words).args(["--reason", "left"]).succeed().unwrap();
    let seen = call(&open, WHO_AM_I, &[]).await;
    assert_eq!(seen.code, Code::Unauthenticated, "{seen:?}");
    let (status, reason, _) = desk::refusal(site.person(who).arg("whoami"));
    assert_eq!((status, reason), (NOT_LOGGED_IN, seen.reason.clone()));
    let recorded = Recorded::of(site);
    recorded.actor(WHO_AM_I, &seen);
    let ended = |entry: &Entry| {
        entry.is("session_ended", "session_id", &session_id)
            && entry.part("cause") == "person_removed"
    };
    assert_eq!(log::entries(site).iter().filter(|entry| ended(entry)).count(), 1);
}

/// Whether not even a public call gets through.
async fn refused_outright(channel: &Channel) -> bool {
    let mut client = tonic::client::Grpc::new(channel.clone());
    if client.ready().await.is_err() {
        return true;
    }
    let seen = call(channel, BEGIN_LOGIN, &[]).await;
    seen.request_id.is_empty() && seen.code != Code::Ok
}

/// A client certificate that names somebody, by a CA that is not the site's but calls
/// itself the same.
fn forged(name: &str) -> Identity {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::OrganizationName, "Sekisho site");
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Sekisho site CA");
    let ca = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    Identity::from_pem(leaf.pem(), key.serialize_pem())
}

async fn tls_handshake(
    site: &Site,
    version: &'static rustls::SupportedProtocolVersion,
) -> std::io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.ca()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address(site)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(drop)
}

fn address(site: &Site) -> SocketAddr {
    site.gateway_url().trim_start_matches("https://").parse().unwrap()
}

/// Reasons of all failed handshakes.
fn failures(site: &Site) -> Vec<String> {
    let entries = log::entries(site);
    let failed = entries.iter().filter(|entry| entry.kind() == "handshake_failed");
    failed.map(|entry| entry.part("reason").to_owned()).collect()
}

fn session_id(site: &Site, who: StageName) -> String {
    let note = fs::read(wire::home(site, who).join("session.json")).unwrap();
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    desk::text(&note, "session_id")
}
