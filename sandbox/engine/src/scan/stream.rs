use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, DictionaryArray};
use arrow::compute::{TakeOptions, take};
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
/// declared columns as they are or as they are looked up, under names no SQL can spell, then
/// the columns the row filter names under their own names.
#[derive(Clone)]
pub(super) struct Layout {
    table: String,
    /// Names to read.
    read: Vec<String>,
    /// Each column after the token: its position in the batch read (token at 0), and how it is
    /// made of that. Declared columns first.
    columns: Vec<(usize, How)>,
    declared: usize,
    schema: SchemaRef,
}

/// How a column is made of one that is read.
#[derive(Clone)]
enum How {
    AsIs,
    /// Ids of codes as the texts of their dictionary.
    Text(ArrayRef),
    /// Ids of codes as what is looked up by them.
    LookedUp(ArrayRef),
}

impl Layout {
    pub(super) fn new(
        data: &dyn Source,
        view: &TableView,
        filter: Option<&Expr>,
        dictionaries: &mut Dictionaries,
    ) -> Result<Self, Failed> {
        let mut fields = vec![Field::new(TOKEN, DataType::UInt64, false)];
        let (mut read, mut columns) = (Vec::new(), Vec::new());
        for column in &view.columns {
            fields.push(Field::new(format!("${}", columns.len()), stored(column.kind), true));
            let how = column.looked_up.clone().map_or(How::AsIs, How::LookedUp);
            columns.push((place(&mut read, &column.name), how));
        }
        let named = filter.map(Expr::column_refs).unwrap_or_default();
        for column in view.granted.iter().filter(|c| named.iter().any(|n| n.name == c.name)) {
            fields.push(Field::new(&column.name, data_type(column.kind), true));
            let how = match column.kind {
                ColumnKind::Code => {
                    How::Text(dictionaries.array(data, &view.name, &column.name)?)
                }
                _ => How::AsIs,
            };
            columns.push((place(&mut read, &column.name), how));
        }
        let schema = Arc::new(Schema::new(fields));
        let (table, declared) = (view.name.clone(), view.columns.len());
        Ok(Self { table, read, columns, declared, schema })
    }

    /// Of the declared columns only these; those the row filter names stay.
    pub(super) fn only(&self, wanted: &[usize]) -> Self {
        let token = self.schema.fields().first().cloned();
        let (mut fields, mut read, mut columns) = (Vec::from_iter(token), Vec::new(), Vec::new());
        for at in wanted.iter().copied().chain(self.declared..self.columns.len()) {
            let name = |(place, _): &(usize, How)| self.read.get(place.checked_sub(1)?);
            let Some(column) = self.columns.get(at) else { continue };
            let (Some(name), Some(field)) = (name(column), self.schema.fields().get(at + 1)) else {
                continue;
            };
            columns.push((place(&mut read, name), column.1.clone()));
            fields.push(Arc::clone(field));
        }
        let (table, schema) = (self.table.clone(), Arc::new(Schema::new(fields)));
        Self { table, read, columns, declared: wanted.len(), schema }
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
        let column = |at: usize| {
            batch.columns().get(at).ok_or_else(|| {
                DataFusionError::Internal("the source gave fewer columns than asked".to_owned())
            })
        };
        let mut columns = vec![Arc::clone(column(0)?)];
        for (at, how) in &self.columns {
            columns.push(how.made(column(*at)?)?);
        }
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

/// Position of a column in the batch read, where it is read once however often it is used.
fn place(read: &mut Vec<String>, name: &str) -> usize {
    let at = read.iter().position(|known| known == name).unwrap_or_else(|| {
        read.push(name.to_owned());
        read.len() - 1
    });
    at + 1
}

impl How {
    fn made(&self, column: &ArrayRef) -> Result<ArrayRef, DataFusionError> {
        let ids = || {
            column
                .as_primitive_opt::<UInt32Type>()
                .ok_or_else(|| DataFusionError::Internal("codes must be stored as u32".to_owned()))
        };
        Ok(match self {
            Self::AsIs => Arc::clone(column),
            Self::Text(codes) => {
                Arc::new(DictionaryArray::try_new(ids()?.clone(), Arc::clone(codes))?)
            }
            // A missing code finds nothing; an id outside the dictionary is an error.
            Self::LookedUp(values) => {
                take(values, ids()?, Some(TakeOptions { check_bounds: true }))?
            }
        })
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
