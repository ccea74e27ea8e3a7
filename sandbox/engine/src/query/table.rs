//! The declared tables as a guest's SQL sees them: the view of a reader, with its row filter
//! and its columns looked up, in the project's order, patients as numbers and codes as texts.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, DictionaryArray, UInt32Array};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use sekisho_module::ColumnKind;

use super::failure::Ended;
use crate::cohort::Seen;
use crate::failure::Failed;
use crate::scan::{BLOCK_ROWS, Block, ReadAhead, Scan};

/// Rows that are given at a time.
const BATCH_ROWS: usize = 8_192;

/// The type of a number for a patient. No other column has it unless it is cast.
pub(super) const PATIENT: DataType = DataType::UInt32;

/// A declared table.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) schema: SchemaRef,
    /// In the order of the schema.
    columns: Vec<How>,
    scan: Scan,
    rows: u64,
    seen: Seen,
    deadline: Instant,
}

/// How a column is made of those of a scan.
#[derive(Clone)]
enum How {
    Patient,
    /// By position among the scanned columns.
    AsIs(usize),
    Code(usize, Codes),
}

/// The texts of a column of codes.
#[derive(Clone)]
pub(super) struct Codes {
    /// Position of each stored id among the texts; empty when they are the same.
    pub(super) positions: Arc<Vec<u32>>,
    pub(super) texts: ArrayRef,
}

/// A column as it is declared.
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// Of a column of codes.
    pub(super) codes: Option<Codes>,
}

impl Table {
    pub(super) fn new(
        name: String,
        declared: Vec<Declared>,
        scan: Scan,
        rows: u64,
        seen: Seen,
        deadline: Instant,
    ) -> Self {
        let (mut fields, mut columns, mut scanned) = (Vec::new(), Vec::new(), 0);
        for Declared { name, kind, codes } in declared {
            let patient = kind == ColumnKind::Patient;
            fields.push(Field::new(name, data_type(kind), !patient));
            columns.push(match codes {
                _ if patient => How::Patient,
                Some(codes) => How::Code(scanned, codes),
                None => How::AsIs(scanned),
            });
            scanned += usize::from(!patient);
        }
        let schema = Arc::new(Schema::new(fields));
        Self { name, schema, columns, scan, rows, seen, deadline }
    }

    /// Of its columns only these, which alone are read.
    fn only(&self, columns: &[usize]) -> Result<Self> {
        let schema = Arc::new(self.schema.project(columns)?);
        let (mut scanned, mut made) = (Vec::new(), Vec::new());
        let mut place = |at: usize| {
            scanned.push(at);
            scanned.len() - 1
        };
        for how in columns.iter().filter_map(|at| self.columns.get(*at)) {
            made.push(match how {
                How::Patient => How::Patient,
                How::AsIs(at) => How::AsIs(place(*at)),
                How::Code(at, codes) => How::Code(place(*at), codes.clone()),
            });
        }
        let scan = self.scan.only(&scanned).map_err(Ended::error)?;
        Ok(Self { schema, columns: made, scan, ..self.clone() })
    }

    /// The next rows of a pass.
    fn next(&self, pass: &mut Pass) -> Result<Option<RecordBatch>> {
        if Instant::now() >= self.deadline {
            let failed = Failed::limit("wall_time", "the deadline passed");
            return Err(Ended::error(failed));
        }
        let Some(block) = pass.block().map_err(Ended::error)? else { return Ok(None) };
        let runs = block.take(BATCH_ROWS);
        let places =
            runs.iter().flat_map(|run| (run.from..run.from + run.rows).map(|row| (run.part, row)));
        let parts: Vec<_> = block.parts().iter().collect();
        let batch = interleave_record_batch(&parts, &places.collect::<Vec<_>>())?;
        // Who is read counts, whatever a query makes of it.
        let numbers = self.seen.number(&runs).map_err(Ended::error)?;
        let patients: ArrayRef = Arc::new(UInt32Array::from(numbers));
        let columns = self.columns.iter().map(|how| how.made(&patients, &batch));
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = columns.collect::<Result<_>>()?;
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?))
    }

    /// What a pass holds: a block of rows that are given, one that waits and one that is made.
    fn held_bytes(&self) -> usize {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX).min(BLOCK_ROWS);
        3 * rows * 8 * (self.columns.len() + 1)
    }
}

/// The rows of a pass that are not taken yet.
struct Pass {
    rows: ReadAhead,
    block: Option<Block>,
}

impl Pass {
    /// The block that has the next row; none at the end.
    fn block(&mut self) -> Result<Option<&mut Block>, Failed> {
        if self.block.as_ref().is_none_or(Block::is_empty) {
            self.block = self.rows.next()?;
        }
        Ok(self.block.as_mut())
    }
}

impl How {
    fn made(&self, patients: &ArrayRef, batch: &RecordBatch) -> Result<ArrayRef> {
        // The token stands first.
        let stored = |at: &usize| {
            let fewer = || DataFusionError::Internal("a scan gives fewer columns".to_owned());
            batch.columns().get(at + 1).ok_or_else(fewer)
        };
        match self {
            Self::Patient => Ok(Arc::clone(patients)),
            Self::AsIs(at) => stored(at).cloned(),
            Self::Code(at, Codes { positions, texts }) => {
                let ids = stored(at)?.as_primitive_opt::<UInt32Type>();
                let wrong = || DataFusionError::Internal("codes must be stored as u32".to_owned());
                let ids = ids.ok_or_else(wrong)?;
                let place = |id: u32| positions.get(id as usize).copied().unwrap_or(u32::MAX);
                let ids = if positions.is_empty() { ids.clone() } else { ids.unary(place) };
                Ok(Arc::new(DictionaryArray::try_new(ids, Arc::clone(texts))?))
            }
        }
    }
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Patient => PATIENT,
        ColumnKind::Code => {
            DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
        }
        ColumnKind::Int => DataType::Int64,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Date => DataType::Date32,
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.name)
    }
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let table = self.only(projection.unwrap_or(&all))?;
        let (schema, pass) = (Arc::clone(&table.schema), vec![Arc::new(table) as Arc<_>]);
        Ok(Arc::new(StreamingTableExec::try_new(schema, pass, None, None, false, limit)?))
    }
}

impl PartitionStream for Table {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let held = MemoryConsumer::new("scan").register(context.memory_pool());
        let (table, mut pass) = (self.clone(), None);
        let mut next = move || {
            let pass = match &mut pass {
                Some(pass) => pass,
                none => {
                    held.try_grow(table.held_bytes())?;
                    let rows = ReadAhead::over(&table.scan).map_err(Ended::error)?;
                    none.insert(Pass { rows, block: None })
                }
            };
            table.next(pass)
        };
        let batches = std::iter::from_fn(move || next().transpose());
        let batches = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
