//! PKCS#10 requests: what is taken from one, and how to make one.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use super::CertificateError;

/// A P-256 request takes about 500 bytes; nobody needs more than this.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// A key and the request for its certificate.
pub struct NewRequest {
    /// PKCS#10, PEM, with an empty subject.
    pub request_pem: String,
    /// PKCS#8 private key, PEM. Keep it with the client.
    pub key_pem: String,
}

/// Makes a P-256 key and a request signed by it.
pub fn request_for_new_key() -> Result<NewRequest, CertificateError> {
    let key = KeyPair::generate().map_err(CertificateError::Signing)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request_pem = params
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(CertificateError::Signing)?;
    Ok(NewRequest { request_pem, key_pem: key.serialize_pem() })
}

/// The public key of a request that is signed by that key. Everything else in it is ignored.
///
/// rcgen's own reader would take the key's algorithm from the signature's and fail on
/// extensions it does not know; here the key speaks for itself.
pub(super) fn requested_key(request_pem: &str) -> Result<SubjectPublicKeyInfo, CertificateError> {
    let refuse = CertificateError::BadRequest;
    if request_pem.len() > REQUEST_BYTES_MAX {
        return Err(refuse("it is too large"));
    }
    let (_, pem) = parse_x509_pem(request_pem.as_bytes()).map_err(|_| refuse("it is not PEM"))?;
    if pem.label != "CERTIFICATE REQUEST" {
        return Err(refuse("it is not a PKCS#10 request"));
    }
    let (rest, request) = X509CertificationRequest::from_der(&pem.contents)
        .map_err(|_| refuse("it is not a PKCS#10 request"))?;
    if !rest.is_empty() {
        return Err(refuse("bytes follow it"));
    }
    let spki = &request.certification_request_info.subject_pki;
    let key = SubjectPublicKeyInfo::from_der(spki.raw)
        .map_err(|_| refuse("its key is of an unknown kind"))?;
    if !is_uncompressed_p256(&key) {
        return Err(refuse("its key is not a P-256 key"));
    }
    request.verify_signature().map_err(|_| refuse("it is not signed by its own key"))?;
    Ok(key)
}

fn is_uncompressed_p256(key: &SubjectPublicKeyInfo) -> bool {
    use rcgen::PublicKeyData;
    let point = key.der_bytes();
    key.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256
        && point.len() == 65
        && point.first() == Some(&0x04)
}
