/// Why a run could not be started or its outputs not be read.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A key could not be made, or a sealed output not be opened.
    #[error("sealing or opening an output failed")]
    Vault(#[from] sekisho_vault::VaultError),
    /// An opened output is no `CheckedOutput`.
    #[error("an output cannot be read")]
    Output(#[from] prost::DecodeError),
}

impl RunnerError {
    /// Stable code for scripts and clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Vault(error) => error.code(),
            Self::Output(_) => "runner.output",
        }
    }
}
