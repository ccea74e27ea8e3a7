//! Alerts, and the cut of access that a rule may bring with it.

use sekisho_access::{Guarded, Permit, Visible, action::WatchAlerts};
use sekisho_audit::{Actor, Event, EventKind, SessionEnd};
use sekisho_domain::{Alert, Page, PageRequest};
use sqlx::AnyConnection;

use crate::{
    Store, StoreError, body,
    projects::page,
    sessions::{end_sessions, ended},
};

impl Store {
    /// Records an alert; when its rule cuts access, the person's sessions end in the
    /// same transaction (LG-3). The gateway does this by itself, as the log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn raise_alert(&self, alert: Alert) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    insert(tx, &alert).await?;
                    let mut kinds = vec![raised(&alert)];
                    if let (true, Some(person_id)) = (alert.access_cut, alert.person_id) {
                        let sessions = end_sessions(tx, person_id, alert.raised_at).await?;
                        kinds.extend(sessions.into_iter().map(|session_id| {
                            ended(session_id, SessionEnd::Alert, alert.rule.clone())
                        }));
                    }
                    let event = |kind| Event {
                        at: alert.raised_at,
                        request_id: None,
                        actor: Actor::System {},
                        kind,
                    };
                    Ok(((), kinds.into_iter().map(event).collect()))
                })
            })
            .await?;
        Ok(())
    }

    /// Past alerts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn alerts(
        &self,
        permit: Permit<WatchAlerts>,
        request: &PageRequest,
    ) -> Result<Visible<Page<Alert>>, StoreError> {
        let rows = sqlx::query("SELECT body FROM alert WHERE id < $1 ORDER BY id DESC LIMIT $2")
            .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
            .bind(i64::from(request.size) + 1)
            .fetch_all(&self.pool)
            .await?;
        let key = |alert: &Alert| alert.alert_id.to_string();
        Ok(permit.reveal(Guarded::new(page(body::decode_all(&rows)?, request, key))))
    }
}

pub(crate) async fn insert(tx: &mut AnyConnection, alert: &Alert) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO alert (id, body) VALUES ($1, $2)")
        .bind(alert.alert_id.to_string())
        .bind(body::encode(alert)?)
        .execute(tx)
        .await?;
    Ok(())
}

pub(crate) fn raised(alert: &Alert) -> EventKind {
    EventKind::AlertRaised {
        alert_id: alert.alert_id,
        rule: alert.rule.clone(),
        entry_index: alert.entry_index,
        person_id: alert.person_id,
        session_id: alert.session_id,
        worker_id: alert.worker_id,
        peer: alert.peer,
        summary: alert.summary.clone(),
        access_cut: alert.access_cut,
    }
}
