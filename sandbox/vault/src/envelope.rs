use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use zeroize::Zeroizing;

use crate::{Context, Key, VaultError};

/// Four bytes that name the format and one for its version, authenticated with the rest.
const HEADER: [u8; 5] = *b"SKSE\x01";
pub(crate) const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// How many bytes an envelope is longer than its plaintext.
pub const ENVELOPE_OVERHEAD: usize = HEADER.len() + NONCE_LEN + TAG_LEN;

/// Seals `plaintext` for one context: header, random nonce, AES-256-GCM ciphertext and tag.
pub fn seal(key: &Key, context: &Context, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (nonce, sealed) = encrypt(key, &associated_data(context), plaintext)?;
    Ok([HEADER.as_slice(), &nonce, &sealed].concat())
}

/// Opens an envelope; fails closed when key, context or any byte differs.
pub fn open(
    key: &Key,
    context: &Context,
    envelope: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let rest = envelope.strip_prefix(&HEADER).ok_or(VaultError::NotAnEnvelope)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::NotAnEnvelope)?;
    decrypt(key, nonce, &associated_data(context), sealed)
}

pub(crate) fn fresh_nonce() -> Result<[u8; NONCE_LEN], VaultError> {
    let mut nonce = [0_u8; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| VaultError::Randomness)?;
    Ok(nonce)
}

/// AES-256-GCM under a fresh random nonce; gives nonce, and ciphertext with tag.
pub(crate) fn encrypt(
    key: &Key,
    associated: &[u8],
    plaintext: &[u8],
) -> Result<([u8; NONCE_LEN], Vec<u8>), VaultError> {
    let nonce = fresh_nonce()?;
    let sealed = cipher(key)
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: associated })
        .map_err(|_| VaultError::TooLarge)?;
    Ok((nonce, sealed))
}

pub(crate) fn decrypt(
    key: &Key,
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    cipher(key)
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated })
        .map(Zeroizing::new)
        .map_err(|_| VaultError::CannotOpen)
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(key.danger_bytes().into())
}

fn associated_data(context: &Context) -> Vec<u8> {
    [HEADER.as_slice(), context.encode()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> Key {
        Key::danger_from_bytes(&[seed; 32]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn cr_1_sealed_bytes_open_to_the_same(plain in proptest::collection::vec(any::<u8>(), 0..600)) {
            let context = Context::new("test").text("a");
            let sealed = seal(&key(1), &context, &plain).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + ENVELOPE_OVERHEAD);
            prop_assert_eq!(&*open(&key(1), &context, &sealed).unwrap(), &plain);
        }

        #[test]
        fn cr_1_any_flipped_bit_fails_closed(
            plain in proptest::collection::vec(any::<u8>(), 0..60),
            place in any::<proptest::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let context = Context::new("test").text("a");
            let mut sealed = seal(&key(1), &context, &plain).unwrap();
            let place = place.index(sealed.len());
            sealed[place] ^= 1 << bit;
            prop_assert!(open(&key(1), &context, &sealed).is_err());
        }

        #[test]
        fn cr_1_truncated_envelope_fails_closed(
            plain in proptest::collection::vec(any::<u8>(), 0..60),
            cut in any::<proptest::sample::Index>(),
        ) {
            let context = Context::new("test").text("a");
            let sealed = seal(&key(1), &context, &plain).unwrap();
            let cut = cut.index(sealed.len());
            prop_assert!(open(&key(1), &context, &sealed[..cut]).is_err());
        }

        #[test]
        fn cr_1_wrong_key_or_context_fails_closed(
            seed in 2_u8..,
            name in "[a-z]{1,8}",
        ) {
            let context = Context::new("test").text("A");
            let sealed = seal(&key(1), &context, b"value").unwrap();
            prop_assert!(open(&key(seed), &context, &sealed).is_err());
            prop_assert!(open(&key(1), &Context::new("test").text(&name), &sealed).is_err());
        }
    }

    #[test]
    fn the_same_plaintext_never_seals_to_the_same_bytes() {
        let context = Context::new("test");
        let sealed = || seal(&key(1), &context, b"same").unwrap();
        assert_ne!(sealed(), sealed());
    }
}
