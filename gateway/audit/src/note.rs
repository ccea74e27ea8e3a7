//! Signed notes (C2SP signed-note): text, an empty line, and signatures by named Ed25519
//! keys. Written here because the crate for it pins another generation of ed25519-dalek.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// Byte that says Ed25519 in a verifier key.
const ED25519: u8 = 1;
/// Longest note read, bytes; a checkpoint is about 200.
const MAX_NOTE_BYTES: usize = 16 * 1024;
/// What starts a signature line.
const DASH: &str = "\u{2014} ";

/// Why a text is not a note signed by the key at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name is empty or holds a space or a plus sign.
    #[error("not a key name")]
    KeyName,
    /// Not a verifier key.
    #[error("not a verifier key: expected NAME+ID+KEY")]
    VerifierKey,
    /// Not a signed note.
    #[error("not a signed note")]
    Malformed,
    /// No signature by that key.
    #[error("not signed by the expected key")]
    Unsigned,
    /// A signature by that key that does not hold.
    #[error("the signature does not hold")]
    BadSignature,
}

impl NoteError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyName => "note_key_name",
            Self::VerifierKey => "note_verifier_key",
            Self::Malformed => "note_malformed",
            Self::Unsigned => "note_unsigned",
            Self::BadSignature => "note_bad_signature",
        }
    }
}

/// A public key with its name. Text: `NAME+ID+KEY`, the id in hexadecimal, the key in
/// Base64 behind its algorithm byte.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Names a public key.
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.contains(bad) {
            return Err(NoteError::KeyName);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of SHA-256(name || LF || algorithm || key).
    fn id(&self) -> [u8; 4] {
        let hasher = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]);
        let digest: [u8; 32] = hasher.chain_update(self.key.as_bytes()).finalize().into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// The signed text of `note`, its final newline included. Signatures by other keys
    /// are passed over.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], [`NoteError::Unsigned`], [`NoteError::BadSignature`].
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut held = false;
        for line in signatures.lines() {
            let (name, bytes) = signature_line(line)?;
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(NoteError::Malformed);
            };
            if name != self.name || *id != self.id() {
                continue;
            }
            let signature =
                Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
            self.key
                .verify_strict(text.as_bytes(), &signature)
                .map_err(|_| NoteError::BadSignature)?;
            held = true;
        }
        if held { Ok(text) } else { Err(NoteError::Unsigned) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let key = BASE64.decode(key).map_err(|_| NoteError::VerifierKey)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(NoteError::VerifierKey) };
        let key = VerifyingKey::try_from(key).map_err(|_| NoteError::VerifierKey)?;
        let key = Self::new(name, key)?;
        if hex::encode(key.id()) == id { Ok(key) } else { Err(NoteError::VerifierKey) }
    }
}

/// Signs `text`, which must end in a newline and hold no other control character.
///
/// # Errors
/// [`NoteError::KeyName`], [`NoteError::Malformed`].
pub fn sign(text: &str, name: &str, key: &SigningKey) -> Result<String, NoteError> {
    let verifier = VerifierKey::new(name, key.verifying_key())?;
    if !text.ends_with('\n') || !plain(text) {
        return Err(NoteError::Malformed);
    }
    let mut bytes = verifier.id().to_vec();
    bytes.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
    Ok(format!("{text}\n{DASH}{name} {}\n", BASE64.encode(bytes)))
}

/// Text, and signature lines. The last empty line parts them.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > MAX_NOTE_BYTES || !note.ends_with('\n') || !plain(note) {
        return Err(NoteError::Malformed);
    }
    let parting = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, rest) = note.split_at_checked(parting + 1).ok_or(NoteError::Malformed)?;
    let signatures = rest.strip_prefix('\n').ok_or(NoteError::Malformed)?;
    if signatures.is_empty() { Err(NoteError::Malformed) } else { Ok((text, signatures)) }
}

fn plain(text: &str) -> bool {
    !text.chars().any(|c| c < ' ' && c != '\n')
}

fn signature_line(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let (name, bytes) = line
        .strip_prefix(DASH)
        .and_then(|line| line.split_once(' '))
        .ok_or(NoteError::Malformed)?;
    let bytes = BASE64.decode(bytes).map_err(|_| NoteError::Malformed)?;
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example key pair of Go's sumdb/note documentation.
    const GO_SEED: &str = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn go_key() -> SigningKey {
        let bytes = BASE64.decode(format!("A{GO_SEED}")).unwrap();
        SigningKey::from_bytes(bytes[1..].try_into().unwrap())
    }

    #[test]
    fn lg_2_notes_match_the_reference_implementation_byte_for_byte() {
        let key: VerifierKey = GO_VERIFIER.parse().unwrap();
        assert_eq!(key.to_string(), GO_VERIFIER);
        let text = key.open(GO_NOTE).unwrap();
        assert_eq!(sign(text, "PeterNeumann", &go_key()).unwrap(), GO_NOTE);
    }

    #[test]
    fn lg_2_a_tree_head_signed_by_the_go_checksum_database_verifies() {
        let key: VerifierKey =
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8".parse().unwrap();
        let note = "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            \u{2014} sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
        assert!(key.open(note).unwrap().starts_with("go.sum database tree\n20852163\n"));
        assert_eq!(key.open(&note.replace("20852163", "20852164")), Err(NoteError::BadSignature));
    }

    #[test]
    fn lg_2_notes_that_are_changed_unsigned_or_malformed_are_refused() {
        let key: VerifierKey = GO_VERIFIER.parse().unwrap();
        let stranger = SigningKey::from_bytes(&[7; 32]);
        let text = "text\n";
        let theirs = sign(text, "stranger", &stranger).unwrap();
        let impostor = sign(text, "PeterNeumann", &stranger).unwrap();
        for (note, error) in [
            (GO_NOTE.replace("answer", "Answer"), NoteError::BadSignature),
            (theirs.clone(), NoteError::Unsigned),
            (impostor, NoteError::Unsigned),
            (GO_NOTE.trim_end().to_owned(), NoteError::Malformed),
            (GO_NOTE.replace("\n\n", "\n"), NoteError::Malformed),
            (GO_NOTE.replace('\u{2014}', "-"), NoteError::Malformed),
            ("text\n\n".to_owned(), NoteError::Malformed),
            (format!("te\0xt{GO_NOTE}"), NoteError::Malformed),
            ("x".repeat(MAX_NOTE_BYTES) + GO_NOTE, NoteError::Malformed),
            (String::new(), NoteError::Malformed),
        ] {
            assert_eq!(key.open(&note), Err(error), "{note:?}");
        }
        let both =
            sign(text, "PeterNeumann", &go_key()).unwrap() + theirs.rsplit_once("\n\n").unwrap().1;
        assert_eq!(key.open(&both), Ok(text), "a witness may sign below");
    }

    #[test]
    fn bad_keys_and_texts_are_refused() {
        for bad in [
            "",
            "a+b",
            "a+00000000+AQ==",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert_eq!(bad.parse::<VerifierKey>(), Err(NoteError::VerifierKey), "{bad}");
        }
        for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb"] {
            assert_eq!(sign("t\n", name, &go_key()), Err(NoteError::KeyName), "{name:?}");
        }
        assert_eq!(sign("t", "name", &go_key()), Err(NoteError::Malformed));
        assert_eq!(sign("t\r\n", "name", &go_key()), Err(NoteError::Malformed));
        assert_eq!(NoteError::Unsigned.code(), "note_unsigned");
    }
}
