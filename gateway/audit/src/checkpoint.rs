//! Checkpoints (C2SP tlog-checkpoint): size and root of the tree as a note signed by the
//! log's key, whose name is the log's origin.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey as _};

use crate::{
    hash::{Hash, TreeHead},
    note::{self, NoteError, VerifierKey},
};

/// Why a checkpoint is not believed, or its key not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error("the checkpoint's note is not accepted")]
    Note(#[from] NoteError),
    /// Signed, but not a checkpoint.
    #[error("not a checkpoint")]
    Malformed,
    /// A checkpoint of another log.
    #[error("a checkpoint of another log")]
    Origin,
    /// Not a PKCS#8 PEM of an Ed25519 key.
    #[error("not an Ed25519 private key in PKCS#8 PEM")]
    Key,
}

impl CheckpointError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Note(error) => error.code(),
            Self::Malformed => "checkpoint_malformed",
            Self::Origin => "checkpoint_origin",
            Self::Key => "checkpoint_key",
        }
    }
}

/// A log's state at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Its size and root.
    pub head: TreeHead,
}

impl Checkpoint {
    /// Reads a signed checkpoint and believes it only under `key`.
    ///
    /// # Errors
    /// Any [`CheckpointError`].
    pub fn verify(text: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(key.open(text)?).ok_or(CheckpointError::Malformed)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(CheckpointError::Origin) }
    }

    /// Lines beyond the third are extensions: signed, opaque, never empty.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin.is_empty() || lines.any(str::is_empty) {
            return None;
        }
        let number: u64 = size.parse().ok()?;
        let root = Hash::try_from(BASE64.decode(root).ok()?.as_slice()).ok()?;
        // No leading zero, no plus sign.
        (number.to_string() == size)
            .then(|| Self { origin: origin.to_owned(), head: TreeHead { size: number, root } })
    }
}

/// Signs the checkpoints of one log.
pub struct CheckpointSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl CheckpointSigner {
    /// For the log `origin` (a URL without scheme, such as `gateway.example/log`), from an
    /// Ed25519 seed.
    ///
    /// # Errors
    /// [`NoteError::KeyName`] when the origin cannot name a key.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        Self::new(origin, SigningKey::from_bytes(seed))
    }

    /// The same, from PKCS#8 PEM text.
    ///
    /// # Errors
    /// [`CheckpointError::Key`], [`NoteError::KeyName`].
    pub fn from_pkcs8_pem(origin: &str, pem: &str) -> Result<Self, CheckpointError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|_| CheckpointError::Key)?;
        Self::new(origin, key)
    }

    fn new(origin: &str, key: SigningKey) -> Result<Self, CheckpointError> {
        let verifier = VerifierKey::new(origin, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// The public half, to hand to whoever verifies.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signed checkpoint of a tree.
    ///
    /// # Errors
    /// None in practice: the origin was checked when the signer was made.
    pub fn sign(&self, head: &TreeHead) -> Result<String, CheckpointError> {
        let origin = self.verifier.name();
        let root = BASE64.encode(head.root.as_bytes());
        let text = format!("{origin}\n{}\n{root}\n", head.size);
        Ok(note::sign(&text, origin, &self.key)?)
    }
}

impl std::fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CheckpointSigner(public {})", self.verifier)
    }
}
