//! Values under a key of the project: HMAC-SHA-256, so that what is seen in one project says
//! nothing in another.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sekisho_vault::{Context, Key, Zeroizing};
use sha2::Sha256;

/// A key, ready to be used often.
#[derive(Clone)]
pub(crate) struct Keyed(Hmac<Sha256>);

impl Keyed {
    pub(crate) fn new(key: &Key) -> Self {
        // HMAC fills a short key up with zeros to its block of 64 bytes (RFC 2104).
        let mut block = Zeroizing::new([0_u8; 64]);
        if let Some(start) = block.first_chunk_mut() {
            *start = *key.danger_bytes();
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The value of what a context names.
    pub(crate) fn value(&self, context: &Context) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(context.encode());
        mac.finalize().into_bytes().into()
    }
}
