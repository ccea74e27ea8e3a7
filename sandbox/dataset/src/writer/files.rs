use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sekisho_vault::{Zeroizing, seal};

use super::columns::{SortedTable, TableColumns};
use super::folder::SealingFolder;
use super::{FreshKeys, manifest_columns};
use crate::layout::{self, Place};
use crate::{DatasetError, DictionaryEntry, ManifestTable, TableFile, TableSpec};

/// Rows of a row group: what a reader must hold decoded at once.
const ROW_GROUP_ROWS: usize = 131_072;

/// Seals one table under its fresh keys.
pub(super) struct TableSeal<'a> {
    pub(super) place: &'a Place,
    pub(super) spec: &'a TableSpec,
    pub(super) keys: &'a FreshKeys,
}

impl TableSeal<'_> {
    pub(super) fn write(
        &self,
        columns: TableColumns,
        buckets: u32,
        folder: &SealingFolder,
        step: &mut dyn FnMut(),
    ) -> Result<ManifestTable, DatasetError> {
        let sorted = columns.sort(buckets);
        let mut files = Vec::new();
        for bucket in 0..buckets {
            files.push(self.bucket(&sorted, bucket, folder)?);
            step();
        }
        let mut dictionaries = Vec::new();
        for (column, texts) in &sorted.dictionaries {
            dictionaries.push(self.dictionary(column, texts, folder)?);
        }
        Ok(ManifestTable {
            name: self.spec.name.clone(),
            rows: sorted.rows,
            patients: sorted.patients,
            columns: manifest_columns(self.spec),
            files,
            dictionaries,
        })
    }

    fn bucket(
        &self,
        sorted: &SortedTable,
        bucket: u32,
        folder: &SealingFolder,
    ) -> Result<TableFile, DatasetError> {
        let path = layout::bucket_file(&self.spec.name, bucket);
        let failed = |source| DatasetError::Parquet { file: path.clone(), source };
        let batch = sorted.bucket(bucket)?;
        let properties = self.properties(bucket).map_err(failed)?;
        let file = folder.new_file(&path)?;
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&sorted.schema), Some(properties))
            .map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        let file = writer.into_inner().map_err(failed)?.close()?;
        Ok(TableFile { bucket, rows: batch.num_rows() as u64, file })
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
            .with_aad_prefix(self.place.file_aad(&self.spec.name, bucket))
            .with_aad_prefix_storage(false);
        for column in &self.spec.columns {
            // A column without a key would be written in plaintext.
            let key = self.keys.columns.get(&column.name).ok_or_else(|| {
                ParquetError::General(format!("column {} has no key", column.name))
            })?;
            builder = builder.with_column_key(&column.name, key.danger_bytes().into());
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
        Ok(DictionaryEntry { column: column.to_owned(), file: folder.write(&path, &sealed)? })
    }
}
