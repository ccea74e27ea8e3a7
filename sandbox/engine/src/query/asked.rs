//! The thread of one query. It plans and runs, and makes rows only when it is asked for them:
//! its guest waits meanwhile, so that the order in which patients are first seen is always the
//! same. The guest's side ends at the deadline, whatever the thread does; it ends with the
//! process then.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use futures::StreamExt as _;

use super::answer::{self, Shape};
use super::failure::{planning, running};
use super::{Bounds, memory, plan, text};
use crate::failure::Failed;

/// Stack of a query: the planner goes down as deep as an expression nests.
const STACK_BYTES: usize = 32 << 20;
/// How long the guest's side waits before it looks after other things.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is asked.
pub(super) struct Question {
    pub(super) context: SessionContext,
    pub(super) tables: Vec<String>,
    pub(super) sql: String,
    pub(super) values: Vec<ScalarValue>,
    pub(super) bounds: Bounds,
}

/// Columns of some rows; how many rows, for there may be no column.
pub(crate) type Rows = (usize, Vec<ArrayRef>);

/// A query that is planned.
pub(crate) struct Asked {
    more: Sender<()>,
    told: Receiver<Result<Told, Failed>>,
    deadline: Instant,
    ended: bool,
}

enum Told {
    Shapes(Vec<Shape>),
    Rows(Option<Rows>),
}

impl Asked {
    /// Plans a query; `meanwhile` is called now and then.
    pub(super) fn of(
        question: Question,
        deadline: Instant,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<(Self, Vec<Shape>), Failed> {
        let (more, asked) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        thread::Builder::new()
            .name("query".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || answer(question, &asked, &tell))
            .map_err(|e| Failed::environment("thread", e.to_string()))?;
        let asked = Self { more, told, deadline, ended: false };
        match asked.hear(meanwhile)? {
            Told::Shapes(shapes) => Ok((asked, shapes)),
            Told::Rows(_) => Err(Failed::environment("query", "rows came before their columns")),
        }
    }

    /// The next rows; none at the end.
    pub(crate) fn next(&mut self, meanwhile: &mut dyn FnMut()) -> Result<Option<Rows>, Failed> {
        if self.ended {
            return Ok(None);
        }
        // A thread that is gone is noticed by what it does not say.
        let _ = self.more.send(());
        let rows = match self.hear(meanwhile)? {
            Told::Rows(rows) => rows,
            Told::Shapes(_) => None,
        };
        self.ended = rows.is_none();
        Ok(rows)
    }

    fn hear(&self, meanwhile: &mut dyn FnMut()) -> Result<Told, Failed> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left.min(PATIENCE)) {
                Ok(told) => return told,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failed::environment("host_panic", "the query panicked"));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return Err(Failed::limit("wall_time", "the deadline passed"));
                }
                Err(RecvTimeoutError::Timeout) => meanwhile(),
            }
        }
    }
}

/// The life of the thread.
fn answer(question: Question, asked: &Receiver<()>, tell: &Sender<Result<Told, Failed>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(give(question, asked, tell)),
        Err(error) => Err(Failed::environment("thread", error.to_string())),
    };
    if let Err(failed) = ended {
        // Nobody may be listening any more.
        let _ = tell.send(Err(failed));
    }
}

async fn give(
    question: Question,
    asked: &Receiver<()>,
    tell: &Sender<Result<Told, Failed>>,
) -> Result<(), Failed> {
    let bounds = question.bounds;
    let (mut rows, streams) = question.run().await?;
    if tell.send(Ok(Told::Shapes(rows.shapes.clone()))).is_err() {
        return Ok(());
    }
    let mut given = 0;
    while asked.recv().is_ok() {
        let next = rows.next().await?;
        given += next.as_ref().map_or(0, |(rows, _)| *rows);
        if !streams && given > bounds.rows {
            let message = format!("the result has more than {} rows", bounds.rows);
            return Err(Failed::limit("query_rows", message));
        }
        if tell.send(Ok(Told::Rows(next))).is_err() {
            break;
        }
    }
    Ok(())
}

/// A query that runs.
struct Running {
    rows: SendableRecordBatchStream,
    shapes: Vec<Shape>,
}

impl Running {
    async fn next(&mut self) -> Result<Option<Rows>, Failed> {
        while let Some(batch) = self.rows.next().await {
            let batch = batch.map_err(running)?;
            if batch.num_rows() > 0 {
                let columns = answer::as_crossing(&batch, &self.shapes).map_err(running)?;
                return Ok(Some((batch.num_rows(), columns)));
            }
        }
        Ok(None)
    }
}

impl Question {
    /// Plans and starts; says whether rows come as they are read.
    async fn run(self) -> Result<(Running, bool), Failed> {
        let tables = self.tables.iter().map(String::as_str).collect();
        let statement = Statement::Statement(Box::new(text::parse(&self.sql, &tables)?));
        let state = self.context.state();
        let plan = state.statement_to_plan(statement).await.map_err(planning)?;
        plan::check(&plan)?;
        let plan = bind(plan, self.values)?;
        let streams = plan::streams(&plan);
        let plan = plan::in_order(plan, self.bounds.rows.saturating_add(1)).map_err(planning)?;
        let shapes = answer::shapes(&plan)?;
        let plan = state.create_physical_plan(&plan).await.map_err(planning)?;
        let plan = memory::count_windows(plan).map_err(planning)?;
        let rows = execute_stream(plan, self.context.task_ctx()).map_err(running)?;
        Ok((Running { rows, shapes }, streams))
    }
}

/// Puts the values in the places of `$1` and those after it; each must have its place.
fn bind(plan: LogicalPlan, values: Vec<ScalarValue>) -> Result<LogicalPlan, Failed> {
    let named = plan.get_parameter_names().map_err(planning)?;
    let given: std::collections::HashSet<_> =
        (1..=values.len()).map(|at| format!("${at}")).collect();
    if named != given {
        let message = format!("it names {} values and is given {}", named.len(), given.len());
        return Err(Failed::contract("query_parameter", message));
    }
    if values.is_empty() {
        return Ok(plan);
    }
    plan.with_param_values(values).map_err(planning)
}
