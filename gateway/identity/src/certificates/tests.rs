use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

fn clock() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

struct Fixture {
    folder: tempfile::TempDir,
    ca: SiteCa,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let ca = SiteCa::create(&folder.path().join("ca"), "Test site", clock()).unwrap();
    Fixture { folder, ca }
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn roots(ca: &SiteCa) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add(chain(ca.root_pem()).remove(0)).unwrap();
    Arc::new(store)
}

/// A mutual TLS 1.3 handshake in memory; yields the identity that the server sees.
fn handshake(ca: &SiteCa, client_chain: &str, client_key: &str) -> Result<PeerIdentity, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (server_chain, server_key) =
        ca.issue_server(&["localhost".into(), "127.0.0.1".into()], clock()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(ca), provider.clone()).build().unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&server_chain), key(&server_key))
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots(ca))
        .with_client_auth_cert(chain(client_chain), key(client_key))
        .map_err(|e| e.to_string())?;
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut client =
        ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap())
            .unwrap();
    for _ in 0..6 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|e| format!("server: {e}"))?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|e| format!("client: {e}"))?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    let peer = server.peer_certificates().unwrap().first().unwrap();
    PeerIdentity::from_certificate(peer).map_err(|e| e.to_string())
}

#[test]
fn a_session_certificate_opens_mutual_tls_and_names_its_session() {
    let f = fixture();
    let request = request_for_new_key().unwrap();
    let now = clock();
    let chain_pem =
        f.ca.issue_session(&request.request_pem, "0198-abc", now, now + 8 * 3600).unwrap();
    let seen = handshake(&f.ca, &chain_pem, &request.key_pem).unwrap();
    assert_eq!(seen, PeerIdentity::Session("0198-abc".into()));
}

#[test]
fn a_worker_certificate_names_its_worker() {
    let f = fixture();
    let request = request_for_new_key().unwrap();
    let now = clock();
    let chain_pem = f.ca.issue_worker(&request.request_pem, "w1", now, now + 86_400).unwrap();
    let seen = handshake(&f.ca, &chain_pem, &request.key_pem).unwrap();
    assert_eq!(seen, PeerIdentity::Worker("w1".into()));
}

#[test]
fn an_expired_session_certificate_is_refused_by_tls() {
    let f = fixture();
    let request = request_for_new_key().unwrap();
    let then = clock() - 9 * 3600;
    let chain_pem = f.ca.issue_session(&request.request_pem, "old", then, then + 8 * 3600).unwrap();
    let refused = handshake(&f.ca, &chain_pem, &request.key_pem).unwrap_err();
    assert!(refused.starts_with("server:"), "{refused}");
}

#[test]
fn a_certificate_of_another_site_is_refused_by_tls() {
    let (ours, theirs) = (fixture(), fixture());
    let request = request_for_new_key().unwrap();
    let now = clock();
    let chain_pem = theirs.ca.issue_session(&request.request_pem, "x", now, now + 60).unwrap();
    let refused = handshake(&ours.ca, &chain_pem, &request.key_pem).unwrap_err();
    assert!(refused.starts_with("server:"), "{refused}");
}

#[test]
fn a_server_certificate_does_not_pass_for_a_client() {
    let f = fixture();
    let (chain_pem, key_pem) = f.ca.issue_server(&["localhost".into()], clock()).unwrap();
    assert!(handshake(&f.ca, &chain_pem, &key_pem).unwrap_err().starts_with("server:"));
    let der = chain(&chain_pem).remove(0);
    let refused = PeerIdentity::from_certificate(&der).unwrap_err();
    assert_eq!(refused.code(), "peer_certificate_refused");
}

#[test]
fn whatever_the_request_asks_for_is_ignored_but_its_key() {
    let f = fixture();
    let key = KeyPair::generate().unwrap();
    let mut greedy = CertificateParams::new(vec!["gateway.example".to_owned()]).unwrap();
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    greedy
        .subject_alt_names
        .push(SanType::URI("urn:sekisho:worker:w1".to_owned().try_into().unwrap()));
    let request = greedy.serialize_request(&key).unwrap().pem().unwrap();
    let now = clock();
    let chain_pem = f.ca.issue_session(&request, "s1", now, now + 60).unwrap();
    let der = chain(&chain_pem).remove(0);
    let (_, leaf) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert_eq!(PeerIdentity::from_certificate(&der).unwrap(), PeerIdentity::Session("s1".into()));
    assert!(!leaf.is_ca());
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert!(!leaf.key_usage().unwrap().unwrap().value.key_cert_sign());
    assert_eq!(&*leaf.public_key().subject_public_key.data, key.der_bytes());
    assert_eq!(leaf.validity().not_after.timestamp(), now + 60);
    assert_eq!(leaf.validity().not_before.timestamp(), now - 300);
}

#[test]
fn two_certificates_of_one_key_have_different_serials() {
    let f = fixture();
    let request = request_for_new_key().unwrap();
    let now = clock();
    let serial = |id| {
        let der =
            chain(&f.ca.issue_session(&request.request_pem, id, now, now + 60).unwrap()).remove(0);
        x509_parser::parse_x509_certificate(&der).unwrap().1.raw_serial().to_vec()
    };
    assert_ne!(serial("a"), serial("b"));
}

#[test]
fn a_request_not_signed_by_its_key_is_refused() {
    let f = fixture();
    let request = request_for_new_key().unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(request.request_pem.as_bytes()).unwrap();
    let mut der = pem.contents.clone();
    *der.last_mut().unwrap() ^= 1;
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    let forged =
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    let now = clock();
    let refused = f.ca.issue_session(&forged, "s", now, now + 60).unwrap_err();
    assert_eq!(refused.code(), "certificate_request_refused");
}

#[test]
fn requests_of_other_kinds_are_refused() {
    let f = fixture();
    let now = clock();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let pem_of =
        |key: &KeyPair| CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
    let oversized = "x".repeat(9000);
    for bad in ["", "no pem", f.ca.root_pem(), &pem_of(&ed25519), &pem_of(&p384), &oversized] {
        let refused = f.ca.issue_session(bad, "s", now, now + 60).unwrap_err();
        assert_eq!(refused.code(), "certificate_request_refused");
    }
}

#[test]
fn lifetimes_are_bounded() {
    let f = fixture();
    let request = request_for_new_key().unwrap().request_pem;
    let now = clock();
    for not_after in [now, now - 1, now + SESSION_SECONDS_MAX + 1] {
        let refused = f.ca.issue_session(&request, "s", now, not_after).unwrap_err();
        assert_eq!(refused.code(), "certificate_lifetime_refused");
    }
    let refused = f.ca.issue_worker(&request, "w", now, now + WORKER_SECONDS_MAX + 1).unwrap_err();
    assert_eq!(refused.code(), "certificate_lifetime_refused");
    let end_of_ca = now + CA_SECONDS;
    let refused = f.ca.issue_session(&request, "s", end_of_ca - 10, end_of_ca + 10).unwrap_err();
    assert_eq!(refused.code(), "certificate_lifetime_refused");
}

#[test]
fn ids_that_could_confuse_a_urn_are_refused() {
    let f = fixture();
    let request = request_for_new_key().unwrap().request_pem;
    let now = clock();
    let long = "a".repeat(65);
    for id in ["", "a:b", "a b", "é", "a/../b", &long] {
        let refused = f.ca.issue_session(&request, id, now, now + 60).unwrap_err();
        assert_eq!(refused.code(), "certificate_name_refused", "{id}");
    }
}

#[test]
fn a_ca_is_reopened_and_never_overwritten() {
    let f = fixture();
    let dir = f.folder.path().join("ca");
    assert_eq!(SiteCa::open(&dir).unwrap().root_pem(), f.ca.root_pem());
    let mode = std::fs::metadata(dir.join("ca.key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refused = SiteCa::create(&dir, "Other", clock()).err().unwrap();
    assert_eq!(refused.code(), "ca_already_exists");
}

#[test]
fn a_readable_key_or_a_strange_certificate_is_refused() {
    let f = fixture();
    let dir = f.folder.path().join("ca");
    let key_file = dir.join("ca.key.pem");
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(SiteCa::open(&dir).err().unwrap().code(), "ca_lax_permissions");
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(dir.join("ca.pem"), fixture().ca.root_pem()).unwrap();
    assert_eq!(SiteCa::open(&dir).err().unwrap().code(), "ca_broken");
    std::fs::remove_file(&key_file).unwrap();
    assert_eq!(SiteCa::open(&dir).err().unwrap().code(), "ca_file");
}

#[test]
fn unusable_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(65);
    for name in ["", "  ", "a\nb", &long] {
        let refused = SiteCa::create(&folder.path().join("ca"), name, clock()).err().unwrap();
        assert_eq!(refused.code(), "certificate_name_refused");
    }
    let f = fixture();
    assert_eq!(f.ca.issue_server(&[], clock()).unwrap_err().code(), "certificate_name_refused");
}
