use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::record_batch::RecordBatch;

use super::columns::{Dictionary, TableColumns};
use super::merge::Merge;
use super::run::{PART_ROWS, Rows, SealedRun};
use crate::{DatasetError, TableSpec};

/// One table on its way: the rows that wait in memory, and the sorted runs on disk.
#[derive(Debug)]
pub(super) struct TableRows {
    columns: TableColumns,
    /// Each level's runs hold the rows of so many of the level before; all of a level are
    /// older than those before it.
    levels: Vec<Vec<SealedRun>>,
    rows: u64,
}

impl TableRows {
    pub(super) fn new(spec: &TableSpec) -> Self {
        Self { columns: TableColumns::new(spec), levels: Vec::new(), rows: 0 }
    }

    pub(super) fn name(&self) -> &str {
        self.columns.name()
    }

    /// Rows pushed so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// About how much memory the waiting rows take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.columns.bytes()
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        self.columns.push(batch)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Moves the waiting rows to disk, as a sorted run. `fan_in` runs of a level become one of
    /// the next, so that a table of any size has few of them.
    pub(super) fn spill(
        &mut self,
        buckets: u32,
        fan_in: usize,
        folder: &Path,
    ) -> Result<(), DatasetError> {
        let mut run = SealedRun::write(&self.columns, buckets, folder)?;
        self.columns.clear();
        for level in &mut self.levels {
            level.push(run);
            if level.len() < fan_in {
                return Ok(());
            }
            run = SealedRun::merge(level, buckets, folder)?;
            level.clear();
        }
        self.levels.push(vec![run]);
        Ok(())
    }

    pub(super) fn sort(self, buckets: u32) -> SortedTable {
        let order = self.columns.order();
        let dictionaries = self.columns.dictionaries();
        // The oldest first.
        let runs = self.levels.into_iter().rev().flatten().collect();
        SortedTable { columns: self.columns, runs, order, dictionaries, buckets }
    }
}

/// A table whose rows are all there, with its dictionaries.
pub(super) struct SortedTable {
    columns: TableColumns,
    runs: Vec<SealedRun>,
    order: Vec<usize>,
    pub(super) dictionaries: Vec<Dictionary>,
    buckets: u32,
}

impl SortedTable {
    pub(super) fn schema(&self) -> &arrow::datatypes::SchemaRef {
        self.columns.schema()
    }

    /// The rows of one bucket, by token; codes are still numbered as they were met.
    pub(super) fn bucket(&self, bucket: u32) -> Result<Merge<'_>, DatasetError> {
        let mut runs: Vec<Rows<'_>> = self.runs.iter().map(|run| run.rows(bucket)).collect();
        // What waits in memory was pushed last.
        let waiting = self.columns.bucket(&self.order, bucket, self.buckets).chunks(PART_ROWS);
        runs.push(Box::new(waiting.map(|rows| self.columns.gather(rows))));
        Merge::new(runs)
    }

    /// The rows with each code's place in its dictionary.
    pub(super) fn numbered(&self, batch: &RecordBatch) -> Result<RecordBatch, DatasetError> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, array)| self.places(field.name(), array));
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect())?)
    }

    /// The text of a code by the number it was given when it was met.
    pub(super) fn text(&self, column: &str, id: u32) -> Option<String> {
        let dictionary = self.dictionaries.iter().find(|found| found.column == column)?;
        let place = dictionary.places.get(id as usize)?;
        dictionary.texts.get(*place as usize).cloned()
    }

    fn places(&self, column: &str, array: &ArrayRef) -> ArrayRef {
        let dictionary = self.dictionaries.iter().find(|found| found.column == column);
        match (dictionary, array.as_any().downcast_ref::<UInt32Array>()) {
            (Some(dictionary), Some(ids)) => {
                let place = |id: u32| dictionary.places.get(id as usize).copied();
                // A missing code has number 0, which a dictionary without codes lacks.
                Arc::new(
                    ids.unary::<_, arrow::datatypes::UInt32Type>(|id| {
                        place(id).unwrap_or_default()
                    }),
                )
            }
            _ => Arc::clone(array),
        }
    }
}
