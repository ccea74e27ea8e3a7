//! The root keys of the gateway's vault, which wrap the projects' keys.

use sekisho_access::{
    Caller, Visible,
    action::{ListVaultKeys, RotateVaultKey},
    resource::Site,
};
use sekisho_store::keys::RootKey;

use crate::{App, AppError, step_up::StepUpAnswer};

impl App {
    /// Every generation, oldest first, and how many projects' keys each wraps.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn vault_keys(&self, caller: &Caller) -> Result<Visible<Vec<RootKey>>, AppError> {
        let permit = self.authorizer.authorize::<ListVaultKeys>(caller, Site).await?;
        Ok(self.store.vault_keys(permit).await?)
    }

    /// Makes a new root key and wraps the projects' keys under it, with a fresh assertion.
    ///
    /// # Errors
    /// [`AppError`]; after any, everything still opens and it can be tried again.
    pub async fn rotate_vault_key(
        &self,
        caller: &Caller,
        answer: StepUpAnswer,
    ) -> Result<Visible<Vec<RootKey>>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let permit = self.authorizer.authorize_fresh::<RotateVaultKey>(caller, Site, fresh).await?;
        Ok(self.store.rotate_vault_key(permit).await?)
    }
}
