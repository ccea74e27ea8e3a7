//! Where the CA's key and certificate lie, and who may read them.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData};
use x509_parser::pem::parse_x509_pem;

use super::CertificateError;

const KEY_FILE: &str = "ca.key.pem";
const CERTIFICATE_FILE: &str = "ca.pem";

/// Writes both files; neither may exist.
pub(super) fn write_new(
    dir: &Path,
    key_pem: &str,
    certificate_pem: &str,
) -> Result<(), CertificateError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| CertificateError::File { path: dir.to_owned(), source })?;
    write_file(&dir.join(KEY_FILE), key_pem, 0o600)?;
    write_file(&dir.join(CERTIFICATE_FILE), certificate_pem, 0o644)
}

/// `(key_pem, certificate_pem)`, refusing a key that others can read.
pub(super) fn read(dir: &Path) -> Result<(String, String), CertificateError> {
    let key_path = dir.join(KEY_FILE);
    let fail = |path: &PathBuf| {
        let path = path.clone();
        move |source| CertificateError::File { path, source }
    };
    let mode = std::fs::metadata(&key_path).map_err(fail(&key_path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CertificateError::LaxPermissions { path: key_path, mode });
    }
    let certificate_path = dir.join(CERTIFICATE_FILE);
    let key = std::fs::read_to_string(&key_path).map_err(fail(&key_path))?;
    let certificate =
        std::fs::read_to_string(&certificate_path).map_err(fail(&certificate_path))?;
    Ok((key, certificate))
}

/// Checks that the certificate is a CA over this key; returns its end, unix seconds.
pub(super) fn check_pair(certificate_pem: &str, key: &KeyPair) -> Result<i64, CertificateError> {
    let broken = |why: &str| CertificateError::BrokenAuthority(why.to_owned());
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).map_err(|_| broken("no PEM"))?;
    let certificate = pem.parse_x509().map_err(|_| broken("no certificate"))?;
    if !certificate.is_ca() {
        return Err(broken("the certificate is not one of a CA"));
    }
    let certified: &[u8] = &certificate.public_key().subject_public_key.data;
    if certified != key.der_bytes() {
        return Err(broken("key and certificate do not belong together"));
    }
    Ok(certificate.validity().not_after.timestamp())
}

fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(
        |mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        },
    );
    written.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => {
            CertificateError::AlreadyExists(path.parent().unwrap_or(path).to_owned())
        }
        _ => CertificateError::File { path: path.to_owned(), source },
    })
}
