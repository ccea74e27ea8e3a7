//! The site's own certificate authority: server, session and worker certificates.
//!
//! The CA vouches for exactly three things: that a server belongs to the site, that a client
//! holds the key of one session, that a client is one worker. The name is a URN in the subject
//! alternative name; the subject is decoration. Revocation is not in the certificate: the
//! session named in it is looked up on every call.

mod files;
mod peer;
mod request;

use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber,
};
use time::OffsetDateTime;

pub use peer::PeerIdentity;
pub use request::{NewRequest, request_for_new_key};

use peer::check_id;
use request::requested_key;

/// Longest life of a session certificate: 8 hours, in seconds.
pub const SESSION_SECONDS_MAX: i64 = 8 * 3600;
/// Longest life of a worker's certificate: 90 days, in seconds.
pub const WORKER_SECONDS_MAX: i64 = 90 * DAY;

const DAY: i64 = 24 * 3600;
const CA_SECONDS: i64 = 3653 * DAY;
/// Browsers refuse server certificates that live longer than 398 days.
const SERVER_SECONDS: i64 = 397 * DAY;
/// Clocks of clients may run behind ours by this much.
const BACKDATE_SECONDS: i64 = 300;
/// X.520 upper bound of an organisation name.
const SITE_NAME_MAX: usize = 64;

/// Why a certificate was not issued or a CA not opened.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The folder already holds a CA; overwriting it would orphan every certificate issued.
    #[error("{0} already holds a certificate authority")]
    AlreadyExists(std::path::PathBuf),
    /// The CA's key can be read by others than its owner.
    #[error("{path} has mode {mode:o}; only its owner may read it")]
    LaxPermissions {
        /// The key file.
        path: std::path::PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The CA's files are damaged or do not belong together.
    #[error("the certificate authority is unusable: {0}")]
    BrokenAuthority(String),
    /// The certificate request is not readable, not self-signed by its key, or not for P-256.
    #[error("the certificate request is refused: {0}")]
    BadRequest(&'static str),
    /// A site name, server name or id that cannot stand in a certificate.
    #[error("{0:?} cannot be named in a certificate")]
    BadName(String),
    /// The end is in the past, too far away, or beyond the life of the CA.
    #[error("a certificate cannot last until {not_after}: {reason}")]
    BadLifetime {
        /// Requested end, seconds since 1970-01-01 UTC.
        not_after: i64,
        /// Which bound it crosses.
        reason: &'static str,
    },
    /// The peer's certificate does not name exactly one session or worker.
    #[error("the peer's certificate is refused: {0}")]
    BadPeer(&'static str),
    /// Signing failed.
    #[error("cannot sign the certificate")]
    Signing(#[source] rcgen::Error),
    /// The system gave no randomness.
    #[error("no randomness for a serial number")]
    Randomness,
}

impl CertificateError {
    /// Stable code for logs and callers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists(_) => "ca_already_exists",
            Self::LaxPermissions { .. } => "ca_lax_permissions",
            Self::File { .. } => "ca_file",
            Self::BrokenAuthority(_) => "ca_broken",
            Self::BadRequest(_) => "certificate_request_refused",
            Self::BadName(_) => "certificate_name_refused",
            Self::BadLifetime { .. } => "certificate_lifetime_refused",
            Self::BadPeer(_) => "peer_certificate_refused",
            Self::Signing(_) => "certificate_signing_failed",
            Self::Randomness => "no_randomness",
        }
    }
}

/// The site's certificate authority, key in memory.
pub struct SiteCa {
    issuer: Issuer<'static, KeyPair>,
    root_pem: String,
    not_after: i64,
}

impl SiteCa {
    /// Makes a CA in `dir` (created if missing): `ca.key.pem` (mode 0600) and `ca.pem`.
    ///
    /// P-256, because every TLS library and browser takes it. Lives 10 years from `now`.
    ///
    /// # Errors
    /// [`CertificateError::AlreadyExists`] rather than overwriting.
    pub fn create(dir: &Path, site_name: &str, now: i64) -> Result<Self, CertificateError> {
        let name_ok = !site_name.trim().is_empty()
            && site_name.chars().count() <= SITE_NAME_MAX
            && !site_name.chars().any(char::is_control);
        if !name_ok {
            return Err(CertificateError::BadName(site_name.to_owned()));
        }
        let key = KeyPair::generate().map_err(CertificateError::Signing)?;
        let mut params = blank_params(now, now + CA_SECONDS)?;
        params.distinguished_name.push(DnType::OrganizationName, site_name);
        params.distinguished_name.push(DnType::CommonName, "Sekisho site CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CertificateError::Signing)?;
        files::write_new(dir, &key.serialize_pem(), &certificate.pem())?;
        Self::open(dir)
    }

    /// Opens the CA that [`SiteCa::create`] made.
    ///
    /// # Errors
    /// [`CertificateError::LaxPermissions`] when others can read the key;
    /// [`CertificateError::BrokenAuthority`] when key and certificate do not belong together.
    pub fn open(dir: &Path) -> Result<Self, CertificateError> {
        let (key_pem, root_pem) = files::read(dir)?;
        let key = KeyPair::from_pem(&key_pem)
            .map_err(|e| CertificateError::BrokenAuthority(e.to_string()))?;
        let not_after = files::check_pair(&root_pem, &key)?;
        let issuer = Issuer::from_ca_cert_pem(&root_pem, key)
            .map_err(|e| CertificateError::BrokenAuthority(e.to_string()))?;
        Ok(Self { issuer, root_pem, not_after })
    }

    /// The CA's certificate (PEM): what clients, workers and the gateway trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// A new key and a certificate (`serverAuth`, 397 days) for DNS names or IP addresses.
    ///
    /// Returns `(chain_pem, key_pem)`, leaf first.
    pub fn issue_server(
        &self,
        names: &[String],
        now: i64,
    ) -> Result<(String, String), CertificateError> {
        let first = names.first().ok_or_else(|| CertificateError::BadName(String::new()))?;
        let not_after = (now + SERVER_SECONDS).min(self.not_after);
        let mut params = self.leaf_params(now, not_after, SERVER_SECONDS)?;
        params.subject_alt_names = CertificateParams::new(names.to_vec())
            .map_err(|_| CertificateError::BadName(names.join(", ")))?
            .subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, first.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(CertificateError::Signing)?;
        Ok((self.sign(&params, &key)?, key.serialize_pem()))
    }

    /// A client certificate that names a session, for the key of a PKCS#10 request (PEM).
    ///
    /// Of the request only the public key is used, after checking that it signed the request;
    /// names, usages and lifetimes asked for are ignored. SAN `urn:sekisho:session:<id>`,
    /// `clientAuth`, from 5 minutes before `now` until `not_after`, at most 8 hours ahead.
    /// Returns the chain (PEM), leaf first.
    pub fn issue_session(
        &self,
        request_pem: &str,
        session_id: &str,
        now: i64,
        not_after: i64,
    ) -> Result<String, CertificateError> {
        let identity = PeerIdentity::Session(session_id.to_owned());
        self.issue_client(request_pem, &identity, now, not_after, SESSION_SECONDS_MAX)
    }

    /// Like [`SiteCa::issue_session`] for a worker: SAN `urn:sekisho:worker:<id>`, 90 days at most.
    pub fn issue_worker(
        &self,
        request_pem: &str,
        worker_id: &str,
        now: i64,
        not_after: i64,
    ) -> Result<String, CertificateError> {
        let identity = PeerIdentity::Worker(worker_id.to_owned());
        self.issue_client(request_pem, &identity, now, not_after, WORKER_SECONDS_MAX)
    }

    fn issue_client(
        &self,
        request_pem: &str,
        identity: &PeerIdentity,
        now: i64,
        not_after: i64,
        seconds_max: i64,
    ) -> Result<String, CertificateError> {
        check_id(identity.id())?;
        let key = requested_key(request_pem)?;
        let mut params = self.leaf_params(now, not_after, seconds_max)?;
        let urn = identity.urn();
        let uri = urn.clone().try_into().map_err(|_| CertificateError::BadName(urn))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.distinguished_name.push(DnType::CommonName, identity.id());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params, &key)
    }

    fn leaf_params(
        &self,
        now: i64,
        not_after: i64,
        seconds_max: i64,
    ) -> Result<CertificateParams, CertificateError> {
        let refuse = |reason| Err(CertificateError::BadLifetime { not_after, reason });
        if not_after <= now {
            return refuse("it is over already");
        }
        if not_after - now > seconds_max {
            return refuse("longer than this kind of certificate may live");
        }
        if not_after > self.not_after {
            return refuse("longer than the site CA lives");
        }
        let mut params = blank_params(now, not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<String, CertificateError> {
        let leaf: Certificate =
            params.signed_by(key, &self.issuer).map_err(CertificateError::Signing)?;
        Ok(leaf.pem() + &self.root_pem)
    }
}

fn blank_params(now: i64, not_after: i64) -> Result<CertificateParams, CertificateError> {
    let instant = |seconds| {
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_| CertificateError::BadLifetime { not_after, reason: "not a date" })
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = instant(now - BACKDATE_SECONDS)?;
    params.not_after = instant(not_after)?;
    // rcgen would derive the serial from the key; two certificates of one key must differ.
    let mut serial = [0_u8; 16];
    getrandom::fill(&mut serial).map_err(|_| CertificateError::Randomness)?;
    // Positive and without a leading zero byte, as RFC 5280 4.1.2.2 wants it.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

#[cfg(test)]
mod tests;
