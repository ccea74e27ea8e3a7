//! The log, for those who watch over it (LG-2).

use sekisho_access::{Caller, Guarded, Permit, Visible, action::ReadLog, resource::Site};
use sekisho_audit::Hash;
use sekisho_store::log::Entries;

use crate::{App, AppError};

/// A signed checkpoint and what verifies it.
#[derive(Debug)]
pub struct CheckpointView {
    /// Signed note.
    pub note: String,
    /// Verifier key in note format.
    pub verifier_key: String,
}

/// A proof between two sizes, or of an entry under one.
#[derive(Debug)]
pub struct ProofView {
    /// Index of the entry, or the older size.
    pub from: u64,
    /// Size of the tree.
    pub tree_size: u64,
    /// Hashes in the order of RFC 6962.
    pub hashes: Vec<Hash>,
}

impl App {
    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn checkpoint(&self, caller: &Caller) -> Result<Visible<CheckpointView>, AppError> {
        let permit = self.read_log(caller).await?;
        let note = self.store.checkpoint(&permit).await?;
        let verifier_key = self.verifier_key.clone();
        Ok(permit.reveal(Guarded::new(CheckpointView { note, verifier_key })))
    }

    /// Entries `start..end`; an `end` of 0 means up to the newest checkpoint.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a range outside the log.
    pub async fn export_entries(
        &self,
        caller: &Caller,
        start: u64,
        end: u64,
    ) -> Result<Visible<Entries>, AppError> {
        let permit = self.read_log(caller).await?;
        let end = self.size(end).await?;
        if start > end {
            let why = format!("the log has {end} entries");
            return Err(AppError::invalid("OUT_OF_RANGE", "start", why));
        }
        Ok(self.store.export(permit, start, end).await?)
    }

    /// Proves that an entry is under a checkpoint.
    ///
    /// # Errors
    /// [`AppError::NotFound`] outside the log.
    pub async fn inclusion_proof(
        &self,
        caller: &Caller,
        index: u64,
        tree_size: u64,
    ) -> Result<Visible<ProofView>, AppError> {
        let permit = self.read_log(caller).await?;
        let tree_size = self.size(tree_size).await?;
        let hashes = self.store.inclusion_proof(&permit, index, tree_size)?;
        Ok(permit.reveal(Guarded::new(ProofView { from: index, tree_size, hashes })))
    }

    /// Proves that a newer tree only extends an older one.
    ///
    /// # Errors
    /// [`AppError::NotFound`] outside the log.
    pub async fn consistency_proof(
        &self,
        caller: &Caller,
        old_size: u64,
        new_size: u64,
    ) -> Result<Visible<ProofView>, AppError> {
        let permit = self.read_log(caller).await?;
        let tree_size = self.size(new_size).await?;
        let hashes = self.store.consistency_proof(&permit, old_size, tree_size)?;
        Ok(permit.reveal(Guarded::new(ProofView { from: old_size, tree_size, hashes })))
    }

    async fn read_log(&self, caller: &Caller) -> Result<Permit<ReadLog>, AppError> {
        Ok(self.authorizer.authorize::<ReadLog>(caller, Site).await?)
    }

    /// The size meant by a caller; what no checkpoint covers is not provable yet.
    async fn size(&self, asked: u64) -> Result<u64, AppError> {
        let newest = self.store.checkpoint_size().await?;
        match asked {
            0 => Ok(newest),
            size if size <= newest => Ok(size),
            _ => Err(AppError::invalid(
                "OUT_OF_RANGE",
                "tree_size",
                format!("the newest checkpoint covers {newest} entries"),
            )),
        }
    }
}
