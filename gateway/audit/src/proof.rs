//! Checking proofs, for those who have no log: the witness, the holder of a release.

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use crate::hash::{Hash, TreeHead};

/// Larger trees than this are claims nobody can have filled; ct-merkle would panic at
/// 2^63.
const MAX_SIZE: u64 = 1 << 48;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The sizes or the index make no sense together.
    #[error("no such proof can exist between {older} and {newer}")]
    Impossible {
        /// Index, or older size.
        older: u64,
        /// Size, or newer size.
        newer: u64,
    },
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Mismatch,
}

impl ProofError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Impossible { .. } => "proof_impossible",
            Self::Mismatch => "proof_mismatch",
        }
    }
}

/// Accepts exactly when the leaf bytes are entry `index` of the tree (RFC 6962, 2.1.1).
///
/// # Errors
/// Any [`ProofError`].
pub fn verify_inclusion(
    leaf: &[u8],
    index: u64,
    tree: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= tree.size || tree.size > MAX_SIZE {
        return Err(ProofError::Impossible { older: index, newer: tree.size });
    }
    let proof = InclusionProof::try_from_bytes(bytes(proof)).map_err(|_| ProofError::Mismatch)?;
    root(tree).verify_inclusion(&leaf, index, &proof).map_err(|_| ProofError::Mismatch)
}

/// Accepts exactly when `new` only adds entries to `old` (RFC 6962, 2.1.2). Every tree
/// extends the empty one.
///
/// # Errors
/// Any [`ProofError`].
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old.size > new.size || new.size > MAX_SIZE {
        return Err(ProofError::Impossible { older: old.size, newer: new.size });
    }
    if old.size == 0 {
        let empty = old.root == Hash::of_empty_tree() && proof.is_empty();
        let same = new.size > 0 || new.root == old.root;
        return if empty && same { Ok(()) } else { Err(ProofError::Mismatch) };
    }
    let proof = ConsistencyProof::try_from_bytes(bytes(proof)).map_err(|_| ProofError::Mismatch)?;
    root(new).verify_consistency(&root(old), &proof).map_err(|_| ProofError::Mismatch)
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(Hash::as_bytes).copied().collect()
}

fn root(tree: &TreeHead) -> RootHash<Sha256> {
    RootHash::new((*tree.root.as_bytes()).into(), tree.size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MerkleLog;

    fn head(size: u64, root: Hash) -> TreeHead {
        TreeHead { size, root }
    }

    #[test]
    fn absurd_sizes_are_refused_before_any_arithmetic() {
        let root = Hash::of_leaf(b"x");
        for size in [MAX_SIZE + 1, u64::MAX / 2 + 2, u64::MAX] {
            let impossible = Err(ProofError::Impossible { older: 0, newer: size });
            assert_eq!(verify_inclusion(b"x", 0, &head(size, root), &[]), impossible);
            let old = head(0, Hash::of_empty_tree());
            assert_eq!(verify_consistency(&old, &head(size, root), &[]), impossible);
        }
        assert!(verify_inclusion(b"x", 1, &head(1, root), &[]).is_err());
        assert!(verify_consistency(&head(2, root), &head(1, root), &[]).is_err());
    }

    #[test]
    fn lg_2_a_proof_with_a_hash_more_less_or_changed_proves_nothing() {
        let mut log = MerkleLog::new();
        for n in 0_u8..11 {
            log.append(&[n]);
        }
        let new = log.head();
        let old = head(6, log.root_at(6).unwrap());
        let proof = log.consistency_proof(6, 11).unwrap();
        verify_consistency(&old, &new, &proof).unwrap();
        for place in 0..proof.len() {
            let mut changed = proof.clone();
            changed[place] = Hash::of_leaf(b"changed");
            assert_eq!(verify_consistency(&old, &new, &changed), Err(ProofError::Mismatch));
        }
        let mut longer = proof.clone();
        longer.push(old.root);
        assert_eq!(verify_consistency(&old, &new, &longer), Err(ProofError::Mismatch));
        assert_eq!(verify_consistency(&old, &new, &proof[1..]), Err(ProofError::Mismatch));
    }

    #[test]
    fn everything_extends_the_empty_tree_and_it_extends_nothing() {
        let empty = head(0, Hash::of_empty_tree());
        let one = head(1, Hash::of_leaf(b"x"));
        assert_eq!(verify_consistency(&empty, &one, &[]), Ok(()));
        assert_eq!(verify_consistency(&empty, &empty, &[]), Ok(()));
        let wrong = head(0, one.root);
        assert_eq!(verify_consistency(&wrong, &one, &[]), Err(ProofError::Mismatch));
        assert_eq!(verify_consistency(&empty, &wrong, &[]), Err(ProofError::Mismatch));
        assert_eq!(verify_consistency(&empty, &one, &[one.root]), Err(ProofError::Mismatch));
    }
}
