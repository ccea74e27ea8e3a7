use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::errors::ParquetError;
use sekisho_vault::{Key, open};

use super::{FileCheck, SealedVersion, check_entry, check_file, footer, read_up_to, sealed};
use crate::grant::TableKeys;
use crate::layout::{self, Place};
use crate::{ColumnSpec, DatasetError, DictionaryEntry, GrantedKeys, TableSpec, sealed_schema};

/// Rows of a batch handed on.
const BATCH_ROWS: usize = 65_536;

/// A granted table: what a query engine needs to read it.
///
/// The keys inside [`FileDecryptionProperties`] are plain vectors that parquet-rs does not
/// wipe; keep this in the runner, whose memory dies with the run.
#[derive(Debug)]
pub struct OpenTable {
    name: String,
    spec: TableSpec,
    schema: SchemaRef,
    files: Vec<OpenFile>,
    folder: PathBuf,
    place: Place,
    columns: BTreeMap<String, Key>,
    dictionaries: Vec<DictionaryEntry>,
}

/// One bucket's Parquet file of an open table.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// Bucket, counted from 0.
    pub bucket: u32,
    /// Path on disk.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows in it; may be 0.
    pub rows: u64,
    /// What parquet-rs needs to decrypt the granted columns of this file, and of no other.
    pub decryption: Arc<FileDecryptionProperties>,
}

impl OpenFile {
    /// Reads these columns batch by batch, in the file's order of columns.
    ///
    /// # Errors
    /// [`DatasetError`] when the file cannot be opened under its keys.
    pub fn batches(
        &self,
        columns: &[&str],
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, DatasetError> {
        let opened = File::open(&self.path).map_err(DatasetError::io(&self.path, "opening"))?;
        let failed = |source| {
            let file = self.path.display().to_string();
            DatasetError::Parquet { file, source }
        };
        let footer = Arc::new(footer::read(&opened, &self.decryption).map_err(failed)?);
        let metadata = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new());
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata.map_err(failed)?);
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder.with_projection(mask).with_batch_size(batch_rows).build().map_err(failed)
    }
}

impl OpenTable {
    pub(super) fn open(
        version: &SealedVersion,
        keys: &GrantedKeys,
        table: &str,
        check: FileCheck,
    ) -> Result<Self, DatasetError> {
        let not_granted = || DatasetError::NotGranted(format!("table {table}"));
        if keys.place != version.place {
            return Err(not_granted());
        }
        let granted = keys.tables.get(table).ok_or_else(not_granted)?;
        let unknown = || DatasetError::Unknown(format!("table {table}"));
        let listed = version.manifest().table(table).ok_or_else(unknown)?;
        let spec = granted_spec(version.profile().table(table).ok_or_else(unknown)?, granted);
        let mut files = Vec::new();
        for file in &listed.files {
            let path = layout::bucket_file(table, file.bucket);
            check_file(&version.folder, &path, &file.file, check)?;
            let aad = version.place.file_aad(table, file.bucket);
            files.push(OpenFile {
                bucket: file.bucket,
                path: version.folder.join(&path),
                bytes: file.file.bytes,
                rows: file.rows,
                decryption: decryption(granted, aad)
                    .map_err(|source| DatasetError::Parquet { file: path, source })?,
            });
        }
        Ok(Self {
            name: table.to_owned(),
            schema: sealed_schema(&spec),
            spec,
            files,
            folder: version.folder.clone(),
            place: version.place.clone(),
            columns: granted.columns.clone(),
            dictionaries: listed.dictionaries.clone(),
        })
    }

    /// Name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Arrow schema of the granted columns, the patient column first.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The granted columns with kinds, units and declared codes, the patient column first.
    #[must_use]
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.spec.columns
    }

    /// Name of the patient column.
    #[must_use]
    pub fn patient_column(&self) -> &str {
        self.spec.patient_column()
    }

    /// One file per bucket, in order; sorted by patient token within and across files.
    #[must_use]
    pub fn files(&self) -> &[OpenFile] {
        &self.files
    }

    /// Rows in all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The file at a path, compared whole: what a decryption factory looks up.
    #[must_use]
    pub fn file_at(&self, path: &Path) -> Option<&OpenFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Texts of a granted code column by id: sorted, distinct.
    pub fn dictionary(&self, column: &str) -> Result<Vec<String>, DatasetError> {
        let what = format!("column {}.{column}", self.name);
        let key = self.columns.get(column);
        let key = key.ok_or_else(|| DatasetError::NotGranted(what.clone()))?;
        let entry = self.dictionaries.iter().find(|entry| entry.column == column);
        let entry = entry.ok_or_else(|| DatasetError::Unknown(format!("dictionary of {what}")))?;
        let path = layout::dictionary_file(&self.name, column);
        // The size is signed, and the writer seals none that is larger.
        let most = entry.file.bytes.min(layout::MAX_DICTIONARY_BYTES);
        let bytes = read_up_to(&self.folder, &path, most)?;
        check_entry(&path, &entry.file, &bytes)?;
        let context = self.place.dictionary(&self.name, column);
        let plain = open(key, &context, &bytes).map_err(sealed(&path))?;
        serde_json::from_slice(&plain)
            .map_err(|_| DatasetError::tampered(&path, "not a dictionary"))
    }
}

/// Reads columns of an open table file by file, batch by batch, in the order of the buckets:
/// memory does not grow with rows. Columns come in the order asked for.
///
/// # Errors
/// [`DatasetError::NotGranted`] at once for a column that is not; while reading, the error of
/// the file it is in.
pub fn read_batches<'a>(
    table: &'a OpenTable,
    columns: &'a [&'a str],
) -> Result<impl Iterator<Item = Result<RecordBatch, DatasetError>> + use<'a>, DatasetError> {
    let mut wanted = Vec::new();
    for column in columns {
        let what = || DatasetError::NotGranted(format!("column {}.{column}", table.name));
        let (_, field) = table.schema.column_with_name(column).ok_or_else(what)?;
        wanted.push(field.clone());
    }
    let wanted = Arc::new(Schema::new(wanted));
    Ok(table.files.iter().flat_map(move |file| {
        let (batches, failed) = match file.batches(columns, BATCH_ROWS) {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        let wanted = Arc::clone(&wanted);
        let ordered = move |batch: Result<RecordBatch, ArrowError>| {
            let batch = batch.map_err(|error| DatasetError::Parquet {
                file: layout::bucket_file(&table.name, file.bucket),
                source: ParquetError::ArrowError(error.to_string()),
            })?;
            let arrays = columns.iter().filter_map(|name| batch.column_by_name(name).cloned());
            Ok(RecordBatch::try_new(Arc::clone(&wanted), arrays.collect())?)
        };
        failed.into_iter().chain(batches.into_iter().flatten().map(ordered))
    }))
}

/// Reads whole columns of an open table into memory, as [`read_batches`] gives them: for tests
/// and small tables.
pub fn read_table(table: &OpenTable, columns: &[&str]) -> Result<Vec<RecordBatch>, DatasetError> {
    read_batches(table, columns)?.collect()
}

fn granted_spec(spec: &TableSpec, granted: &TableKeys) -> TableSpec {
    let mut spec = spec.clone();
    spec.columns.retain(|column| granted.columns.contains_key(&column.name));
    spec
}

fn decryption(
    keys: &TableKeys,
    aad: Vec<u8>,
) -> Result<Arc<FileDecryptionProperties>, ParquetError> {
    let mut builder =
        FileDecryptionProperties::builder(keys.footer.danger_bytes().into()).with_aad_prefix(aad);
    for (column, key) in &keys.columns {
        builder = builder.with_column_key(column, key.danger_bytes().into());
    }
    builder.build()
}
