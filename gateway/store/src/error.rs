//! What can go wrong with state.

use sekisho_domain::Timestamp;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Somebody else changed it first, or the state does not allow it.
    #[error("{code}: {message}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What to do about it.
        message: String,
    },
    /// A quota is used up for now.
    #[error("{code}: {message}")]
    UsedUp {
        /// Stable code.
        code: &'static str,
        /// What was agreed.
        message: String,
        /// When there is more.
        until: Timestamp,
    },
    /// The acting session was ended between the decision and its effect.
    #[error("the session was ended")]
    SessionEnded,
    /// Stored entries are not those that were signed (LG-2).
    #[error("the log does not match its newest checkpoint: {0}")]
    LogTampered(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A sealed object could not be stored or read.
    #[error("a sealed object could not be stored or read")]
    Object(#[from] object_store::Error),
    /// Sealing or opening failed.
    #[error("sealing or opening failed")]
    Vault(#[from] sekisho_vault::VaultError),
    /// A stored body does not parse.
    #[error("a stored body does not parse")]
    Body(#[from] serde_json::Error),
    /// The log cannot take the event.
    #[error("the log cannot take the event: {0}")]
    Log(String),
    /// The writer is gone.
    #[error("the writer has stopped")]
    WriterGone,
}

impl StoreError {
    /// A conflict with a stable code.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
}

impl From<sekisho_domain::TransitionError> for StoreError {
    fn from(error: sekisho_domain::TransitionError) -> Self {
        Self::conflict("WRONG_STATE", error.to_string())
    }
}
