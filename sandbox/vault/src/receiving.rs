//! Keys sealed by one zone and opened by another: HPKE (RFC 9180) in base mode with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
//!
//! A wrapped key is header (5 bytes), the receiver's name (8), the encapsulated key (32),
//! the key's 32 bytes sealed, and the tag (16). Header, name and context are authenticated.
//! Base mode does not say who sealed: what the keys are for must be signed.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::private::io;
use crate::{
    Context, Generation, Key, KeyUnwrapper, KeyVault, KeyWrapper, VaultError, WrappedKey,
    create_private_file, read_private_file, replace_private_file,
};

const HEADER: [u8; 5] = *b"SKRK\x01";
const INFO: &[u8] = b"sekisho.receiving.v1";
const FORMAT: &str = "sekisho-receiving-v1";

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// The public half of a receiving key: seals keys that only the other half opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivingPublic(PublicKey);

impl ReceivingPublic {
    /// Reads the file that [`ReceivingKey::create`] wrote.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let text = fs::read_to_string(path).map_err(|source| io(path, "reading", source))?;
        Self::parse(&text).ok_or_else(|| VaultError::BadReceiver { path: path.to_owned() })
    }

    /// Reads what [`Self::to_text`] gave; `None` when it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end().strip_prefix(FORMAT)?.strip_prefix(' ')?;
        let bytes: [u8; 32] = hex::decode(digits).ok()?.try_into().ok()?;
        PublicKey::from_bytes(&bytes).ok().map(Self)
    }

    /// The file's text: format and 64 hexadecimal digits in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{FORMAT} {}\n", hex::encode(self.0.to_bytes()))
    }

    /// What a wrapped key calls its receiver: the start of the public key's SHA-256.
    fn name(&self) -> [u8; 8] {
        let hash = Sha256::digest(self.0.to_bytes());
        hash.first_chunk().copied().unwrap_or_default()
    }
}

impl KeyWrapper for ReceivingPublic {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        let associated = associated_data(self.name(), context);
        let (encapped, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &self.0,
            INFO,
            key.danger_bytes(),
            &associated,
        )
        // A public key of small order, the only cause.
        .map_err(|_| VaultError::NotAKey)?;
        let parts: [&[u8]; 4] = [&HEADER, &self.name(), &encapped.to_bytes(), &sealed];
        Ok(WrappedKey::from_bytes(parts.concat()))
    }
}

/// The private half of a receiving key. It rests in a file, sealed by a vault, and is opened
/// for each use; so what a vault's rotation rewrites is this one file.
pub struct ReceivingKey {
    file: PathBuf,
    vault: Arc<dyn KeyVault>,
    public: ReceivingPublic,
}

impl ReceivingKey {
    /// Makes a new pair: the private half sealed in `file` (0600), the public half as text
    /// in `public`. Neither is ever overwritten.
    pub fn create(
        file: &Path,
        public: &Path,
        vault: Arc<dyn KeyVault>,
    ) -> Result<Self, VaultError> {
        let seed = Key::generate()?;
        create_private_file(file, &text(&vault.wrap(&private_half(), &seed)?))?;
        let this = Self { file: file.to_owned(), vault, public: public_of(&seed) };
        fs::File::create_new(public)
            .and_then(|mut file| file.write_all(this.public.to_text().as_bytes()))
            .map_err(|source| io(public, "creating the file", source))?;
        Ok(this)
    }

    /// Opens what [`Self::create`] sealed, with the same vault.
    pub fn open(file: &Path, vault: Arc<dyn KeyVault>) -> Result<Self, VaultError> {
        let seed = unseal(file, &*vault)?;
        Ok(Self { file: file.to_owned(), vault, public: public_of(&seed) })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &ReceivingPublic {
        &self.public
    }

    /// The generation of the vault that seals the private half.
    pub fn sealed_under(&self) -> Result<Option<Generation>, VaultError> {
        Ok(sealed(&self.file)?.generation())
    }

    /// Seals the private half anew under the vault's current generation. What was wrapped
    /// for the public half stays as it is.
    pub fn rewrap(&self) -> Result<(), VaultError> {
        let wrapped = self.vault.rewrap(&private_half(), &sealed(&self.file)?)?;
        replace_private_file(&self.file, &text(&wrapped))
    }
}

impl KeyUnwrapper for ReceivingKey {
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        let rest = wrapped.as_bytes().strip_prefix(&HEADER).ok_or(VaultError::NotAKey)?;
        let (name, rest) = rest.split_first_chunk().ok_or(VaultError::NotAKey)?;
        let (encapped, sealed) = rest.split_first_chunk::<32>().ok_or(VaultError::NotAKey)?;
        if *name != self.public.name() {
            return Err(VaultError::OtherReceiver);
        }
        let encapped = EncappedKey::from_bytes(encapped).map_err(|_| VaultError::NotAKey)?;
        let private = private_of(&unseal(&self.file, &*self.vault)?);
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private,
            &encapped,
            INFO,
            sealed,
            &associated_data(*name, context),
        );
        let bytes = Zeroizing::new(opened.map_err(|_| VaultError::CannotOpen)?);
        Key::danger_from_bytes(&bytes)
    }
}

impl fmt::Debug for ReceivingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivingKey").field("file", &self.file).finish_non_exhaustive()
    }
}

fn private_half() -> Context {
    Context::new("sekisho.receiving.private-half")
}

fn associated_data(name: [u8; 8], context: &Context) -> Vec<u8> {
    [HEADER.as_slice(), &name, context.encode()].concat()
}

fn text(wrapped: &WrappedKey) -> Vec<u8> {
    (String::from(wrapped.clone()) + "\n").into_bytes()
}

fn sealed(file: &Path) -> Result<WrappedKey, VaultError> {
    let bytes = read_private_file(file)?;
    let text = std::str::from_utf8(bytes.trim_ascii_end()).map_err(|_| VaultError::NotAKey)?;
    WrappedKey::try_from(text.to_owned())
}

/// The seed that both halves are derived from (RFC 9180, 7.1.3).
fn unseal(file: &Path, vault: &dyn KeyVault) -> Result<Key, VaultError> {
    vault.unwrap(&private_half(), &sealed(file)?)
}

fn private_of(seed: &Key) -> PrivateKey {
    X25519HkdfSha256::derive_keypair(seed.danger_bytes()).0
}

fn public_of(seed: &Key) -> ReceivingPublic {
    ReceivingPublic(X25519HkdfSha256::derive_keypair(seed.danger_bytes()).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileVault, RotatingVault as _};

    struct Zone {
        dir: tempfile::TempDir,
        vault: Arc<FileVault>,
        key: ReceivingKey,
    }

    fn zone() -> Zone {
        let dir = tempfile::tempdir().unwrap();
        let vault = Arc::new(FileVault::create(&dir.path().join("vault")).unwrap());
        let at = |name: &str| dir.path().join(name);
        let key = ReceivingKey::create(&at("sealed"), &at("public"), vault.clone()).unwrap();
        Zone { dir, vault, key }
    }

    fn wrapped(zone: &Zone) -> (Key, WrappedKey) {
        let public = ReceivingPublic::load(&zone.dir.path().join("public")).unwrap();
        let key = Key::generate().unwrap();
        let wrapped = public.wrap(&Context::new("test").text("a"), &key).unwrap();
        (key, wrapped)
    }

    fn code(zone: &Zone, wrapped: WrappedKey) -> &'static str {
        zone.key.unwrap(&Context::new("test").text("a"), &wrapped).unwrap_err().code()
    }

    #[test]
    fn zn_2_what_the_public_half_seals_only_the_private_half_opens() {
        let (one, other) = (zone(), zone());
        let (key, wrapped) = wrapped(&one);
        let context = Context::new("test").text("a");
        let back = one.key.unwrap(&context, &wrapped).unwrap();
        assert_eq!(back.danger_bytes(), key.danger_bytes());
        assert_eq!(code(&other, wrapped.clone()), "vault.other_receiver");
        let elsewhere = one.key.unwrap(&Context::new("test").text("b"), &wrapped).unwrap_err();
        assert_eq!(elsewhere.code(), "vault.cannot_open");
        assert!(one.vault.unwrap(&context, &wrapped).is_err());
    }

    #[test]
    fn cr_1_any_flipped_bit_and_any_cut_is_refused() {
        let zone = zone();
        let (_, wrapped) = wrapped(&zone);
        let whole = wrapped.as_bytes();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            code(&zone, WrappedKey::from_bytes(bytes));
        }
        for length in 0..whole.len() {
            code(&zone, WrappedKey::from_bytes(whole[..length].to_vec()));
        }
        code(&zone, WrappedKey::from_bytes([whole, b"x"].concat()));
    }

    #[test]
    fn a_rotation_rewrites_one_file_and_every_wrapped_key_stays() {
        let zone = zone();
        let (key, wrapped) = wrapped(&zone);
        zone.vault.rotate().unwrap();
        assert_eq!(zone.key.sealed_under().unwrap(), Some(Generation::FIRST));
        zone.key.rewrap().unwrap();
        assert_eq!(zone.key.sealed_under().unwrap().map(Generation::number), Some(2));
        fs::remove_file(zone.dir.path().join("vault/root-1.key")).unwrap();
        let again = FileVault::open(&zone.dir.path().join("vault")).unwrap();
        let reopened = ReceivingKey::open(&zone.dir.path().join("sealed"), Arc::new(again));
        for holder in [zone.key, reopened.unwrap()] {
            let back = holder.unwrap(&Context::new("test").text("a"), &wrapped).unwrap();
            assert_eq!(back.danger_bytes(), key.danger_bytes());
        }
    }

    #[test]
    fn nothing_is_overwritten_and_damaged_files_are_refused() {
        let zone = zone();
        let at = |name: &str| zone.dir.path().join(name);
        let again = |file, public| ReceivingKey::create(&at(file), &at(public), zone.vault.clone());
        assert!(again("sealed", "other").is_err());
        assert!(again("other", "public").is_err());
        let public = fs::read_to_string(at("public")).unwrap();
        assert_eq!(ReceivingPublic::parse(&public).unwrap().to_text(), public);
        for bad in ["", "sekisho-receiving-v1", "sekisho-receiving-v1 00", &public[1..]] {
            fs::write(at("bad"), bad).unwrap();
            let error = ReceivingPublic::load(&at("bad")).unwrap_err();
            assert_eq!(error.code(), "vault.bad_receiver");
        }
        // A point of small order would give everybody the shared secret.
        let weak = format!("sekisho-receiving-v1 {}", "00".repeat(32));
        let weak = ReceivingPublic::parse(&weak).unwrap();
        assert!(weak.wrap(&Context::new("test"), &Key::generate().unwrap()).is_err());
        create_private_file(&at("damaged"), b"no key").unwrap();
        let damaged = ReceivingKey::open(&at("damaged"), zone.vault.clone()).unwrap_err();
        assert_eq!(damaged.code(), "vault.not_a_key");
    }
}
