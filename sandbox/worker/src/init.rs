use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use sekisho_vault::{
    Pkcs11Place, ReceivingKey, VaultError, VaultPlace, Zeroizing, create_private_dir,
    create_private_file,
};

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

/// What was made for others to take along.
#[derive(Debug)]
pub struct Made {
    /// The certificate request, for a steward to answer.
    pub request: PathBuf,
    /// The public receiving key, for ingest to seal data sets for.
    pub receiver: PathBuf,
}

/// Makes a worker's folder: key vault (in the token, if one is named), receiving key, client
/// key with its certificate request, and a configuration that names what is still to be put
/// in place.
///
/// # Errors
/// [`InitError`]; an existing file is never overwritten.
pub fn init(folder: &Path, gateway: &str, token: Option<&Pkcs11Place>) -> Result<Made, InitError> {
    create_private_dir(folder)?;
    let tls = folder.join("tls");
    create_private_dir(&tls)?;
    let key = KeyPair::generate()?;
    let pem = Zeroizing::new(key.serialize_pem());
    create_private_file(&tls.join("worker.key"), pem.as_bytes())?;
    let request = tls.join("worker.csr");
    write_new(&request, &certificate_request(&key)?)?;
    let place = match token {
        Some(token) => VaultPlace::Token(token.clone()),
        None => VaultPlace::Folder(folder.join("vault")),
    };
    let receiver = folder.join("receiving.pub");
    ReceivingKey::create(&folder.join("receiving.key.sealed"), &receiver, place.create()?)?;
    write_new(&folder.join("config.toml"), &config(gateway, token))?;
    write_new(&folder.join(sekisho_deployment::FILE), sekisho_deployment::OWN_PREMISES)?;
    Ok(Made { request, receiver })
}

/// The site's CA takes only the key from it and gives the name itself.
fn certificate_request(key: &KeyPair) -> Result<String, InitError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sekisho-worker");
    Ok(params.serialize_request(key)?.pem()?)
}

fn config(gateway: &str, token: Option<&Pkcs11Place>) -> String {
    let gateway = toml::Value::from(gateway);
    let vault = token.map_or_else(|| toml::Value::from("vault"), token_table);
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
# The key vault, and the key sealed under it that data sets are sealed for.
vault = {vault}
receiving_key = "receiving.key.sealed"
# The identified zone's public receiving key. Without it no regulator's inquiry is answered.
# reidentification_receiver = "identified.pub"
# On whose machines this zone's data lie.
deployment = "deployment.toml"
# Runs at a time.
slots = 1
# Controls this host does without, of "network", "files", "system-calls". Every run's
# record names them.
lowered = []
"#
    )
}

fn token_table(token: &Pkcs11Place) -> toml::Value {
    let text = |path: &Path| toml::Value::from(path.to_string_lossy().into_owned());
    let mut table = toml::Table::new();
    table.insert("library".to_owned(), text(&token.library));
    table.insert("token".to_owned(), token.token.clone().into());
    table.insert("pin".to_owned(), text(&token.pin));
    table.insert("records".to_owned(), text(&token.records));
    toml::Value::Table(table)
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
    use sekisho_vault::ReceivingPublic;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn makes_a_private_key_a_request_and_a_configuration_that_parses() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("worker");
        let made = init(&folder, "https://localhost:8443", None).unwrap();
        let text = std::fs::read_to_string(made.request).unwrap();
        assert!(text.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        let key = std::fs::metadata(folder.join("tls/worker.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        let config = crate::Config::load(&folder.join("config.toml")).unwrap();
        let receiving = ReceivingKey::open(&config.receiving_key, config.vault.open().unwrap());
        let public = ReceivingPublic::load(&made.receiver).unwrap();
        assert_eq!(receiving.unwrap().public(), &public);
    }

    #[test]
    fn a_token_is_named_in_the_configuration_as_it_is_read_back() {
        let token = Pkcs11Place {
            library: "/lib/hsm.so".into(),
            token: "a \"token\"".to_owned(),
            pin: "/etc/pin".into(),
            records: "/site/records".into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        write_new(&path, &config("https://localhost:8443", Some(&token))).unwrap();
        assert_eq!(crate::Config::load(&path).unwrap().vault, VaultPlace::Token(token));
    }

    #[test]
    fn never_overwrites_a_worker() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("worker");
        init(&folder, "https://localhost:8443", None).unwrap();
        let before = std::fs::read(folder.join("tls/worker.key")).unwrap();
        assert!(init(&folder, "https://localhost:8443", None).is_err());
        assert_eq!(std::fs::read(folder.join("tls/worker.key")).unwrap(), before);
    }
}
