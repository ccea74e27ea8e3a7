//! Whom a client certificate names.

use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::CertificateError;

const SESSION_URN: &str = "urn:sekisho:session:";
const WORKER_URN: &str = "urn:sekisho:worker:";
const ID_MAX: usize = 64;

/// The one identity in a client certificate of the site CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerIdentity {
    /// The id of a login session; whether it is alive is the store's to say.
    Session(String),
    /// The id of a worker.
    Worker(String),
}

impl PeerIdentity {
    /// Reads the identity from a peer certificate (DER).
    ///
    /// The TLS stack must have verified the chain to the site CA already; this only reads the
    /// name. Exactly one subject alternative name, of a known kind, and `clientAuth`.
    ///
    /// # Errors
    /// [`CertificateError::BadPeer`] for anything else.
    pub fn from_certificate(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, certificate) = parse_x509_certificate(der)
            .map_err(|_| CertificateError::BadPeer("it cannot be read"))?;
        if !rest.is_empty() {
            return Err(CertificateError::BadPeer("bytes follow it"));
        }
        let usage = certificate
            .extended_key_usage()
            .map_err(|_| CertificateError::BadPeer("its usages cannot be read"))?;
        if certificate.is_ca() || !usage.is_some_and(|u| u.value.client_auth) {
            return Err(CertificateError::BadPeer("it is not for a client"));
        }
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| CertificateError::BadPeer("its names cannot be read"))?
            .ok_or(CertificateError::BadPeer("it names nobody"))?;
        match names.value.general_names.as_slice() {
            [GeneralName::URI(urn)] => Self::from_urn(urn),
            _ => Err(CertificateError::BadPeer("it must carry exactly one URN")),
        }
    }

    /// The id alone.
    pub fn id(&self) -> &str {
        match self {
            Self::Session(id) | Self::Worker(id) => id,
        }
    }

    /// The name as it stands in the certificate.
    pub fn urn(&self) -> String {
        match self {
            Self::Session(id) => format!("{SESSION_URN}{id}"),
            Self::Worker(id) => format!("{WORKER_URN}{id}"),
        }
    }

    fn from_urn(urn: &str) -> Result<Self, CertificateError> {
        let identity = if let Some(id) = urn.strip_prefix(SESSION_URN) {
            Self::Session(id.to_owned())
        } else if let Some(id) = urn.strip_prefix(WORKER_URN) {
            Self::Worker(id.to_owned())
        } else {
            return Err(CertificateError::BadPeer("its URN is of no known kind"));
        };
        check_id(identity.id()).map_err(|_| CertificateError::BadPeer("its id is malformed"))?;
        Ok(identity)
    }
}

/// Ids are 1 to 64 of `A-Z a-z 0-9 - _`, so that nothing can be smuggled into a URN.
pub(super) fn check_id(id: &str) -> Result<(), CertificateError> {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > ID_MAX || !id.chars().all(known) {
        return Err(CertificateError::BadName(id.to_owned()));
    }
    Ok(())
}
