//! Memory of queries: what they hold and the linear memory of their guest share one limit.
//! Nothing spills.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;

/// What a run may hold, and who holds how much of it.
#[derive(Debug)]
pub(crate) struct Memory {
    most: usize,
    guest: AtomicUsize,
    queries: AtomicUsize,
}

impl Memory {
    pub(crate) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most, guest: AtomicUsize::new(0), queries: AtomicUsize::new(0) })
    }

    /// Lets the guest's linear memory grow to `bytes` in all, or does not.
    pub(crate) fn grow_guest(&self, bytes: usize) -> bool {
        let granted = bytes.saturating_add(self.queries.load(Ordering::SeqCst)) <= self.most;
        if granted {
            self.guest.store(bytes, Ordering::SeqCst);
        }
        granted
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl MemoryPool for Memory {
    fn name(&self) -> &'static str {
        "run"
    }

    fn grow(&self, _: &MemoryReservation, bytes: usize) {
        self.queries.fetch_add(bytes, Ordering::SeqCst);
    }

    fn shrink(&self, _: &MemoryReservation, bytes: usize) {
        self.queries.fetch_sub(bytes, Ordering::SeqCst);
    }

    fn try_grow(&self, _: &MemoryReservation, bytes: usize) -> Result<()> {
        // While a query is asked its guest waits, so nothing grows in between.
        let left = self.most.saturating_sub(self.guest.load(Ordering::SeqCst));
        let grow = |held: usize| held.checked_add(bytes).filter(|held| *held <= left);
        let grown = self.queries.fetch_update(Ordering::SeqCst, Ordering::SeqCst, grow);
        grown.map(|_| ()).map_err(|held| {
            let message = format!("{bytes} bytes beside {held}, of {left}");
            DataFusionError::ResourcesExhausted(message)
        })
    }

    fn reserved(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.most)
    }
}

/// Counts what windows hold, which they do not count themselves.
pub(super) fn count_windows(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let counted = plan.transform_up(|step| {
        let any: &dyn std::any::Any = &*step;
        if !any.is::<WindowAggExec>() && !any.is::<BoundedWindowAggExec>() {
            return Ok(Transformed::no(step));
        }
        let inputs = step.children().into_iter().map(|input| Held::over(Arc::clone(input)));
        let inputs = inputs.collect();
        #[expect(deprecated, reason = "its successor takes this detour as well")]
        step.with_new_children(inputs).map(Transformed::yes)
    });
    counted.map(|counted| counted.data)
}

/// Rows that are held by whoever takes them, until the last is taken back.
#[derive(Debug)]
struct Held(Arc<dyn ExecutionPlan>);

impl Held {
    fn over(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self(input))
    }
}

impl DisplayAs for Held {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl ExecutionPlan for Held {
    fn name(&self) -> &'static str {
        "Held"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Self::over(input)),
            Err(_) => internal_err!("one input is held"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let held = MemoryConsumer::new("window").register(context.memory_pool());
        let rows = self.0.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            held.try_grow(batch.get_array_memory_size())?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
