use std::fmt;
use std::path::Path;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::{Context, VaultError, create_private_file, read_private_file};

/// Length of a detached Ed25519 signature in bytes (RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// Signs for one service; the private key stays inside.
///
/// What is signed is the pair (label, bytes), canonically encoded: a signature made for one
/// purpose never verifies for another.
pub struct SigningIdentity(SigningKey);

impl SigningIdentity {
    /// A fresh identity from the operating system's random source.
    pub fn generate() -> Result<Self, VaultError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| VaultError::Randomness)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Loads a PKCS#8 PEM file that only its owner may read.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let bad = || VaultError::BadIdentity { place: path.display().to_string() };
        let content = read_private_file(path)?;
        let pem = std::str::from_utf8(&content).map_err(|_| bad())?;
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| bad())
    }

    /// Writes the identity to a new PKCS#8 PEM file (0600); an existing file is kept.
    pub fn save(&self, path: &Path) -> Result<(), VaultError> {
        let pem = self
            .0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| VaultError::BadIdentity { place: path.display().to_string() })?;
        create_private_file(path, pem.as_bytes())
    }

    /// Signs `bytes` under a label such as `sekisho.dataset.manifest.v1`.
    #[must_use]
    pub fn sign(&self, label: &str, bytes: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message(label, bytes).encode()).to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn verifying(&self) -> VerifyingIdentity {
        VerifyingIdentity(self.0.verifying_key())
    }
}

impl fmt::Debug for SigningIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningIdentity(public {})", self.verifying().to_hex())
    }
}

/// Checks signatures of one [`SigningIdentity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingIdentity(VerifyingKey);

impl VerifyingIdentity {
    /// Reads a public key from SPKI PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, VaultError> {
        VerifyingKey::from_public_key_pem(pem).map(Self).map_err(|_| bad_text())
    }

    /// Reads a public key from 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Result<Self, VaultError> {
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(digits.trim(), &mut bytes).map_err(|_| bad_text())?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| bad_text())
    }

    /// Loads a public key from an SPKI PEM file; the file is not secret.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let pem = std::fs::read_to_string(path).map_err(|source| VaultError::Io {
            path: path.to_owned(),
            doing: "reading",
            source,
        })?;
        VerifyingKey::from_public_key_pem(&pem)
            .map(Self)
            .map_err(|_| VaultError::BadIdentity { place: path.display().to_string() })
    }

    /// The public key as SPKI PEM text.
    pub fn to_pem(&self) -> Result<String, VaultError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| bad_text())
    }

    /// The public key as 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// Accepts a signature over exactly this label and these bytes, or fails. Weak keys and
    /// non-canonical signatures are refused (`verify_strict`).
    pub fn verify(&self, label: &str, bytes: &[u8], signature: &[u8]) -> Result<(), VaultError> {
        let signature = Signature::from_slice(signature).map_err(|_| VaultError::BadSignature)?;
        self.0
            .verify_strict(message(label, bytes).encode(), &signature)
            .map_err(|_| VaultError::BadSignature)
    }
}

fn message(label: &str, bytes: &[u8]) -> Context {
    Context::new("sekisho.signature.v1").text(label).bytes(bytes)
}

fn bad_text() -> VaultError {
    VaultError::BadIdentity { place: "text".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn saved_identity_signs_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ingest.pem");
        let identity = SigningIdentity::generate().unwrap();
        identity.save(&path).unwrap();
        assert!(identity.save(&path).is_err(), "an existing identity is never overwritten");
        let loaded = SigningIdentity::load(&path).unwrap();
        let signature = loaded.sign("label", b"bytes");
        identity.verifying().verify("label", b"bytes", &signature).unwrap();
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    }

    #[test]
    fn public_half_survives_pem_and_hex() {
        let public = SigningIdentity::generate().unwrap().verifying();
        assert_eq!(VerifyingIdentity::from_pem(&public.to_pem().unwrap()).unwrap(), public);
        assert_eq!(VerifyingIdentity::from_hex(&public.to_hex()).unwrap(), public);
        assert!(VerifyingIdentity::from_hex("abcd").is_err());
        assert!(VerifyingIdentity::from_pem("no pem").is_err());
    }

    #[test]
    fn label_and_identity_bind_the_signature() {
        let identity = SigningIdentity::generate().unwrap();
        let other = SigningIdentity::generate().unwrap().verifying();
        let signature = identity.sign("manifest", b"bytes");
        let public = identity.verifying();
        public.verify("manifest", b"bytes", &signature).unwrap();
        assert!(public.verify("ticket", b"bytes", &signature).is_err());
        assert!(public.verify("manifestb", b"ytes", &signature).is_err());
        assert!(public.verify("manifest", b"bytes", &signature[..63]).is_err());
        assert!(other.verify("manifest", b"bytes", &signature).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_breaks_the_signature(place in 0_usize..69, bit in 0_u8..8) {
            let identity = SigningIdentity::generate().unwrap();
            let mut signature = identity.sign("label", b"bytes");
            let mut bytes = *b"bytes";
            match place.checked_sub(SIGNATURE_LEN) {
                Some(place) => bytes[place] ^= 1 << bit,
                None => signature[place] ^= 1 << bit,
            }
            prop_assert!(identity.verifying().verify("label", &bytes, &signature).is_err());
        }
    }
}
