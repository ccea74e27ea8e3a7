use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, DictionaryArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use sekisho_module::ColumnKind;

use super::filter::data_type;
use crate::failure::Failed;
use crate::view::{Dictionaries, TableView};
use crate::{Source, SourceError};

const TOKEN: &str = "$patient";

/// How the columns read from the source become the columns DataFusion sees: the token, the
/// declared columns as they are under names no SQL can spell, then the columns the row filter
/// names under their own names.
#[derive(Clone)]
pub(super) struct Layout {
    table: String,
    /// Names to read, declared columns first.
    read: Vec<String>,
    declared: usize,
    /// Position in the batch read (token at 0), and the dictionary for a code column.
    filtered: Vec<(usize, Option<ArrayRef>)>,
    schema: SchemaRef,
}

impl Layout {
    pub(super) fn new(
        data: &dyn Source,
        view: &TableView,
        filter: Option<&Expr>,
        dictionaries: &mut Dictionaries,
    ) -> Result<Self, Failed> {
        let mut fields = vec![Field::new(TOKEN, DataType::UInt64, false)];
        let mut read = Vec::new();
        for column in &view.columns {
            fields.push(Field::new(format!("${}", read.len()), stored(column.kind), true));
            read.push(column.name.clone());
        }
        let mut filtered = Vec::new();
        let named = filter.map(Expr::column_refs).unwrap_or_default();
        for column in view.granted.iter().filter(|c| named.iter().any(|n| n.name == c.name)) {
            fields.push(Field::new(&column.name, data_type(column.kind), true));
            let at = read.iter().position(|name| *name == column.name).unwrap_or_else(|| {
                read.push(column.name.clone());
                read.len() - 1
            });
            let dictionary = match column.kind {
                ColumnKind::Code => Some(dictionaries.array(data, &view.name, &column.name)?),
                _ => None,
            };
            filtered.push((at + 1, dictionary));
        }
        let schema = Arc::new(Schema::new(fields));
        let (table, declared) = (view.name.clone(), view.columns.len());
        Ok(Self { table, read, declared, filtered, schema })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What goes on to the guest's side: the token and the declared columns.
    pub(super) fn guest_columns(&self) -> impl Iterator<Item = String> + '_ {
        self.schema.fields().iter().take(1 + self.declared).map(|f| f.name().clone())
    }

    /// Gives a batch of the source the columns of the schema; a batch of other types fails.
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.truncate(1 + self.declared);
        for (at, dictionary) in &self.filtered {
            let column = batch.columns().get(*at).ok_or_else(|| {
                DataFusionError::Internal("the source gave fewer columns than asked".to_owned())
            })?;
            match dictionary {
                None => columns.push(Arc::clone(column)),
                Some(codes) => {
                    let ids = column.as_primitive_opt::<UInt32Type>().ok_or_else(|| {
                        DataFusionError::Internal("codes must be stored as u32".to_owned())
                    })?;
                    let coded = DictionaryArray::try_new(ids.clone(), Arc::clone(codes))?;
                    columns.push(Arc::new(coded));
                }
            }
        }
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

/// The Arrow type a kind is stored as.
fn stored(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Code => DataType::UInt32,
        other => data_type(other),
    }
}

pub(super) fn partitions(
    data: &Arc<dyn Source>,
    layout: &Layout,
    scanned: &Arc<AtomicU64>,
) -> Vec<Arc<dyn PartitionStream>> {
    let layout = Arc::new(layout.clone());
    (0..data.buckets())
        .map(|bucket| {
            Arc::new(Bucket {
                data: Arc::clone(data),
                layout: Arc::clone(&layout),
                bucket,
                scanned: Arc::clone(scanned),
            }) as Arc<dyn PartitionStream>
        })
        .collect()
}

/// One bucket of one table as a partition.
struct Bucket {
    data: Arc<dyn Source>,
    layout: Arc<Layout>,
    bucket: u32,
    scanned: Arc<AtomicU64>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} of {}", self.bucket, self.layout.table)
    }
}

impl PartitionStream for Bucket {
    fn schema(&self) -> &SchemaRef {
        &self.layout.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = match self.data.scan(&self.layout.table, self.bucket, &self.layout.read) {
            Ok(batches) => batches,
            Err(error) => Box::new(std::iter::once(Err(error))),
        };
        let (layout, scanned) = (Arc::clone(&self.layout), Arc::clone(&self.scanned));
        let arranged = batches.map(move |batch| {
            let batch = batch.map_err(unreadable)?;
            scanned.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            layout.arrange(&batch)
        });
        let schema = self.layout.schema();
        Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(arranged)))
    }
}

fn unreadable(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
