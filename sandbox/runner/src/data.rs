use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sekisho_dataset::{DatasetError, FileCheck, GrantedKeys, Kind, OpenTable, Rule, SealedVersion};
use sekisho_engine::{Batches, Source, SourceColumn, SourceError};
use sekisho_module::ColumnKind;
use sekisho_vault::VerifyingIdentity;

/// Rows of one batch: enough that crossing into a guest costs little per row, few enough that
/// what was just decoded is still in the processor's cache when it is copied.
const BATCH_ROWS: usize = 8_192;

/// Sealed data set versions as the engine reads them: the granted tables and columns only. All
/// are split by the same bits of the same tokens, so a patient's rows meet without a shuffle.
pub(crate) struct SealedSource {
    buckets: u32,
    tables: BTreeMap<String, OpenTable>,
}

impl SealedSource {
    /// Verifies each version's signature and opens what its keys open.
    ///
    /// # Errors
    /// [`DatasetError::Unjoinable`] when persons or tables of two versions cannot meet.
    pub(crate) fn open(
        folders: &[PathBuf],
        signer: &VerifyingIdentity,
        keys: &[GrantedKeys],
    ) -> Result<Self, DatasetError> {
        let versions = folders.iter().map(|folder| SealedVersion::open(folder, signer));
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        let buckets = sekisho_dataset::common_buckets(&versions)?;
        let mut tables = BTreeMap::new();
        for (version, keys) in versions.iter().zip(keys) {
            for name in keys.columns().into_keys() {
                // Size alone: every byte read is authenticated by AES-GCM under its column's key.
                let table = version.open_table(keys, name, FileCheck::Size)?;
                if tables.insert(name.to_owned(), table).is_some() {
                    return Err(DatasetError::Unjoinable("two tables have one name"));
                }
            }
        }
        Ok(Self { buckets, tables })
    }

    fn table(&self, name: &str) -> Result<&OpenTable, SourceError> {
        self.tables.get(name).ok_or_else(|| SourceError::NotGranted(format!("table {name}")))
    }
}

impl Source for SealedSource {
    fn buckets(&self) -> u32 {
        self.buckets
    }

    fn columns(&self, table: &str) -> Option<Vec<SourceColumn>> {
        let columns = self.tables.get(table)?.columns().iter();
        let columns = columns.filter_map(|column| {
            let (name, kind) = (column.name.clone(), column_kind(column.kind)?);
            let token = matches!(column.rule, Rule::Token { .. });
            Some(SourceColumn { name, kind, token })
        });
        Some(columns.collect())
    }

    fn rows(&self, table: &str) -> Result<u64, SourceError> {
        Ok(self.table(table)?.rows())
    }

    fn dictionary(&self, table: &str, column: &str) -> Result<Vec<String>, SourceError> {
        self.table(table)?.dictionary(column).map_err(|error| unreadable(&error))
    }

    fn scan(&self, table: &str, bucket: u32, columns: &[String]) -> Result<Batches, SourceError> {
        let table = self.table(table)?;
        let file = table.files().iter().find(|file| file.bucket == bucket);
        let file = file.ok_or_else(|| SourceError::NotGranted(format!("bucket {bucket}")))?;
        let wanted = wanted(table, columns)?;
        let names: Vec<_> = wanted.fields().iter().map(|field| field.name().as_str()).collect();
        let batches = file.batches(&names, BATCH_ROWS).map_err(|error| unreadable(&error))?;
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch.map_err(|error| unreadable(&error))?;
            arrange(&batch, &wanted)
        })))
    }
}

/// The patient column and then the asked ones, as a schema in that order.
fn wanted(table: &OpenTable, columns: &[String]) -> Result<Arc<Schema>, SourceError> {
    let names = std::iter::once(table.patient_column()).chain(columns.iter().map(String::as_str));
    let fields = names.map(|name| {
        let field = table.schema().field_with_name(name);
        field
            .cloned()
            .map_err(|_| SourceError::NotGranted(format!("column {}.{name}", table.name())))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// Parquet gives columns in the file's order; the engine wants its own.
fn arrange(batch: &RecordBatch, wanted: &Arc<Schema>) -> Result<RecordBatch, SourceError> {
    let columns = wanted.fields().iter();
    let columns = columns.filter_map(|field| batch.column_by_name(field.name()).cloned());
    RecordBatch::try_new(Arc::clone(wanted), columns.collect()).map_err(|error| unreadable(&error))
}

fn column_kind(kind: Kind) -> Option<ColumnKind> {
    match kind {
        Kind::Patient => None,
        Kind::Code => Some(ColumnKind::Code),
        Kind::Int => Some(ColumnKind::Int),
        Kind::Float => Some(ColumnKind::Float),
        Kind::Date => Some(ColumnKind::Date),
    }
}

/// Errors of data set, Parquet and files name places, never values.
fn unreadable(error: &dyn std::error::Error) -> SourceError {
    SourceError::Unreadable(error.to_string())
}
