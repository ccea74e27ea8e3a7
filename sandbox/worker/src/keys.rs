//! Looking after the root keys of a worker's vault.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sekisho_vault::{
    Exhausted, Generation, GenerationStatus, MOST_USES, ReceivingKey, RotatingVault, VaultError,
};

use crate::Config;

/// The root keys of a worker's vault and what hangs on them.
#[derive(Debug, PartialEq, Eq)]
pub struct RootKeys {
    /// Every generation, oldest first.
    pub generations: Vec<GenerationStatus>,
    /// The one that seals the receiving key; older ones open nothing of this worker's.
    pub receiving_key: Option<Generation>,
}

impl RootKeys {
    /// Reads them.
    ///
    /// # Errors
    /// [`VaultError`] when the vault or the receiving key cannot be opened.
    pub fn list(config: &Config) -> Result<Self, VaultError> {
        let vault = config.vault.open()?;
        let receiving = ReceivingKey::open(&config.receiving_key, Arc::clone(&vault) as _)?;
        Self::of(&*vault, &receiving)
    }

    /// Makes a new generation and seals the receiving key under it. No data set changes, and
    /// a worker that is running goes on.
    ///
    /// # Errors
    /// [`VaultError`]; after any, what was readable still is, and it can be tried again.
    pub fn rotate(config: &Config) -> Result<Self, VaultError> {
        let vault = config.vault.open()?;
        // Opened first: a vault that cannot open it must not get a generation more.
        let receiving = ReceivingKey::open(&config.receiving_key, Arc::clone(&vault) as _)?;
        vault.rotate()?;
        receiving.rewrap()?;
        Self::of(&*vault, &receiving)
    }

    /// Why the current generation should be followed by a new one, if it should.
    #[must_use]
    pub fn due(&self) -> Option<Exhausted> {
        self.generations.iter().find(|one| one.current)?.exhausted
    }

    fn of(vault: &dyn RotatingVault, receiving: &ReceivingKey) -> Result<Self, VaultError> {
        Ok(Self { generations: vault.status()?, receiving_key: receiving.sealed_under()? })
    }
}

impl fmt::Display for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.generations {
            write!(f, "generation {}", one.generation)?;
            match one.record {
                Some(record) => {
                    let made = Timestamp::try_from(record.created_at).unwrap_or_default();
                    write!(f, "  made {made}  uses {} of {MOST_USES}", record.uses)?;
                }
                None => f.write_str("  no record")?,
            }
            if one.current {
                f.write_str("  current")?;
            }
            if self.receiving_key == Some(one.generation) {
                f.write_str("  seals the receiving key")?;
            }
            if let (true, Some(why)) = (one.current, one.exhausted) {
                write!(f, "  rotate: {why}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
