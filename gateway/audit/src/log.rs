//! The Merkle tree of RFC 6962 in memory, built from leaf hashes alone.
//!
//! Only hashes of *perfect* subtrees are kept: they never change once written, so an
//! append costs one or two hashes, an undone append is a truncation, and a tree of any
//! older size is still there to be proved. The few ragged nodes of the right edge are
//! computed when asked for. Which nodes make up a proof is ct-merkle's knowledge.
//!
//! Memory: 64 bytes a leaf.

use crate::hash::{Hash, TreeHead};

/// Why the tree has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The tree has not that many leaves.
    #[error("the log has {size} entries, not {wanted}")]
    Beyond {
        /// Leaves there are.
        size: u64,
        /// Leaves asked for.
        wanted: u64,
    },
    /// No such leaf in a tree of that size.
    #[error("no entry {index} in a log of {size} entries")]
    NoEntry {
        /// Leaf asked for.
        index: u64,
        /// Size asked for.
        size: u64,
    },
    /// A newer tree cannot be older.
    #[error("a log of {new} entries does not extend one of {old}")]
    Backwards {
        /// Older size asked for.
        old: u64,
        /// Newer size asked for.
        new: u64,
    },
}

impl LogError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Beyond { .. } => "log_beyond_end",
            Self::NoEntry { .. } => "log_no_entry",
            Self::Backwards { .. } => "log_backwards",
        }
    }
}

/// An append-only log's tree.
#[derive(Debug, Clone, Default)]
pub struct MerkleLog {
    /// `levels[k][i]` covers leaves `i << k` to `(i + 1) << k`.
    levels: Vec<Vec<Hash>>,
}

impl MerkleLog {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over leaves that are stored elsewhere, in order.
    pub fn from_leaf_hashes(hashes: impl IntoIterator<Item = Hash>) -> Self {
        let mut log = Self::new();
        for hash in hashes {
            log.append_hash(hash);
        }
        log
    }

    /// Appends an entry's leaf bytes; returns its index.
    pub fn append(&mut self, leaf: &[u8]) -> u64 {
        self.append_hash(Hash::of_leaf(leaf))
    }

    /// Appends an entry whose leaf hash is known; returns its index.
    pub fn append_hash(&mut self, leaf_hash: Hash) -> u64 {
        let index = self.size();
        let mut node = leaf_hash;
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { return index };
            nodes.push(node);
            // A pair is complete when the count is even: its parent is now final.
            match nodes.as_chunks::<2>() {
                (pairs, []) => match pairs.last() {
                    Some([left, right]) => node = Hash::of_node(left, right),
                    None => return index,
                },
                _ => return index,
            }
            level += 1;
        }
    }

    /// Undoes appends until `size` entries are left; does nothing when there are no more
    /// than that. For a transaction that rolled back: nothing that was signed may go.
    pub fn truncate_to(&mut self, size: u64) {
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            nodes.truncate(usize::try_from(size >> level).unwrap_or(usize::MAX));
        }
        self.levels.retain(|nodes| !nodes.is_empty());
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Root hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.range_hash(0, self.size())
    }

    /// Size and root of the whole tree, as a checkpoint states them.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size(), root: self.root() }
    }

    /// Root hash when the log had `size` entries.
    ///
    /// # Errors
    /// [`LogError::Beyond`].
    pub fn root_at(&self, size: u64) -> Result<Hash, LogError> {
        self.within(size)?;
        Ok(self.range_hash(0, size))
    }

    /// Leaf hash of an entry.
    #[must_use]
    pub fn leaf_hash(&self, index: u64) -> Option<Hash> {
        self.node(0, index)
    }

    /// Proof that entry `index` is in the tree of `size` entries: RFC 6962, 2.1.1, from
    /// leaf to root.
    ///
    /// # Errors
    /// [`LogError::Beyond`], [`LogError::NoEntry`].
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        self.within(size)?;
        if index >= size {
            return Err(LogError::NoEntry { index, size });
        }
        let nodes = ct_merkle::indices_for_inclusion_proof(size, index);
        Ok(self.hashes(&nodes, size))
    }

    /// Proof that the tree of `new` entries only extends the one of `old`: RFC 6962,
    /// 2.1.2. Empty from the empty tree and between equal sizes.
    ///
    /// # Errors
    /// [`LogError::Beyond`], [`LogError::Backwards`].
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, LogError> {
        self.within(new)?;
        let added = new.checked_sub(old).ok_or(LogError::Backwards { old, new })?;
        if old == 0 {
            return Ok(Vec::new());
        }
        let nodes = ct_merkle::indices_for_consistency_proof(old, added);
        Ok(self.hashes(&nodes, new))
    }

    fn within(&self, wanted: u64) -> Result<(), LogError> {
        let size = self.size();
        if wanted > size { Err(LogError::Beyond { size, wanted }) } else { Ok(()) }
    }

    /// Hashes of nodes numbered as in RFC 9420, appendix C, which ct-merkle uses: the
    /// trailing ones of a number are its level, the bits above the level its place there.
    fn hashes(&self, nodes: &[u64], size: u64) -> Vec<Hash> {
        let range = |node: &u64| {
            let level = node.trailing_ones();
            let start = (node >> (level + 1)) << level;
            (start, size.min(start + (1 << level)))
        };
        nodes.iter().map(range).map(|(start, end)| self.range_hash(start, end)).collect()
    }

    /// Hash over the leaves `start..end`, where `start` is a multiple of a power of two
    /// no smaller than the range: the perfect subtrees inside, folded from the right.
    fn range_hash(&self, start: u64, end: u64) -> Hash {
        let mut perfect = Vec::new();
        let mut next = start;
        while let Some(level) = end.saturating_sub(next).checked_ilog2() {
            perfect.extend(self.node(level, next >> level));
            next += 1 << level;
        }
        perfect
            .into_iter()
            .rev()
            .reduce(|right, left| Hash::of_node(&left, &right))
            .unwrap_or_else(Hash::of_empty_tree)
    }

    fn node(&self, level: u32, place: u64) -> Option<Hash> {
        self.levels.get(level as usize)?.get(usize::try_from(place).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proof::{verify_consistency, verify_inclusion};

    /// Leaves of the certificate-transparency reference tests.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];

    /// Their roots, by size.
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn reference() -> MerkleLog {
        let mut log = MerkleLog::new();
        for (index, leaf) in LEAVES.iter().enumerate() {
            assert_eq!(log.append(&hex::decode(leaf).unwrap()), index as u64);
        }
        log
    }

    fn numbered(size: u64) -> MerkleLog {
        MerkleLog::from_leaf_hashes((0..size).map(|n| Hash::of_leaf(&n.to_be_bytes())))
    }

    /// MTH of RFC 6962, section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_empty_tree(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at((leaves.len().next_power_of_two()) / 2);
                Hash::of_node(&mth(left), &mth(right))
            }
        }
    }

    fn texts(hashes: &[Hash]) -> Vec<String> {
        hashes.iter().map(Hash::to_string).collect()
    }

    #[test]
    fn lg_2_roots_match_the_certificate_transparency_vectors() {
        let log = reference();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(log.root_at(size as u64).unwrap().to_string(), *root, "{size}");
        }
        assert_eq!(log.root().to_string(), ROOTS[8]);
    }

    #[test]
    fn lg_2_proofs_match_the_certificate_transparency_vectors() {
        let log = reference();
        assert_eq!(
            texts(&log.inclusion_proof(5, 8).unwrap()),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            texts(&log.inclusion_proof(2, 3).unwrap()),
            ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]
        );
        assert_eq!(
            texts(&log.inclusion_proof(1, 5).unwrap()),
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ]
        );
        assert_eq!(
            texts(&log.consistency_proof(6, 8).unwrap()),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            texts(&log.consistency_proof(2, 5).unwrap()),
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ]
        );
        assert_eq!(log.consistency_proof(1, 1).unwrap(), []);
    }

    #[test]
    fn every_small_tree_proves_all_of_its_past() {
        const SIZE: u64 = 40;
        let log = numbered(SIZE);
        let leaves: Vec<_> = (0..SIZE).map(|n| log.leaf_hash(n).unwrap()).collect();
        for size in 0..=SIZE {
            let new = TreeHead { size, root: log.root_at(size).unwrap() };
            assert_eq!(new.root, mth(&leaves[..usize::try_from(size).unwrap()]));
            for index in 0..size {
                let proof = log.inclusion_proof(index, size).unwrap();
                verify_inclusion(&index.to_be_bytes(), index, &new, &proof).unwrap();
                assert!(verify_inclusion(b"other", index, &new, &proof).is_err());
            }
            for old_size in 0..=size {
                let old = TreeHead { size: old_size, root: log.root_at(old_size).unwrap() };
                let proof = log.consistency_proof(old_size, size).unwrap();
                verify_consistency(&old, &new, &proof).unwrap();
                let forged = TreeHead { size: old_size, root: Hash::of_leaf(b"forged") };
                assert!(verify_consistency(&forged, &new, &proof).is_err(), "{old_size} {size}");
            }
        }
    }

    #[test]
    fn questions_beyond_the_end_are_refused() {
        let log = numbered(5);
        let beyond = LogError::Beyond { size: 5, wanted: 6 };
        assert_eq!(log.root_at(6), Err(beyond));
        assert_eq!(log.inclusion_proof(0, 6), Err(beyond));
        assert_eq!(log.consistency_proof(1, 6), Err(beyond));
        assert_eq!(log.inclusion_proof(3, 3), Err(LogError::NoEntry { index: 3, size: 3 }));
        assert_eq!(log.inclusion_proof(0, 0), Err(LogError::NoEntry { index: 0, size: 0 }));
        assert_eq!(log.consistency_proof(4, 3), Err(LogError::Backwards { old: 4, new: 3 }));
        assert!(log.inclusion_proof(u64::MAX, 5).is_err());
        assert_eq!(beyond.code(), "log_beyond_end");
        assert_eq!(log.leaf_hash(5), None);
    }

    #[test]
    fn a_million_entries_fit_and_extend() {
        let leaf = Hash::of_leaf(b"leaf");
        let mut log = MerkleLog::from_leaf_hashes(std::iter::repeat_n(leaf, 1_000_003));
        assert_eq!(log.append(b"last"), 1_000_003);
        let head = log.head();
        let proof = log.inclusion_proof(1_000_003, head.size).unwrap();
        verify_inclusion(b"last", 1_000_003, &head, &proof).unwrap();
        let old = TreeHead { size: 999_999, root: log.root_at(999_999).unwrap() };
        verify_consistency(&old, &head, &log.consistency_proof(999_999, head.size).unwrap())
            .unwrap();
    }

    proptest! {
        #[test]
        fn undone_appends_leave_no_trace(kept in 0_u64..200, undone in 0_u64..100) {
            let plain = numbered(kept + 1);
            let mut log = numbered(kept);
            for n in 0..undone {
                log.append(&(n + 7_000).to_le_bytes());
            }
            log.truncate_to(kept + undone + 1);
            prop_assert_eq!(log.size(), kept + undone);
            log.truncate_to(kept);
            prop_assert_eq!(log.append(&kept.to_be_bytes()), kept);
            prop_assert_eq!(log.head(), plain.head());
            prop_assert_eq!(&log.levels, &plain.levels);
        }
    }
}
