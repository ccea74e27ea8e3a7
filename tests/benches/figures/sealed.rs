//! A sealed version of synthetic visits, made as ingest makes one, and the same rows in
//! plain Parquet.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use sekisho_dataset::{
    FileCheck, Grant, GrantedKeys, Profile, Provenance, SealOptions, SealedVersion, SealedWriter,
    read_table, source_schema,
};
use sekisho_vault::{MemoryVault, SigningIdentity, VerifyingIdentity};
use tempfile::TempDir;

use crate::native::BATCH_ROWS;
use crate::report::seconds;
use crate::scale::{self, COLUMNS, Rows, TABLE};

/// Patients of one batch pushed into the writer.
const STEP: u64 = 5_000;

/// A version and what opens it.
pub(crate) struct Sealed {
    dir: TempDir,
    folder: PathBuf,
    keys: GrantedKeys,
    signer: VerifyingIdentity,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Patients in it; somebody without a row is in no table.
    pub(crate) patients: u64,
    /// Seconds it took to sort, encrypt and write what had been pushed.
    pub(crate) seconds: f64,
    /// Bytes of its Parquet files.
    pub(crate) bytes: u64,
}

impl Sealed {
    /// Seals the visits of so many patients.
    pub(crate) fn make(patients: u64, rows: Rows) -> anyhow::Result<Self> {
        Self::of(scale::PROFILE, &COLUMNS, patients, |schema, part| {
            scale::visits(schema, part, rows)
        })
    }

    /// Seals the wide visits of so many patients.
    pub(crate) fn wide(patients: u64) -> anyhow::Result<Self> {
        let columns = scale::wide_columns();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        Self::of(&scale::wide_profile(), &columns, patients, scale::wide_visits)
    }

    fn of(
        profile: &str,
        columns: &[&str],
        patients: u64,
        visits: impl Fn(SchemaRef, Range<u64>) -> anyhow::Result<RecordBatch>,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("sekisho-figures-").tempdir()?;
        let profile = Profile::parse(profile)?;
        let schema = source_schema(profile.table(TABLE).context("the table")?);
        let mut writer = SealedWriter::create(dir.path(), &profile, &SealOptions::default())?;
        for start in (0..patients).step_by(STEP as usize) {
            let part = start..patients.min(start + STEP);
            writer.push(TABLE, &visits(schema.clone(), part)?)?;
        }
        let (vault, identity) = (MemoryVault::new()?, SigningIdentity::generate()?);
        let provenance = Provenance {
            sealed_at: jiff::Timestamp::now().to_string(),
            tool: "figures".to_owned(),
            method: "synthetic".to_owned(),
            ..Provenance::default()
        };
        let (seconds, sealed) =
            seconds(|| Ok(writer.finish(provenance, &vault, &identity, &mut |_, _| {})?))?;
        let version = SealedVersion::open(&sealed.folder, &identity.verifying())?;
        let keys = version.unwrap_granted(&vault, &Grant::of(&[(TABLE, columns)]))?;
        let table = version.manifest().table(TABLE).context("the table")?;
        Ok(Self {
            rows: table.rows,
            patients: table.patients,
            seconds,
            bytes: table.files.iter().map(|file| file.file.bytes).sum(),
            folder: sealed.folder,
            keys,
            signer: identity.verifying(),
            dir,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn keys(&self) -> &GrantedKeys {
        &self.keys
    }

    pub(crate) fn signer(&self) -> &VerifyingIdentity {
        &self.signer
    }

    /// Reads these columns of every row; gives the rows read.
    pub(crate) fn scan(&self, columns: &[&str]) -> anyhow::Result<u64> {
        let version = SealedVersion::open(&self.folder, &self.signer)?;
        let table = version.open_table(&self.keys, TABLE, FileCheck::Size)?;
        let mut rows = 0;
        for file in table.files() {
            for batch in file.batches(columns, BATCH_ROWS)? {
                rows += batch?.num_rows() as u64;
            }
        }
        Ok(rows)
    }

    /// Writes the same rows in the same order into one plain file.
    pub(crate) fn plain(
        &self,
        name: &str,
        properties: WriterProperties,
    ) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        let version = SealedVersion::open(&self.folder, &self.signer)?;
        let table = version.open_table(&self.keys, TABLE, FileCheck::Size)?;
        let columns: Vec<&str> = std::iter::once("patient").chain(COLUMNS).collect();
        let file = File::create(&path)?;
        let schema = table.schema().clone();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
        for batch in read_table(&table, &columns)? {
            writer.write(&batch)?;
        }
        writer.close()?;
        Ok(path)
    }
}
