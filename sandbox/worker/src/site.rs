use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sekisho_deployment::{Deployment, Holds};
use sekisho_runner::{RunnerCommand, Runners};
use sekisho_vault::{ReceivingKey, ReceivingPublic, VerifyingIdentity, read_private_file};

use crate::{Config, ConfigErrors};

/// A configuration with everything it names opened: keys and certificates.
#[derive(Debug)]
pub struct Site {
    pub(crate) config: Config,
    pub(crate) ticket_key: VerifyingIdentity,
    pub(crate) ingest_key: VerifyingIdentity,
    pub(crate) receiving: ReceivingKey,
    pub(crate) identified: Option<ReceivingPublic>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) runners: Runners,
    pub(crate) deployment: Deployment,
}

impl Site {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that cannot be opened.
    pub fn open(config: Config) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let ticket_key = note(&mut errors, "ticket_key", public_key(&config.ticket_key));
        let ingest_key = note(&mut errors, "ingest_key", public_key(&config.ingest_key));
        let vault = config.vault.open().map_err(|error| error.to_string());
        let receiving = note(&mut errors, "vault", vault).and_then(|vault| {
            let opened = ReceivingKey::open(&config.receiving_key, vault);
            note(&mut errors, "receiving_key", opened.map_err(|error| error.to_string()))
        });
        let identified = config.reidentification_receiver.as_deref().and_then(|file| {
            let loaded = ReceivingPublic::load(file).map_err(|error| error.to_string());
            note(&mut errors, "reidentification_receiver", loaded)
        });
        let tls = note(&mut errors, "tls", client_tls(&config));
        let holds = Holds::PseudonymisedInformation;
        let deployment = Deployment::open(&config.deployment, holds, jiff::Zoned::now().date());
        let deployment = note(
            &mut errors,
            "deployment",
            deployment.map_err(|error| format!("{}: {error}", error.code())),
        );
        note(&mut errors, "datasets", folder(&config.datasets));
        note(&mut errors, "runner", file(&config.runner));
        let runners = Runners::new(RunnerCommand::program(&config.runner));
        let runners = note(&mut errors, "runner", runners.map_err(|error| error.to_string()));
        let (
            Some(ticket_key),
            Some(ingest_key),
            Some(receiving),
            Some(tls),
            Some(deployment),
            Some(runners),
            true,
        ) = (ticket_key, ingest_key, receiving, tls, deployment, runners, errors.is_empty())
        else {
            return Err(ConfigErrors(errors));
        };
        Ok(Self {
            runners,
            config,
            ticket_key,
            ingest_key,
            receiving,
            identified,
            deployment,
            tls: Arc::new(tls),
        })
    }

    /// Tries the jail for real on this host; gives its record.
    ///
    /// # Errors
    /// What every run would meet: a stable code, and the host's reason where there is one.
    pub fn check_host(&self) -> Result<String, String> {
        let lowered = &self.config.lowered;
        let runner = RunnerCommand::program(&self.config.runner);
        sekisho_runner::check_host(&runner, &self.config.datasets, lowered).map_err(|failure| {
            let reason = failure.developer.map(|developer| developer.messages.join(" "));
            format!("{}: {}", failure.code, reason.unwrap_or_default())
        })
    }
}

fn note<T>(errors: &mut Vec<String>, key: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|error| errors.push(format!("{key}: {error}"))).ok()
}

/// A public key as 64 hexadecimal digits or as PEM.
fn public_key(path: &Path) -> Result<VerifyingIdentity, String> {
    let text = read(path)?;
    let text = String::from_utf8_lossy(&text);
    let key = if text.contains("-----BEGIN") {
        VerifyingIdentity::from_pem(&text)
    } else {
        VerifyingIdentity::from_hex(text.trim())
    };
    key.map_err(|error| format!("{}: {error}", path.display()))
}

fn client_tls(config: &Config) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.ca)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", config.ca.display()))?;
    }
    let chain = certificates(&config.certificate)?;
    let wrong = |why: String| format!("{}: {why}", config.key.display());
    let key = read_private_file(&config.key).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| wrong(error.to_string()))?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(tls)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{}: no certificate", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn folder(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("{}: not a folder", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn file(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(format!("{}: not a program", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
