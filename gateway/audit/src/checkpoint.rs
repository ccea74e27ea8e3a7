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
        // No leading zero, no plus sign; and there is one tree without leaves.
        let sound = number.to_string() == size && (number > 0 || root == Hash::of_empty_tree());
        sound.then(|| Self { origin: origin.to_owned(), head: TreeHead { size: number, root } })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two entries, `a` and `b`, signed by the seed of 32 ones.
    const GOLDEN: &str = "gateway.example/log\n2\nsTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes=\n\n\
        \u{2014} gateway.example/log ujScvxaLP+B02KBPuWGgzj6GNJ3DrRb0EGFOQ+rzZQ10Jo3ErE+6DkXBmRHOIOSkX3EekQK65sgZGN+ia3PT0XehKAg=\n";
    const GOLDEN_KEY: &str =
        "gateway.example/log+ba349cbf+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

    fn signer() -> CheckpointSigner {
        CheckpointSigner::from_seed("gateway.example/log", &[1; 32]).unwrap()
    }

    fn head() -> TreeHead {
        TreeHead { size: 2, root: Hash::of_node(&Hash::of_leaf(b"a"), &Hash::of_leaf(b"b")) }
    }

    fn signed(text: &str) -> Result<Checkpoint, CheckpointError> {
        let note = note::sign(text, signer().verifier().name(), &signer().key).unwrap();
        Checkpoint::verify(&note, signer().verifier())
    }

    #[test]
    fn lg_2_checkpoints_keep_the_form_they_were_signed_in() {
        assert_eq!(signer().sign(&head()).unwrap(), GOLDEN);
        assert_eq!(signer().verifier().to_string(), GOLDEN_KEY);
        let checkpoint = Checkpoint::verify(GOLDEN, &GOLDEN_KEY.parse().unwrap()).unwrap();
        assert_eq!(checkpoint.head, head());
        assert_eq!(checkpoint.origin, "gateway.example/log");
    }

    #[test]
    fn lg_2_a_changed_checkpoint_is_refused() {
        let changed = GOLDEN.replace("\n2\n", "\n3\n");
        let error = Checkpoint::verify(&changed, signer().verifier()).unwrap_err();
        assert_eq!(error.code(), "note_bad_signature");
        let stranger = CheckpointSigner::from_seed("gateway.example/log", &[2; 32]).unwrap();
        let error = Checkpoint::verify(GOLDEN, stranger.verifier()).unwrap_err();
        assert_eq!(error.code(), "note_unsigned");
    }

    #[test]
    fn signed_texts_that_are_no_checkpoint_are_refused() {
        let root = BASE64.encode(head().root.as_bytes());
        let origin = "gateway.example/log";
        assert!(signed(&format!("{origin}\n2\n{root}\nextension\n")).is_ok());
        for bad in [
            format!("{origin}\n02\n{root}\n"),
            format!("{origin}\n+2\n{root}\n"),
            format!("{origin}\n-2\n{root}\n"),
            format!("{origin}\n2\n{root}=\n"),
            format!("{origin}\n2\nAAAA\n"),
            format!("{origin}\n2\n"),
            format!("{origin}\n2\n{root}\n\nx\n"),
            format!("\n2\n{root}\n"),
            format!("{origin}\n0\n{root}\n"),
        ] {
            assert_eq!(signed(&bad), Err(CheckpointError::Malformed), "{bad:?}");
        }
        assert_eq!(signed(&format!("other\n2\n{root}\n")), Err(CheckpointError::Origin));
    }

    #[test]
    fn keys_come_from_pem_and_are_never_printed() {
        use ed25519_dalek::pkcs8::{EncodePrivateKey as _, spki::der::pem::LineEnding};
        let pem = signer().key.to_pkcs8_pem(LineEnding::LF).unwrap();
        let loaded = CheckpointSigner::from_pkcs8_pem("gateway.example/log", &pem).unwrap();
        assert_eq!(loaded.sign(&head()).unwrap(), GOLDEN);
        let error = CheckpointSigner::from_pkcs8_pem("gateway.example/log", "no pem").unwrap_err();
        assert_eq!(error.code(), "checkpoint_key");
        let error = CheckpointSigner::from_seed("two words", &[1; 32]).unwrap_err();
        assert_eq!(error.code(), "note_key_name");
        assert_eq!(format!("{loaded:?}"), format!("CheckpointSigner(public {GOLDEN_KEY})"));
    }
}
