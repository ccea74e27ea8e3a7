use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use sekisho_vault::{FileVault, VaultError, Zeroizing, create_private_dir, create_private_file};

/// Why a worker's folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A key, the vault or a private file could not be made; nothing existing is overwritten.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The certificate request could not be made.
    #[error("the certificate request cannot be made")]
    Request(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl InitError {
    /// Stable code for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Vault(error) => error.code(),
            Self::Request(_) => "init.request",
            Self::Write { .. } => "init.write",
        }
    }
}

/// Makes a worker's folder: key vault, client key with its certificate request, and a
/// configuration that names what is still to be put in place. Returns the request's path.
///
/// # Errors
/// [`InitError`]; an existing file is never overwritten.
pub fn init(folder: &Path, gateway: &str) -> Result<PathBuf, InitError> {
    create_private_dir(folder)?;
    let tls = folder.join("tls");
    create_private_dir(&tls)?;
    let key = KeyPair::generate()?;
    let pem = Zeroizing::new(key.serialize_pem());
    create_private_file(&tls.join("worker.key"), pem.as_bytes())?;
    let request = tls.join("worker.csr");
    write_new(&request, &certificate_request(&key)?)?;
    FileVault::create(&folder.join("vault"))?;
    write_new(&folder.join("config.toml"), &config(gateway))?;
    Ok(request)
}

/// The site's CA takes only the key from it and gives the name itself.
fn certificate_request(key: &KeyPair) -> Result<String, InitError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sekisho-worker");
    Ok(params.serialize_request(key)?.pem()?)
}

fn config(gateway: &str) -> String {
    let gateway = toml::Value::from(gateway);
    format!(
        r#"# Paths start at this file's folder.
gateway = {gateway}
# The site's CA and this worker's certificate, from the steward.
ca = "tls/ca.pem"
certificate = "tls/worker.pem"
key = "tls/worker.key"
# Public keys (hexadecimal or PEM): who signs run tickets, who signs data set versions.
ticket_key = "ticket-verify.pub"
ingest_key = "ingest-verify.pub"
datasets = "../datasets"
vault = "vault"
# Runs at a time.
slots = 1
# Controls this host does without, of "network", "files", "system-calls". Every run's
# record names them.
lowered = []
"#
    )
}

fn write_new(path: &Path, text: &str) -> Result<(), InitError> {
    use std::io::Write as _;
    std::fs::File::create_new(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| InitError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn makes_a_private_key_a_request_and_a_configuration_that_parses() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("worker");
        let request = init(&folder, "https://localhost:8443").unwrap();
        let text = std::fs::read_to_string(request).unwrap();
        assert!(text.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        let key = std::fs::metadata(folder.join("tls/worker.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        assert!(FileVault::open(&folder.join("vault")).is_ok());
        crate::Config::load(&folder.join("config.toml")).unwrap();
    }

    #[test]
    fn never_overwrites_a_worker() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("worker");
        init(&folder, "https://localhost:8443").unwrap();
        let before = std::fs::read(folder.join("tls/worker.key")).unwrap();
        assert!(init(&folder, "https://localhost:8443").is_err());
        assert_eq!(std::fs::read(folder.join("tls/worker.key")).unwrap(), before);
    }
}
