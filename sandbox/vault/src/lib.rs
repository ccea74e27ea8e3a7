//! Keys, sealed envelopes and signatures: the small cryptographic floor of every zone.
//!
//! Start at [`Key`] and [`seal`]/[`open`], then [`KeyVault`] (who holds the key that wraps
//! other keys), [`ReceivingPublic`]/[`ReceivingKey`] (seal for another zone, open there) and
//! [`SigningIdentity`]/[`VerifyingIdentity`] (who vouches for bytes).
//!
//! Invariants
//! - Nothing is sealed without a [`Context`], which goes into the associated data: bytes
//!   sealed for one place cannot be opened in another.
//! - Key bytes leave a [`Key`] only through functions named `danger_*`; they are wiped on
//!   drop and never printed.
//! - Every nonce is fresh from the operating system. A key should seal fewer than 2^32
//!   messages (NIST SP 800-38D, 8.3): make a new key for each data set version or object.
//!   A vault's root key lives longer, so its uses are counted and its age is limited.
//! - Whoever can seal keys ([`KeyWrapper`]) cannot for that reason open them
//!   ([`KeyUnwrapper`]): the types differ, and with [`ReceivingPublic`] the keys do.
//! - Files that hold secrets are readable by their owner alone, or they are refused.
//!
//! Must never depend on: Parquet, gRPC, a database, or any crate of the gateway.

mod context;
mod dumps;
mod envelope;
mod error;
mod file_vault;
mod generation;
mod identity;
mod key;
mod memory_vault;
mod parcel;
mod pkcs11;
mod place;
mod private;
mod receiving;
mod uses;
mod vault;
mod wrapped;

pub use context::Context;
pub use dumps::forbid_dumps;
pub use envelope::{ENVELOPE_OVERHEAD, open, seal};
pub use error::VaultError;
pub use file_vault::FileVault;
pub use generation::{
    CRYPTO_PERIOD, Exhausted, Generation, GenerationStatus, MOST_USES, UseRecord,
};
pub use identity::{SIGNATURE_LEN, SigningIdentity, VerifyingIdentity};
pub use key::{Key, WrappedKey, unwrap, wrap};
pub use memory_vault::MemoryVault;
pub use parcel::{open_parcel, seal_parcel};
pub use pkcs11::{Pkcs11Place, Pkcs11Vault};
pub use place::VaultPlace;
pub use private::{
    create_private_dir, create_private_file, read_private_file, replace_private_file,
};
pub use receiving::{ReceivingKey, ReceivingPublic};
pub use vault::{KeyUnwrapper, KeyVault, KeyWrapper, RotatingVault};
pub use zeroize::Zeroizing;
