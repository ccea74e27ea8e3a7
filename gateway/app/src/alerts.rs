//! Alerts, for the security watch (LG-3).

use sekisho_access::{Caller, Guarded, Visible, action::WatchAlerts, resource::Site};
use sekisho_domain::{Alert, Page, PageRequest};
use tokio::sync::broadcast;

use crate::{App, AppError};

impl App {
    /// Alerts from now on.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn watch_alerts(
        &self,
        caller: &Caller,
    ) -> Result<Visible<broadcast::Receiver<Alert>>, AppError> {
        let alerts = self.raised.subscribe();
        let permit = self.authorizer.authorize::<WatchAlerts>(caller, Site).await?;
        Ok(permit.reveal(Guarded::new(alerts)))
    }

    /// Past alerts, newest first.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_alerts(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Visible<Page<Alert>>, AppError> {
        let permit = self.authorizer.authorize::<WatchAlerts>(caller, Site).await?;
        Ok(self.store.alerts(permit, &page).await?)
    }
}
