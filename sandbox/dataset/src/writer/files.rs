use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sekisho_vault::{Zeroizing, seal};

use super::facts::Facts;
use super::folder::SealingFolder;
use super::quick::Quick;
use super::sorted::{SortedTable, TableRows};
use super::uniqueness::Uniqueness;
use super::{FreshKeys, manifest_columns, tokens};
use crate::layout::{self, Place};
use crate::{DatasetError, DictionaryEntry, ManifestTable, TableFile, TableSpec};

/// Rows of a row group: what a reader must hold decoded at once.
const ROW_GROUP_ROWS: usize = 131_072;

/// Seals one table under its fresh keys.
pub(super) struct TableSeal<'a> {
    pub(super) place: &'a Place,
    pub(super) spec: &'a TableSpec,
    pub(super) keys: &'a FreshKeys,
    pub(super) min_cell: u32,
    /// Largest sealed dictionary, in bytes.
    pub(super) most_codes: u64,
}

impl TableSeal<'_> {
    /// Writes the table's files; gives its entry in the manifest and its patients' tokens,
    /// each once, in order.
    pub(super) fn write(
        &self,
        table: TableRows,
        buckets: u32,
        folder: &SealingFolder,
        step: &mut dyn FnMut(),
    ) -> Result<(ManifestTable, Vec<u64>), DatasetError> {
        let rows = table.rows();
        let sorted = table.sort(buckets);
        let (mut files, mut passed) = (Vec::new(), Passed::new(self.spec));
        for bucket in 0..buckets {
            files.push(self.bucket(&sorted, bucket, folder, &mut passed)?);
            step();
        }
        let mut dictionaries = Vec::new();
        for dictionary in &sorted.dictionaries {
            dictionaries.push(self.dictionary(&dictionary.column, &dictionary.texts, folder)?);
        }
        let table = ManifestTable {
            name: self.spec.name.clone(),
            rows,
            patients: passed.patients.len() as u64,
            columns: manifest_columns(self.spec, &passed.facts.missing_percent(self.min_cell)),
            coverage: passed.facts.coverage(self.min_cell),
            quick_counts: passed.quick.map(|quick| quick.finish(&sorted, self.min_cell)),
            uniqueness: passed.uniqueness.map(|counted| counted.finish(self.min_cell)),
            files,
            dictionaries,
        };
        Ok((table, passed.patients))
    }

    fn bucket(
        &self,
        sorted: &SortedTable,
        bucket: u32,
        folder: &SealingFolder,
        passed: &mut Passed,
    ) -> Result<TableFile, DatasetError> {
        let path = layout::bucket_file(&self.spec.name, bucket);
        let failed = |source| DatasetError::Parquet { file: path.clone(), source };
        let properties = self.properties(bucket).map_err(failed)?;
        let file = folder.new_file(&path)?;
        let mut writer = ArrowWriter::try_new(file, Arc::clone(sorted.schema()), Some(properties))
            .map_err(failed)?;
        let (mut merge, mut rows) = (sorted.bucket(bucket)?, 0);
        while let Some(batch) = merge.next()? {
            rows += batch.num_rows() as u64;
            passed.add(&batch);
            writer.write(&sorted.numbered(&batch)?).map_err(failed)?;
        }
        let file = writer.into_inner().map_err(failed)?.close()?;
        Ok(TableFile { bucket, rows, file })
    }

    fn properties(&self, bucket: u32) -> Result<WriterProperties, ParquetError> {
        let sorted_by = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
        Ok(WriterProperties::builder()
            .with_file_encryption_properties(self.encryption(bucket)?)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            // Values rest in data pages and nowhere else; and a reader that lacks some
            // columns' keys meets no index it cannot decrypt.
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_sorting_columns(Some(vec![sorted_by]))
            .set_created_by("sekisho".to_owned())
            .build())
    }

    fn encryption(&self, bucket: u32) -> Result<Arc<FileEncryptionProperties>, ParquetError> {
        let mut builder = FileEncryptionProperties::builder(self.keys.footer.danger_bytes().into())
            .with_footer_key_metadata(layout::key_material(&self.spec.name, None))
            .with_aad_prefix(self.place.file_aad(&self.spec.name, bucket))
            .with_aad_prefix_storage(true);
        for column in &self.spec.columns {
            // A column without a key would be written in plaintext.
            let key = self.keys.columns.get(&column.name).ok_or_else(|| {
                ParquetError::General(format!("column {} has no key", column.name))
            })?;
            let material = layout::key_material(&self.spec.name, Some(&column.name));
            let key = key.danger_bytes().into();
            builder = builder.with_column_key_and_metadata(&column.name, key, material);
        }
        let properties = builder.build()?;
        let covered = properties.column_keys().0.len() == self.spec.columns.len();
        if !covered || !properties.encrypt_footer() {
            return Err(ParquetError::General("not every column has a key".to_owned()));
        }
        Ok(properties)
    }

    fn dictionary(
        &self,
        column: &str,
        texts: &[String],
        folder: &SealingFolder,
    ) -> Result<DictionaryEntry, DatasetError> {
        let path = layout::dictionary_file(&self.spec.name, column);
        let unknown = || DatasetError::Unknown(format!("column {column}"));
        let key = self.keys.columns.get(column).ok_or_else(unknown)?;
        let plain = Zeroizing::new(serde_json::to_vec(texts).map_err(|_| unknown())?);
        let sealed = seal(key, &self.place.dictionary(&self.spec.name, column), &plain)?;
        if sealed.len() as u64 > self.most_codes {
            return Err(DatasetError::TooManyCodes {
                table: self.spec.name.clone(),
                column: column.to_owned(),
                bytes: sealed.len() as u64,
                most: self.most_codes,
            });
        }
        Ok(DictionaryEntry { column: column.to_owned(), file: folder.write(&path, &sealed)? })
    }
}

/// What is noted of the rows that pass, sorted by token.
struct Passed {
    /// Each patient's token once.
    patients: Vec<u64>,
    facts: Facts,
    quick: Option<Quick>,
    uniqueness: Option<Uniqueness>,
}

impl Passed {
    fn new(spec: &TableSpec) -> Self {
        Self {
            patients: Vec::new(),
            facts: Facts::new(spec),
            quick: Quick::of(spec),
            uniqueness: Uniqueness::of(spec),
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.facts.add(batch);
        if let Some(quick) = &mut self.quick {
            quick.add(batch);
        }
        if let Some(uniqueness) = &mut self.uniqueness {
            uniqueness.add(batch);
        }
        for token in tokens(batch).map(|tokens| tokens.values().as_ref()).unwrap_or_default() {
            if self.patients.last() != Some(token) {
                self.patients.push(*token);
            }
        }
    }
}
