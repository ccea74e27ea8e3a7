//! Rows of outputs (成果物); their content is a sealed object each.

use sekisho_audit::SealedOutput;
use sekisho_domain::{OutputId, ProjectId, RunId};
use sekisho_vault::Context;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

use crate::{StoreError, body};

/// An output as stored; its content is a sealed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// Identifier.
    pub output_id: OutputId,
    /// Run.
    pub run_id: RunId,
    /// Project.
    pub project_id: ProjectId,
    /// Name declared in the manifest.
    pub name: String,
    /// Kind of output.
    pub kind: String,
    /// Findings of its check.
    pub findings: u32,
    /// Position within the run, from 0.
    pub ordinal: u32,
    /// SHA-256 of the sealed bytes, hexadecimal.
    pub sha256: String,
}

/// Context under which a runner seals an output.
#[must_use]
pub fn output_context(run_id: RunId, ordinal: u32, name: &str) -> Context {
    Context::new("run-output").text(&run_id.to_string()).text(&ordinal.to_string()).text(name)
}

/// As the log names a sealed output.
pub(crate) fn sealed_output(row: &OutputRecord) -> SealedOutput {
    SealedOutput { output_id: row.output_id, sha256: row.sha256.clone() }
}

/// In a folder of its run, so that what a crash left there without a row is found again.
pub(crate) fn output_name(run_id: RunId, output_id: OutputId) -> String {
    format!("{}{output_id}", outputs_folder(run_id))
}

/// Everything a run ever stored as output lies under this.
pub(crate) fn outputs_folder(run_id: RunId) -> String {
    format!("outputs/{run_id}/")
}

pub(crate) async fn insert_output(
    connection: &mut AnyConnection,
    output: &OutputRecord,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO output (id, run_id, ordinal, released, body) VALUES ($1, $2, $3, 0, $4)",
    )
    .bind(output.output_id.to_string())
    .bind(output.run_id.to_string())
    .bind(i64::from(output.ordinal))
    .bind(body::encode(output)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads an output with whether it left.
pub(crate) async fn load_output(
    connection: &mut AnyConnection,
    output_id: OutputId,
) -> Result<(OutputRecord, bool), StoreError> {
    let row = sqlx::query("SELECT body, released FROM output WHERE id = $1")
        .bind(output_id.to_string())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("output"))?;
    Ok((body::decode(&row)?, row.try_get::<i64, _>("released")? != 0))
}
