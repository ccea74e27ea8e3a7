use crate::code::CodeCache;
use crate::{RunnerCommand, RunnerError};

/// How runners are started, and the code of modules that ran before. One for a process: its
/// clones would not share code.
#[derive(Debug)]
pub struct Runners {
    pub(crate) command: RunnerCommand,
    pub(crate) code: CodeCache,
}

impl Runners {
    /// Runners of this program, with no code yet.
    ///
    /// # Errors
    /// [`RunnerError::Vault`] when the system gives no random bytes for a key.
    pub fn new(command: RunnerCommand) -> Result<Self, RunnerError> {
        Ok(Self { command, code: CodeCache::new()? })
    }
}
