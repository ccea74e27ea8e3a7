//! The witness: whoever, outside the gateway, remembers the last checkpoint it saw and
//! accepts a newer one only with proof that nothing before it changed (LG-2, invariant 8).

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    hash::Hash,
    note::VerifierKey,
    proof::{ProofError, verify_consistency},
};

/// Why a witness does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The offered checkpoint is not the log's.
    #[error("the checkpoint is not accepted")]
    Checkpoint(#[from] CheckpointError),
    /// The log got shorter.
    #[error("the log went back from {seen} entries to {offered}")]
    RolledBack {
        /// Size seen before.
        seen: u64,
        /// Size offered now.
        offered: u64,
    },
    /// Two checkpoints of one size disagree.
    #[error("the log shows two histories of {size} entries")]
    Forked {
        /// That size.
        size: u64,
    },
    /// The proof does not show that the log only grew.
    #[error("no proof that the log only grew")]
    Inconsistent(#[source] ProofError),
}

impl WitnessError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Checkpoint(error) => error.code(),
            Self::RolledBack { .. } => "witness_rolled_back",
            Self::Forked { .. } => "witness_forked",
            Self::Inconsistent(_) => "witness_inconsistent",
        }
    }
}

/// A witness of one log. Its state is the last note it accepted.
#[derive(Debug, Clone)]
pub struct Witness {
    key: VerifierKey,
    last: Option<(Checkpoint, String)>,
}

impl Witness {
    /// A witness that has seen nothing: it trusts the first checkpoint it is shown.
    #[must_use]
    pub const fn new(key: VerifierKey) -> Self {
        Self { key, last: None }
    }

    /// A witness that goes on from the note it kept.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn resume(key: VerifierKey, note: &str) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::verify(note, &key)?;
        Ok(Self { key, last: Some((checkpoint, note.to_owned())) })
    }

    /// Size to ask a consistency proof from.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, |(checkpoint, _)| checkpoint.head.size)
    }

    /// The note to keep.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.last.as_ref().map(|(_, note)| note.as_str())
    }

    /// Moves on to a newer checkpoint; stays where it is on any error.
    ///
    /// # Errors
    /// Any [`WitnessError`].
    pub fn advance(&mut self, note: &str, proof: &[Hash]) -> Result<(), WitnessError> {
        let offered = Checkpoint::verify(note, &self.key)?;
        if let Some((Checkpoint { head: seen, .. }, _)) = &self.last {
            let head = &offered.head;
            if head.size < seen.size {
                return Err(WitnessError::RolledBack { seen: seen.size, offered: head.size });
            }
            if head.size == seen.size && head.root != seen.root {
                return Err(WitnessError::Forked { size: seen.size });
            }
            verify_consistency(seen, head, proof).map_err(WitnessError::Inconsistent)?;
        }
        self.last = Some((offered, note.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkpoint::CheckpointSigner, log::MerkleLog, note::NoteError};

    fn signer() -> CheckpointSigner {
        CheckpointSigner::from_seed("gateway.example/log", &[1; 32]).unwrap()
    }

    fn log(leaves: &[&str]) -> MerkleLog {
        let mut log = MerkleLog::new();
        for leaf in leaves {
            log.append(leaf.as_bytes());
        }
        log
    }

    #[test]
    fn lg_2_a_witness_follows_a_log_that_only_grows() {
        let mut log = log(&["a", "b", "c"]);
        let mut witness = Witness::new(signer().verifier().clone());
        witness.advance(&signer().sign(&log.head()).unwrap(), &[]).unwrap();
        for leaf in ["d", "e", "f", "g"] {
            log.append(leaf.as_bytes());
            let note = signer().sign(&log.head()).unwrap();
            let proof = log.consistency_proof(witness.size(), log.size()).unwrap();
            witness.advance(&note, &proof).unwrap();
            witness.advance(&note, &[]).unwrap();
            assert_eq!(witness.note(), Some(note.as_str()));
            witness = Witness::resume(signer().verifier().clone(), &note).unwrap();
        }
        assert_eq!(witness.size(), 7);
    }

    #[test]
    fn lg_2_a_witness_refuses_rollback_fork_rewriting_and_strangers() {
        let seen = log(&["a", "b", "c", "d"]);
        let mut witness = Witness::new(signer().verifier().clone());
        witness.advance(&signer().sign(&seen.head()).unwrap(), &[]).unwrap();

        let mut offer = |log: &MerkleLog, proof: &[Hash]| {
            witness.advance(&signer().sign(&log.head()).unwrap(), proof).unwrap_err()
        };
        let shorter = offer(&log(&["a", "b", "c"]), &[]);
        assert_eq!(shorter, WitnessError::RolledBack { seen: 4, offered: 3 });
        assert_eq!(offer(&log(&["a", "b", "x", "d"]), &[]), WitnessError::Forked { size: 4 });
        let rewritten = log(&["a", "b", "x", "d", "e"]);
        let proof = rewritten.consistency_proof(4, 5).unwrap();
        let error = offer(&rewritten, &proof);
        assert_eq!(error, WitnessError::Inconsistent(ProofError::Mismatch));
        assert_eq!(error.code(), "witness_inconsistent");

        let stranger = CheckpointSigner::from_seed("gateway.example/log", &[2; 32]).unwrap();
        let grown = log(&["a", "b", "c", "d", "e"]);
        assert_eq!(
            witness.advance(&stranger.sign(&grown.head()).unwrap(), &[]),
            Err(WitnessError::Checkpoint(CheckpointError::Note(NoteError::Unsigned)))
        );
        assert_eq!(witness.size(), 4, "nothing moved it");
    }
}
