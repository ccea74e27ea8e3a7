use std::fs;
use std::path::{Path, PathBuf};

use sekisho_vault::{SigningIdentity, VerifyingIdentity};
use serde::{Deserialize, Serialize};

use crate::whole::write_whole;
use crate::{IngestError, Totals};

const FORMAT: &str = "sekisho.intake.v1";

/// What one ingest let in and kept out, signed by the identified zone (OP-1). Counts and
/// keyed digests; no id, no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeReport {
    /// Always `sekisho.intake.v1`.
    pub format: String,
    /// Id of the data set.
    pub dataset: String,
    /// Version, such as `v1`.
    pub version: String,
    /// SHA-256 of the version's signed manifest, in hexadecimal.
    pub manifest_sha256: String,
    /// SHA-256 of the profile, in hexadecimal, and its revision.
    pub profile_sha256: String,
    /// Revision of the profile.
    pub profile_revision: u32,
    /// Id space of the profile; empty in reports of older programs.
    #[serde(default)]
    pub id_space: String,
    /// When it was sealed, RFC 3339 in UTC.
    pub sealed_at: String,
    /// Where the rows of each table went.
    pub tables: Vec<TableTotals>,
    /// The lists of notices and opt-outs, or that the steward said there is none.
    pub lists: Vec<ListNote>,
    /// Days that had to have passed since a notice.
    pub notice_days: u32,
    /// Deletion requests of the id space, in the order they were recorded, and what they kept
    /// out.
    pub deletions: Vec<DeletionNote>,
    /// Persons of the source who stayed out.
    pub excluded_persons: u64,
    /// Persons in the sealed version, read back from it, who should have stayed out: 0.
    pub survivors: u64,
}

/// Where the rows of one table went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTotals {
    /// The table.
    pub table: String,
    /// Its totals.
    pub totals: Totals,
}

/// A list that was joined, or that the steward said there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListNote {
    /// `notice` or `optout`.
    pub kind: String,
    /// Whether there was one. Without notices everybody counted as told, without opt-outs
    /// nobody stayed out.
    pub joined: bool,
    /// Digest that only the identified zone can check, in hexadecimal; empty without a list.
    pub keyed_digest: String,
    /// Entries.
    pub entries: u64,
}

impl ListNote {
    /// The steward's word that there is no such list.
    pub(crate) fn of_none(kind: &str) -> Self {
        let (kind, keyed_digest) = (kind.to_owned(), String::new());
        Self { kind, joined: false, keyed_digest, entries: 0 }
    }
}

/// A deletion request and its effect on this version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionNote {
    /// The steward's reference.
    pub reference: String,
    /// When it was received.
    pub received_on: String,
    /// Rows of the source it kept out.
    pub rows: u64,
}

impl IntakeReport {
    pub(crate) fn format() -> String {
        FORMAT.to_owned()
    }

    /// Where the report of a version in this folder lies.
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.with_extension("intake.json")
    }

    /// Writes the report and its signature beside the version's folder, and flushes both: the
    /// version appears after them.
    pub(crate) fn write(
        &self,
        folder: &Path,
        identity: &SigningIdentity,
    ) -> Result<PathBuf, IngestError> {
        // Our own structs with text keys always serialise; an empty text would not verify.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        let path = Self::path(folder);
        let signature = hex::encode(identity.sign(FORMAT, &json));
        let doing = "writing the report";
        write_whole(&folder.with_extension("intake.sig"), signature.as_bytes(), doing)?;
        write_whole(&path, &json, doing)?;
        Ok(path)
    }
}

/// The reports beside the versions in a data set's folder that this zone signed and that say
/// their id space.
pub(crate) fn reports_in(
    folder: &Path,
    signer: &VerifyingIdentity,
) -> Result<Vec<(PathBuf, IntakeReport)>, IngestError> {
    let failed = |source| io(folder, "looking for reports", source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut reports = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().ends_with(".intake.json");
        if !named || !entry.file_type().map_err(failed)?.is_file() {
            continue;
        }
        // Another zone may publish there too.
        reports.extend(verify_report(&path, signer).ok().map(|report| (path, report)));
    }
    reports.retain(|(_, report)| !report.id_space.is_empty());
    reports.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(reports)
}

/// Reads a report and checks its signature, which lies beside it.
pub fn verify_report(path: &Path, signer: &VerifyingIdentity) -> Result<IntakeReport, IngestError> {
    let read = |path: &Path| fs::read(path).map_err(|source| io(path, "reading", source));
    let json = read(path)?;
    let signature = hex::decode(read(&path.with_extension("sig"))?.trim_ascii());
    let signature = signature.map_err(|_| sekisho_vault::VaultError::BadSignature)?;
    signer.verify(FORMAT, &json, &signature)?;
    serde_json::from_slice(&json).map_err(|_| sekisho_vault::VaultError::BadSignature.into())
}

fn io(path: &Path, doing: &'static str, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing, source }
}
