//! Dates of the linkage matrix that stewards set (LK-3).

use sekisho_access::{Guarded, Permit, Visible, action::SetLinkageDate, linkage::LinkageDates};
use sekisho_audit::EventKind;
use sekisho_domain::Timestamp;
use sqlx::Row;

use crate::{Store, StoreError, log::record};

impl Store {
    /// Sets the date of a rule; `None` closes it again. Gives `state` back, to be seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_linkage_date<T>(
        &self,
        permit: Permit<SetLinkageDate>,
        rule: String,
        opens_at: Option<Timestamp>,
        state: T,
    ) -> Result<Visible<T>, StoreError> {
        let event = record(&permit, EventKind::LinkageDateSet { rule: rule.clone(), opens_at });
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM linkage_date WHERE rule = $1")
                        .bind(&rule)
                        .execute(&mut *tx)
                        .await?;
                    if let Some(opens_at) = opens_at {
                        sqlx::query("INSERT INTO linkage_date (rule, opens_at) VALUES ($1, $2)")
                            .bind(&rule)
                            .bind(opens_at.millis())
                            .execute(&mut *tx)
                            .await?;
                    }
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(state)))
    }

    /// Every date that is set. Public, like the matrix.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn linkage_dates(&self) -> Result<LinkageDates, StoreError> {
        let rows = sqlx::query("SELECT rule, opens_at FROM linkage_date").fetch_all(&self.pool);
        let date = |row: sqlx::any::AnyRow| {
            Ok((row.try_get("rule")?, Timestamp::from_millis(row.try_get("opens_at")?)))
        };
        rows.await?.into_iter().map(date).collect()
    }
}
