//! Reads the view through DataFusion: projection, and the row filter of the agreement as a
//! SQL predicate over that table's granted columns, nothing else.
//!
//! Every bucket is one partition, so that rows keep the order of their patient tokens. Nothing
//! in these plans spills, and the disk manager is off.

mod ahead;
mod filter;
mod held;
mod order;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use futures::executor::block_on;
use sekisho_vault::Key;

use crate::Source;
use crate::failure::Failed;
use crate::view::{Dictionaries, TableView};
pub(crate) use ahead::ReadAhead;
pub(crate) use held::HeldCodes;
use order::Order;
pub(crate) use order::{BLOCK_ROWS, Block, Run};
use stream::Layout;

/// Plans scans over one opened dataset version.
pub(crate) struct Scanner {
    context: SessionContext,
    data: Arc<dyn Source>,
    order: Order,
    scanned: Arc<AtomicU64>,
}

impl Scanner {
    pub(crate) fn new(data: Arc<dyn Source>, order_key: &Key) -> Result<Self, Failed> {
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc();
        let config = SessionConfig::new()
            .with_target_partitions(data.buckets() as usize)
            .with_round_robin_repartition(false)
            .with_information_schema(false);
        let context = SessionContext::new_with_config_rt(config, runtime.map_err(query)?);
        Ok(Self { context, data, order: Order::new(order_key), scanned: Arc::default() })
    }

    /// Rows read so far over all scans, before row filters.
    pub(crate) fn scanned(&self) -> u64 {
        self.scanned.load(Ordering::Relaxed)
    }

    /// Plans a pass over one table; the plan may be executed more than once.
    pub(crate) fn plan(
        &self,
        view: &TableView,
        dictionaries: &mut Dictionaries,
    ) -> Result<Scan, Failed> {
        self.plan_counted(view, dictionaries, &self.scanned)
    }

    /// Plans a pass whose rows are counted in `scanned`.
    fn plan_counted(
        &self,
        view: &TableView,
        dictionaries: &mut Dictionaries,
        scanned: &Arc<AtomicU64>,
    ) -> Result<Scan, Failed> {
        let filter = filter::parse(&self.context, view)?;
        let layout = Layout::new(&*self.data, view, filter.as_ref(), dictionaries)?;
        let (data, scanned) = (Arc::clone(&self.data), Arc::clone(scanned));
        let source = Planner { context: self.context.clone(), data, filter, scanned };
        Scan::over(Arc::new(source), layout, self.order.clone())
    }
}

/// What scans of one table are planned with.
struct Planner {
    context: SessionContext,
    data: Arc<dyn Source>,
    filter: Option<Expr>,
    scanned: Arc<AtomicU64>,
}

impl Planner {
    fn plan(&self, layout: &Layout) -> Result<Arc<dyn ExecutionPlan>, Failed> {
        let partitions = stream::partitions(&self.data, layout, &self.scanned);
        let table = StreamingTable::try_new(layout.schema(), partitions).map_err(query)?;
        let mut frame = self.context.read_table(Arc::new(table)).map_err(query)?;
        if let Some(filter) = self.filter.clone() {
            frame = frame.filter(filter).map_err(query)?;
        }
        let wanted = layout.guest_columns().map(|c| Expr::Column(Column::from_name(c)));
        let frame = frame.select(wanted.collect::<Vec<_>>()).map_err(query)?;
        let plan = block_on(frame.create_physical_plan()).map_err(query)?;
        if plan.output_partitioning().partition_count() != self.data.buckets() as usize {
            return Err(Failed::environment("query", "the plan does not keep the buckets"));
        }
        Ok(plan)
    }
}

/// A planned pass over one table. Batches hold the patient token first, then the declared
/// columns.
#[derive(Clone)]
pub(crate) struct Scan {
    planner: Arc<Planner>,
    layout: Layout,
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    order: Order,
    buckets: u32,
}

impl Scan {
    fn over(planner: Arc<Planner>, layout: Layout, order: Order) -> Result<Self, Failed> {
        let (plan, buckets) = (planner.plan(&layout)?, planner.data.buckets());
        let task = planner.context.task_ctx();
        Ok(Self { planner, layout, plan, task, order, buckets })
    }

    /// The same pass over only these of its declared columns; the others are not read.
    pub(crate) fn only(&self, columns: &[usize]) -> Result<Self, Failed> {
        let layout = self.layout.only(columns);
        Self::over(Arc::clone(&self.planner), layout, self.order.clone())
    }

    pub(crate) fn bucket(&self, bucket: u32) -> Result<BucketRows, Failed> {
        let stream = self.plan.execute(bucket as usize, Arc::clone(&self.task));
        Ok(BucketRows(stream.map_err(query)?))
    }
}

/// The rows of one bucket, in the order of their tokens.
pub(crate) struct BucketRows(SendableRecordBatchStream);

impl BucketRows {
    /// The next batch that has rows.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, Failed> {
        while let Some(batch) = block_on(self.0.next()) {
            let batch = batch.map_err(query)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// Texts of DataFusion may quote values: they stay with the developer over dummy data.
#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn query(error: DataFusionError) -> Failed {
    Failed::environment("query", error.to_string())
}
