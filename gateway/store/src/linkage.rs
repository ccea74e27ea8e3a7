//! The linkage matrix as it stands now: dates that stewards set (LK-3), and which joined runs
//! it keeps apart (LK-1).

use sekisho_access::{
    Guarded, Permit, Visible,
    action::SetLinkageDate,
    linkage::{LinkageDates, LinkageMatrix, LinkedPart},
};
use sekisho_audit::EventKind;
use sekisho_domain::{Agreement, Dataset, Module, Run, Timestamp};
use sqlx::{AnyConnection, Row};

use crate::{
    Store, StoreError, body,
    log::record,
    projects::{dataset_version, load_project},
};

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
        dates(&mut *self.pool.acquire().await?).await
    }

    /// Pairs of datasets that a run over `tables` would join and the matrix keeps apart at
    /// `at`, in words; empty when it may run.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unlinkable<'a>(
        &self,
        agreement: &Agreement,
        tables: impl Iterator<Item = &'a str>,
        at: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        unlinkable(&mut connection, &self.linkage, agreement, tables.collect(), at).await
    }
}

/// Whether the matrix keeps apart what a run joins, which it did not when the run was asked
/// for: a date may have been taken back or moved on.
pub(crate) async fn is_closed_to(
    connection: &mut AnyConnection,
    matrix: &LinkageMatrix,
    run: &Run,
    at: Timestamp,
) -> Result<bool, StoreError> {
    const MODULE: &str = "SELECT body FROM module WHERE id = $1";
    if run.joined.is_empty() {
        return Ok(false);
    }
    let project = load_project(connection, run.project_id).await?;
    let module: Module =
        body::one(connection, "module", MODULE, &run.module_id.to_string()).await?;
    let tables = module.inputs.iter().map(|(table, _)| table.as_str()).collect();
    Ok(!unlinkable(connection, matrix, &project.agreement, tables, at).await?.is_empty())
}

async fn unlinkable(
    connection: &mut AnyConnection,
    matrix: &LinkageMatrix,
    agreement: &Agreement,
    tables: Vec<&str>,
    at: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut parts = Vec::new();
    for (dataset_id, version, granted) in agreement.datasets() {
        if granted.iter().any(|granted| tables.contains(&granted.table.as_str())) {
            let Dataset { database, holds, .. } =
                dataset_version(connection, dataset_id, version).await?;
            parts.push(LinkedPart { database, holds });
        }
    }
    if parts.len() < 2 {
        return Ok(Vec::new());
    }
    Ok(matrix.closed(&parts, &dates(connection).await?, at))
}

async fn dates(connection: &mut AnyConnection) -> Result<LinkageDates, StoreError> {
    let rows = sqlx::query("SELECT rule, opens_at FROM linkage_date").fetch_all(connection);
    let date = |row: sqlx::any::AnyRow| {
        Ok((row.try_get("rule")?, Timestamp::from_millis(row.try_get("opens_at")?)))
    };
    rows.await?.into_iter().map(date).collect()
}
