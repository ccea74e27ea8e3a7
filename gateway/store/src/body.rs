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
