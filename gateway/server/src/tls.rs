//! What is spoken: TLS 1.3 with the site's certificate. A client certificate is asked
//! for; one that comes must be of this site's CA. None at all is fine here, because a
//! login has none yet: who may call what without one is decided by the record layer.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::config::Config;

/// The server's side of every handshake.
///
/// # Errors
/// Fails when a file cannot be read or does not fit the others.
pub fn server_config(config: &Config) -> anyhow::Result<ServerConfig> {
    let ca = config.app.ca.join("ca.pem");
    let roots = certificates(&ca)?;
    let chain = certificates(&config.server_certificate)?;
    let key = private_key(&config.server_key)?;
    build(roots, chain, key)
}

/// The same from parts in memory.
///
/// # Errors
/// Fails when the parts do not fit each other.
pub fn build(
    roots: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(root).context("the site CA cannot be trusted")?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider.clone())
        .allow_unauthenticated()
        .build()
        .context("the site CA cannot verify clients")?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .context("server certificate and key do not fit")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would bring a client's certificate back without looking at it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let named = || format!("certificates in {}", path.display());
    let pem = std::fs::read(path).with_context(named)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.with_context(named)?;
    anyhow::ensure!(!found.is_empty(), "there are no {}", named());
    Ok(found)
}

fn private_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let pem = sekisho_vault::read_private_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem).with_context(|| format!("key in {}", path.display()))
}
