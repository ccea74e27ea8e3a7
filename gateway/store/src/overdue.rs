//! Alarms over what is past its day: data sets whose announced next version is late (CT-1),
//! and what the deployment record rests on (CL-2).

use sekisho_audit::{Actor, Event, EventKind};
use sekisho_domain::{Alert, AlertId, Dataset, Timestamp};
use sqlx::AnyConnection;

use crate::{Store, StoreError, alerts, body, log::next_index, writer::Outcome};

/// Stable ids of the rules, in alerts and in the log.
const DATASET_OVERDUE: &str = "dataset_overdue";
const DEPLOYMENT_EXPIRED: &str = "deployment_expired";

const NEWEST: &str = "
    SELECT body FROM dataset
    WHERE NOT EXISTS (SELECT 1 FROM dataset AS newer
                      WHERE newer.dataset_id = dataset.dataset_id
                        AND newer.registered_at > dataset.registered_at)
    ORDER BY dataset_id";

impl Store {
    /// Notes which newest versions are late now and were not before; each is noted once, with
    /// its alert, in one transaction. The gateway does this by itself, as the log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_overdue_datasets(&self, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(NEWEST).fetch_all(&self.pool).await?;
        if !body::decode_all::<Dataset>(&rows)?.iter().any(|dataset| newly_late(dataset, now)) {
            return Ok(Vec::new());
        }
        Ok(self.writer.commit(move |tx| Box::pin(note(tx, now))).await?.value)
    }

    /// Raises the alarm over the deployment record. The gateway does this by itself, as the
    /// log says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_expired_deployment(
        &self,
        summary: String,
        now: Timestamp,
    ) -> Result<Alert, StoreError> {
        let done = self
            .writer
            .commit(move |tx| {
                Box::pin(async move {
                    // No other entry completes the pattern.
                    let alert = alert(DEPLOYMENT_EXPIRED, summary, next_index(tx).await?, now);
                    alerts::insert(tx, &alert).await?;
                    let (actor, kind) = (Actor::System {}, alerts::raised(&alert));
                    Ok((alert, vec![Event { at: now, request_id: None, actor, kind }]))
                })
            })
            .await?;
        Ok(done.value)
    }
}

/// About nobody.
fn alert(rule: &str, summary: String, entry_index: u64, now: Timestamp) -> Alert {
    Alert {
        alert_id: AlertId::new(now),
        rule: rule.to_owned(),
        person_id: None,
        session_id: None,
        worker_id: None,
        peer: None,
        summary,
        entry_index,
        raised_at: now,
        access_cut: false,
    }
}

fn newly_late(dataset: &Dataset, now: Timestamp) -> bool {
    dataset.overdue_since.is_none() && dataset.is_late(now)
}

async fn note(tx: &mut AnyConnection, now: Timestamp) -> Outcome<Vec<Alert>> {
    let rows = sqlx::query(NEWEST).fetch_all(&mut *tx).await?;
    let datasets = body::decode_all::<Dataset>(&rows)?.into_iter();
    let first = next_index(tx).await?;
    let (mut alerts, mut kinds) = (Vec::new(), Vec::new());
    for mut dataset in datasets.filter(|dataset| newly_late(dataset, now)) {
        dataset.overdue_since = Some(now);
        update(tx, &dataset).await?;
        let Dataset { dataset_id, version, next_update, .. } = dataset;
        let summary = format!("{dataset_id} {version} was to be followed by {next_update}");
        let alert = alert(DATASET_OVERDUE, summary, first + kinds.len() as u64, now);
        alerts::insert(tx, &alert).await?;
        kinds.push(EventKind::DatasetOverdue { dataset_id, version, next_update });
        kinds.push(alerts::raised(&alert));
        alerts.push(alert);
    }
    let event = |kind| Event { at: now, request_id: None, actor: Actor::System {}, kind };
    Ok((alerts, kinds.into_iter().map(event).collect()))
}

/// Older versions are late no more once a newer one is there.
pub(crate) async fn settle(tx: &mut AnyConnection, dataset_id: &str) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT body FROM dataset WHERE dataset_id = $1")
        .bind(dataset_id)
        .fetch_all(&mut *tx)
        .await?;
    let late = |dataset: &Dataset| dataset.overdue_since.is_some();
    for mut dataset in body::decode_all::<Dataset>(&rows)?.into_iter().filter(late) {
        dataset.overdue_since = None;
        update(tx, &dataset).await?;
    }
    Ok(())
}

async fn update(tx: &mut AnyConnection, dataset: &Dataset) -> Result<(), StoreError> {
    sqlx::query("UPDATE dataset SET body = $1 WHERE dataset_id = $2 AND version = $3")
        .bind(body::encode(dataset)?)
        .bind(&dataset.dataset_id)
        .bind(&dataset.version)
        .execute(tx)
        .await?;
    Ok(())
}
