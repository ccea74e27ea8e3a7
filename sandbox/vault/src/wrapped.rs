//! How a vault's wrapped key looks, the same for every kind of vault: header (5 bytes),
//! generation (4, big-endian), nonce (12), the key's 32 bytes sealed with AES-256-GCM and
//! the tag (16). Header, generation and context are authenticated.

use crate::envelope::NONCE_LEN;
use crate::{Context, Generation, VaultError, WrappedKey};

const HEADER: [u8; 5] = *b"SKWK\x01";
/// A sealed key and its tag.
pub(crate) const SEALED_LEN: usize = 32 + 16;

/// A wrapped key taken apart; nothing of it is to be trusted before it opened.
pub(crate) struct Parts {
    pub(crate) generation: Generation,
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) sealed: [u8; SEALED_LEN],
}

impl Parts {
    pub(crate) fn of(wrapped: &WrappedKey) -> Result<Self, VaultError> {
        Self::parse(wrapped.as_bytes()).ok_or(VaultError::NotAKey)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&HEADER)?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        Some(Self {
            generation: Generation::new(u32::from_be_bytes(*generation))?,
            nonce: *nonce,
            sealed: sealed.try_into().ok()?,
        })
    }

    pub(crate) fn join(&self) -> WrappedKey {
        let generation = self.generation.number().to_be_bytes();
        let parts: [&[u8]; 4] = [&HEADER, &generation, &self.nonce, &self.sealed];
        WrappedKey::from_bytes(parts.concat())
    }
}

pub(crate) fn associated_data(generation: Generation, context: &Context) -> Vec<u8> {
    [HEADER.as_slice(), &generation.number().to_be_bytes(), context.encode()].concat()
}
