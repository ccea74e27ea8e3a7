//! Offline verification of an export: nothing is needed but the file, the log's public
//! key, and whatever checkpoints were kept elsewhere.
//!
//! Entries are read in order. Each must carry the next index and hash to the hash beside
//! it; the tree so built must match every signed checkpoint. The first thing that does
//! not fit is the finding, and it says where:
//! - a leaf changed after it was written no longer hashes to what was stored: that entry;
//! - entries removed, added or moved break the numbering: the first place where they do;
//! - a consistent rewriting (leaf, hash and numbering alike) departs from the next signed
//!   checkpoint: the entries since the last one that agreed, a single one when every entry
//!   was checkpointed;
//! - a tail cut off is missing under a checkpoint that covers it. When the checkpoints
//!   in the file were cut off too, only one that was kept elsewhere tells.

use std::collections::BTreeMap;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    export::ExportLine,
    hash::{Hash, TreeHead},
    log::MerkleLog,
    note::VerifierKey,
};

/// What is wrong with an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A line that is not one of an export, where this entry was to be.
    #[error("line {line} is damaged, at entry {entry}")]
    Damaged {
        /// Line, from 1.
        line: u64,
        /// Entry expected there.
        entry: u64,
    },
    /// The entry's bytes are not those that were written.
    #[error("entry {entry} was altered")]
    Altered {
        /// That entry.
        entry: u64,
    },
    /// Entries were removed, added or moved.
    #[error("entry {found} stands where entry {entry} was written")]
    OutOfOrder {
        /// First entry that is not in its place.
        entry: u64,
        /// What stands there.
        found: u64,
    },
    /// The entries depart from what was signed.
    #[error("entries {first} to {last} are not those that were signed")]
    Rewritten {
        /// First entry that no agreeing checkpoint covers.
        first: u64,
        /// Last entry under the disagreeing checkpoint.
        last: u64,
    },
    /// Entries that were signed are missing at the end.
    #[error("the log ends before entry {entry}, {signed} were signed")]
    Truncated {
        /// First entry missing.
        entry: u64,
        /// Entries that were signed.
        signed: u64,
        /// Entries that an agreeing checkpoint covers; those after it prove nothing.
        agreed: u64,
    },
    /// Entries that nobody signed stand at the end.
    #[error("entry {entry} and what follows was never signed")]
    Unsigned {
        /// First of them.
        entry: u64,
    },
    /// A checkpoint in the file is not the log's.
    #[error("the checkpoint on line {line} is not accepted, at entry {entry}")]
    BadCheckpoint {
        /// Line, from 1.
        line: u64,
        /// Entry expected next.
        entry: u64,
        /// Why.
        #[source]
        source: CheckpointError,
    },
    /// Two signed checkpoints of one size disagree: the signer shows two histories.
    #[error("two signed histories of {size} entries")]
    Forked {
        /// That size.
        size: u64,
    },
    /// Nothing was signed.
    #[error("no checkpoint to verify against")]
    NoCheckpoint,
}

impl Finding {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "audit_damaged",
            Self::Altered { .. } => "audit_altered",
            Self::OutOfOrder { .. } => "audit_out_of_order",
            Self::Rewritten { .. } => "audit_rewritten",
            Self::Truncated { .. } => "audit_truncated",
            Self::Unsigned { .. } => "audit_unsigned",
            Self::BadCheckpoint { .. } => "audit_bad_checkpoint",
            Self::Forked { .. } => "audit_forked",
            Self::NoCheckpoint => "audit_no_checkpoint",
        }
    }

    /// Index of the first bad entry; for [`Finding::Rewritten`] and [`Finding::Forked`]
    /// the first that may be.
    #[must_use]
    pub const fn first_bad(&self) -> Option<u64> {
        match *self {
            Self::Damaged { entry, .. }
            | Self::Altered { entry }
            | Self::OutOfOrder { entry, .. }
            | Self::Rewritten { first: entry, .. }
            | Self::Truncated { entry, .. }
            | Self::Unsigned { entry }
            | Self::BadCheckpoint { entry, .. } => Some(entry),
            Self::Forked { .. } | Self::NoCheckpoint => None,
        }
    }
}

/// What a sound export showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Its whole tree.
    pub head: TreeHead,
    /// Signed checkpoints it agrees with.
    pub checkpoints: u64,
}

/// Verifies an export line by line, so that its size does not matter.
#[derive(Debug)]
pub struct Verifier {
    key: VerifierKey,
    log: MerkleLog,
    /// Signed roots by size, of trees larger than what was read so far.
    ahead: BTreeMap<u64, Hash>,
    /// Entries under the largest checkpoint that agreed.
    agreed: u64,
    checkpoints: u64,
    line: u64,
}

impl Verifier {
    /// `kept`: checkpoints from outside the export, such as the witness's; without one
    /// the log may have been cut back to any state it once was in.
    ///
    /// # Errors
    /// [`Finding::Forked`].
    pub fn new(
        key: VerifierKey,
        kept: impl IntoIterator<Item = Checkpoint>,
    ) -> Result<Self, Finding> {
        let (log, ahead) = (MerkleLog::new(), BTreeMap::new());
        let mut verifier = Self { key, log, ahead, agreed: 0, checkpoints: 0, line: 0 };
        for checkpoint in kept {
            verifier.take_checkpoint(checkpoint.head)?;
        }
        Ok(verifier)
    }

    /// Takes the next line, without its newline.
    ///
    /// # Errors
    /// The first [`Finding`]; nothing after it means anything.
    pub fn feed(&mut self, line: &[u8]) -> Result<(), Finding> {
        self.line += 1;
        let (line_number, entry) = (self.line, self.log.size());
        match ExportLine::parse(line) {
            Err(_) => Err(Finding::Damaged { line: line_number, entry }),
            Ok(ExportLine::Entry { index, leaf, leaf_hash }) => {
                self.take_entry(index, &leaf, leaf_hash)
            }
            Ok(ExportLine::Checkpoint(note)) => {
                let checkpoint = Checkpoint::verify(&note, &self.key).map_err(|source| {
                    Finding::BadCheckpoint { line: line_number, entry, source }
                })?;
                self.take_checkpoint(checkpoint.head)
            }
        }
    }

    /// Says that there are no more lines.
    ///
    /// # Errors
    /// [`Finding::Truncated`], [`Finding::Unsigned`], [`Finding::NoCheckpoint`].
    pub fn finish(self) -> Result<Verified, Finding> {
        let (size, agreed) = (self.log.size(), self.agreed);
        if let Some((signed, _)) = self.ahead.last_key_value() {
            return Err(Finding::Truncated { entry: size, signed: *signed, agreed });
        }
        if self.checkpoints == 0 {
            return Err(Finding::NoCheckpoint);
        }
        if agreed < size {
            return Err(Finding::Unsigned { entry: agreed });
        }
        Ok(Verified { head: self.log.head(), checkpoints: self.checkpoints })
    }

    fn take_entry(&mut self, index: u64, leaf: &[u8], stored: Hash) -> Result<(), Finding> {
        let entry = self.log.size();
        if index != entry {
            return Err(Finding::OutOfOrder { entry, found: index });
        }
        if Hash::of_leaf(leaf) != stored {
            return Err(Finding::Altered { entry });
        }
        self.log.append_hash(stored);
        let size = entry + 1;
        match self.ahead.remove(&size) {
            Some(root) => self.compare(TreeHead { size, root }),
            None => Ok(()),
        }
    }

    fn take_checkpoint(&mut self, head: TreeHead) -> Result<(), Finding> {
        self.checkpoints += 1;
        if head.size <= self.log.size() {
            return self.compare(head);
        }
        match self.ahead.insert(head.size, head.root) {
            Some(other) if other != head.root => Err(Finding::Forked { size: head.size }),
            _ => Ok(()),
        }
    }

    fn compare(&mut self, signed: TreeHead) -> Result<(), Finding> {
        let (first, size) = (self.agreed, signed.size);
        if self.log.root_at(size) == Ok(signed.root) {
            self.agreed = first.max(size);
            Ok(())
        } else if size <= first {
            // A larger signed tree agreed: this signature contradicts that one.
            Err(Finding::Forked { size })
        } else {
            Err(Finding::Rewritten { first, last: size - 1 })
        }
    }
}

/// Verifies a whole export held in memory.
///
/// # Errors
/// The first [`Finding`].
pub fn verify_export(
    export: &[u8],
    kept: impl IntoIterator<Item = Checkpoint>,
    key: &VerifierKey,
) -> Result<Verified, Finding> {
    let mut verifier = Verifier::new(key.clone(), kept)?;
    let lines = export.strip_suffix(b"\n").unwrap_or(export);
    if !lines.is_empty() {
        for line in lines.split(|byte| *byte == b'\n') {
            verifier.feed(line)?;
        }
    }
    verifier.finish()
}

#[cfg(test)]
mod tests;
