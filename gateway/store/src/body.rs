//! Bodies: domain types as JSON in one column.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{AnyConnection, Row, any::AnyRow};

use crate::StoreError;

pub(crate) fn encode<T: Serialize>(body: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(body)?)
}

pub(crate) fn decode<T: DeserializeOwned>(row: &AnyRow) -> Result<T, StoreError> {
    Ok(serde_json::from_str(row.try_get("body")?)?)
}

pub(crate) fn decode_all<T: DeserializeOwned>(rows: &[AnyRow]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(decode).collect()
}

/// Those that can be read; the others hold up nobody, and the log of the process names them.
/// The rows have their `id`.
pub(crate) fn decode_readable<T: DeserializeOwned>(
    what: &'static str,
    rows: &[AnyRow],
) -> Result<Vec<T>, StoreError> {
    let mut readable = Vec::with_capacity(rows.len());
    for row in rows {
        match decode(row) {
            Ok(body) => readable.push(body),
            Err(error) => {
                let id: String = row.try_get("id")?;
                tracing::error!(%error, what, id, "a stored body cannot be read");
            }
        }
    }
    Ok(readable)
}

/// Reads one body by a one-parameter query; `what` names the missing row.
pub(crate) async fn one<T: DeserializeOwned>(
    connection: &mut AnyConnection,
    what: &'static str,
    query: &'static str,
    id: &str,
) -> Result<T, StoreError> {
    let row = sqlx::query(query).bind(id).fetch_optional(connection).await?;
    decode(&row.ok_or(StoreError::NotFound(what))?)
}
