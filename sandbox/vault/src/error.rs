use std::path::PathBuf;

use crate::{Exhausted, Generation};

/// What can go wrong with keys, envelopes and signatures.
///
/// No variant carries key bytes or plaintext. Failed decryption never says which of key,
/// context or bytes was wrong: an attacker learns nothing from the difference.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// The bytes are no envelope of ours, or of a version we do not know.
    #[error("not a sealed envelope of a known version")]
    NotAnEnvelope,
    /// Key, context or bytes do not belong together.
    #[error("cannot be opened with this key in this context")]
    CannotOpen,
    /// The plaintext is larger than AES-GCM allows.
    #[error("too large to seal")]
    TooLarge,
    /// The text is no wrapped key, or the wrapped bytes are no key.
    #[error("not a wrapped key")]
    NotAKey,
    /// The key was wrapped under a generation that this vault does not have.
    #[error("wrapped under generation {generation}, which this vault does not have")]
    UnknownGeneration {
        /// The generation that the wrapped key names.
        generation: Generation,
    },
    /// The key was wrapped for another receiving key than this one.
    #[error("wrapped for another receiving key")]
    OtherReceiver,
    /// The file holds no public receiving key.
    #[error("{path}: no public receiving key")]
    BadReceiver {
        /// The file.
        path: PathBuf,
    },
    /// The current generation may wrap no more keys; a new one must be made first.
    #[error("generation {generation} may wrap no more keys: {why}; rotate the vault's key")]
    RotateFirst {
        /// The generation.
        generation: Generation,
        /// Why.
        why: Exhausted,
    },
    /// A token or its PKCS#11 library refused or failed.
    #[error("token {token}: {doing} failed")]
    Token {
        /// Label of the token.
        token: String,
        /// What was being done.
        doing: &'static str,
        /// Why it failed, as the library says it.
        source: cryptoki::error::Error,
    },
    /// The library knows no token of this label, or more than one.
    #[error("{library}: {found} tokens are labelled {token}, wanted one")]
    NoSuchToken {
        /// The PKCS#11 library.
        library: PathBuf,
        /// The label looked for.
        token: String,
        /// How many tokens have it.
        found: usize,
    },
    /// A root key in the token could leave it, came from elsewhere, or has a double.
    #[error("token {token}: root key {generation} {why}")]
    ExposedRoot {
        /// Label of the token.
        token: String,
        /// Which root key.
        generation: Generation,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The token sealed a key in a way that it or others cannot open.
    #[error("token {token} does not do AES-GCM as PKCS#11 has it")]
    OddToken {
        /// Label of the token.
        token: String,
    },
    /// The signature does not fit the bytes, the label and the identity.
    #[error("signature does not fit")]
    BadSignature,
    /// The file or text holds no usable Ed25519 key.
    #[error("no usable Ed25519 key in {place}")]
    BadIdentity {
        /// Where the key was looked for: a path or `text`.
        place: String,
    },
    /// A secret's file or folder can be reached by others than its owner.
    #[error("{path}: mode {mode:04o} lets others in, wanted {wanted:04o}")]
    LaxPermissions {
        /// The file or folder refused.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The most we accept.
        wanted: u32,
    },
    /// A secret's path is no plain file (or no folder where one is needed).
    #[error("{path}: not a plain file or folder as needed")]
    NotPlain {
        /// The path refused.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("{path}: {doing} failed")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl VaultError {
    /// Stable code for scripts and clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Randomness => "vault.randomness",
            Self::NotAnEnvelope => "vault.not_an_envelope",
            Self::CannotOpen => "vault.cannot_open",
            Self::TooLarge => "vault.too_large",
            Self::NotAKey => "vault.not_a_key",
            Self::UnknownGeneration { .. } => "vault.unknown_generation",
            Self::OtherReceiver => "vault.other_receiver",
            Self::BadReceiver { .. } => "vault.bad_receiver",
            Self::RotateFirst { .. } => "vault.rotate_first",
            Self::Token { .. } => "vault.token",
            Self::NoSuchToken { .. } => "vault.no_such_token",
            Self::ExposedRoot { .. } => "vault.exposed_root",
            Self::OddToken { .. } => "vault.odd_token",
            Self::BadSignature => "vault.bad_signature",
            Self::BadIdentity { .. } => "vault.bad_identity",
            Self::LaxPermissions { .. } => "vault.lax_permissions",
            Self::NotPlain { .. } => "vault.not_plain",
            Self::Io { .. } => "vault.io",
        }
    }
}
