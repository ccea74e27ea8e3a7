use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::wrapped::Parts;
use crate::{Context, Generation, VaultError, create_private_file, envelope, read_private_file};

const KEY_LINE: &[u8] = b"sekisho-key-v1 ";

/// A 256-bit symmetric key, wiped when dropped and never printed.
///
/// The bytes live in one heap block, so moving a `Key` leaves no copy behind.
#[derive(Clone)]
pub struct Key(Box<Zeroizing<[u8; 32]>>);

impl Key {
    /// A fresh key from the operating system's random source.
    pub fn generate() -> Result<Self, VaultError> {
        let mut bytes = Box::new(Zeroizing::new([0_u8; 32]));
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| VaultError::Randomness)?;
        Ok(Self(bytes))
    }

    /// Takes key bytes from elsewhere. Dangerous: the caller vouches that they are random
    /// and wipes its own copy.
    pub fn danger_from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        let mut own = Box::new(Zeroizing::new([0_u8; 32]));
        if bytes.len() != own.len() {
            return Err(VaultError::NotAKey);
        }
        own.copy_from_slice(bytes);
        Ok(Self(own))
    }

    /// Another key, for one purpose: HKDF-Expand with SHA-256 (RFC 5869), this key as the
    /// pseudorandom key and the context as info. It gives away nothing of this key.
    pub fn derive(&self, context: &Context) -> Result<Self, VaultError> {
        expand(self.danger_bytes(), context.encode())
    }

    /// Writes the key to a new file that only its owner may read (0600).
    pub fn save(&self, path: &Path) -> Result<(), VaultError> {
        // Sized up front and filled in place, so that no unwiped copy stays behind.
        let mut content = Zeroizing::new(vec![0_u8; KEY_LINE.len() + 64]);
        let (line, digits) = content.split_at_mut(KEY_LINE.len());
        line.copy_from_slice(KEY_LINE);
        hex::encode_to_slice(self.danger_bytes(), digits).map_err(|_| VaultError::NotAKey)?;
        create_private_file(path, &content)
    }

    /// Reads what [`Self::save`] wrote, refusing lax permissions and damaged files.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let content = read_private_file(path)?;
        let digits = content.strip_prefix(KEY_LINE).ok_or(VaultError::NotAKey)?;
        let mut bytes = Zeroizing::new([0_u8; 32]);
        hex::decode_to_slice(digits.trim_ascii_end(), bytes.as_mut_slice())
            .map_err(|_| VaultError::NotAKey)?;
        Self::danger_from_bytes(bytes.as_slice())
    }

    /// Shows the key bytes. Dangerous: whoever copies them must wipe the copy.
    #[must_use]
    pub fn danger_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn expand(from: &[u8; 32], info: &[u8]) -> Result<Key, VaultError> {
    let mut bytes = Box::new(Zeroizing::new([0_u8; 32]));
    let hkdf = Hkdf::<Sha256>::from_prk(from).map_err(|_| VaultError::NotAKey)?;
    hkdf.expand(info, bytes.as_mut_slice()).map_err(|_| VaultError::NotAKey)?;
    Ok(Key(bytes))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A key sealed under another key; safe to store beside the data. Serialised as base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrappedKey(Vec<u8>);

impl WrappedKey {
    /// The envelope's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The generation of the vault that it says wrapped it; `None` when another key did.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        Parts::of(self).ok().map(|parts| parts.generation)
    }

    /// Takes an envelope's bytes as stored; whether they open shows in [`unwrap`].
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl TryFrom<String> for WrappedKey {
    type Error = VaultError;

    fn try_from(text: String) -> Result<Self, VaultError> {
        STANDARD.decode(text).map(Self).map_err(|_| VaultError::NotAKey)
    }
}

impl From<WrappedKey> for String {
    fn from(wrapped: WrappedKey) -> Self {
        STANDARD.encode(wrapped.0)
    }
}

/// Seals `key` under the key-encrypting key `kek` for one context.
pub fn wrap(kek: &Key, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
    envelope::seal(kek, context, key.danger_bytes()).map(WrappedKey)
}

/// Opens a wrapped key; fails when `kek`, context or bytes differ from those of [`wrap`].
pub fn unwrap(kek: &Key, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
    let bytes = envelope::open(kek, context, &wrapped.0)?;
    Key::danger_from_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key_bytes() {
        let key = Key::danger_from_bytes(&[0xab; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(..)");
    }

    /// The first block of test case 1 of RFC 5869.
    #[test]
    fn derived_keys_are_those_of_hkdf_and_differ_by_key_and_context() {
        let prk = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
        let prk: [u8; 32] = hex::decode(prk).unwrap().try_into().unwrap();
        let key = expand(&prk, &hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap()).unwrap();
        let wanted = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf";
        assert_eq!(hex::encode(key.danger_bytes()), wanted);
        let derive = |seed: u8, purpose: &str| {
            let key = Key::danger_from_bytes(&[seed; 32]).unwrap();
            *key.derive(&Context::new(purpose)).unwrap().danger_bytes()
        };
        assert_eq!(derive(1, "a"), derive(1, "a"));
        assert_ne!(derive(1, "a"), derive(2, "a"));
        assert_ne!(derive(1, "a"), derive(1, "b"));
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert!(matches!(Key::danger_from_bytes(&[1; 31]), Err(VaultError::NotAKey)));
        assert!(matches!(Key::danger_from_bytes(&[1; 33]), Err(VaultError::NotAKey)));
    }

    #[test]
    fn generated_keys_differ() {
        let (one, two) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_ne!(one.danger_bytes(), two.danger_bytes());
    }

    #[test]
    fn wrapped_key_opens_only_under_its_own_key_and_context() {
        let (kek, other, key) =
            (Key::generate().unwrap(), Key::generate().unwrap(), Key::generate().unwrap());
        let context = Context::new("test.key").text("column");
        let wrapped = wrap(&kek, &context, &key).unwrap();
        let text = String::from(wrapped.clone());
        let back = WrappedKey::try_from(text).unwrap();
        assert_eq!(unwrap(&kek, &context, &back).unwrap().danger_bytes(), key.danger_bytes());
        assert!(matches!(unwrap(&other, &context, &wrapped), Err(VaultError::CannotOpen)));
        let elsewhere = Context::new("test.key").text("other");
        assert!(matches!(unwrap(&kek, &elsewhere, &wrapped), Err(VaultError::CannotOpen)));
    }
}
