//! A person's own session, and the cut of somebody else's.

use sekisho_access::{
    ActiveSession, Caller, Guarded, Visible,
    action::{Logout, ReadOwnSession, RevokeSession},
    resource::Site,
};
use sekisho_domain::SessionId;

use crate::{App, AppError, session_of};

impl App {
    /// Who the caller is and until when.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] for workers.
    pub async fn who_am_i(&self, caller: &Caller) -> Result<Visible<ActiveSession>, AppError> {
        let session = session_of(caller)?.clone();
        let permit = self.authorizer.authorize::<ReadOwnSession>(caller, Site).await?;
        Ok(permit.reveal(Guarded::new(session)))
    }

    /// Ends the caller's session.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn logout(&self, caller: &Caller) -> Result<(), AppError> {
        let session_id = session_of(caller)?.record().session_id;
        let permit = self.authorizer.authorize::<Logout>(caller, Site).await?;
        Ok(self.store.logout(permit, session_id).await?)
    }

    /// Cuts somebody's session at once.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is no such session.
    pub async fn revoke_session(
        &self,
        caller: &Caller,
        session_id: SessionId,
        reason: String,
    ) -> Result<(), AppError> {
        let permit = self.authorizer.authorize::<RevokeSession>(caller, Site).await?;
        Ok(self.store.revoke_session(permit, session_id, reason).await?)
    }
}
