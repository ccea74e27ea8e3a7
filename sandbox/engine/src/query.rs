//! SQL over the view, for guests of the cohort world.
//!
//! Start at [`Queries::ask`]; then `text.rs`, `plan.rs` and `functions.rs` (what a query may
//! be), `table.rs` (what it sees), `asked.rs` (how it runs), `sums.rs` (sums that do not hang on
//! the order of rows) and `answer.rs` (what crosses). docs/queries.md is its other side.

mod answer;
mod asked;
mod failure;
mod functions;
mod memory;
mod plan;
mod sums;
mod table;
mod text;

use std::sync::Arc;

use arrow::array::StringArray;
use datafusion::common::{ScalarValue, TableReference};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionContext;
use sekisho_module::ColumnKind;

use crate::cohort::Seen;
use crate::failure::Failed;
use crate::run::Prepared;
use crate::scan::Scan;
pub(crate) use answer::AnswerColumn;
pub(crate) use asked::Asked;
use asked::Question;
pub(crate) use memory::Memory;
use table::{Codes, Declared, Table};

/// Queries of one run.
const MOST_QUERIES: u32 = 256;
/// Queries that are open at a time.
const MOST_OPEN: usize = 4;
/// Rows of a result that is put in order, and so held.
const MOST_ROWS: usize = 10_000_000;

/// Bounds of one query, beside those of its text, of the run's time and of its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    rows: usize,
}

/// The queries of one run.
pub(crate) struct Queries {
    memory: Arc<Memory>,
    asked: u32,
    /// One for each that is open, and this.
    open: Arc<()>,
    bounds: Bounds,
    /// From the first query on.
    tables: Option<(SessionContext, Vec<String>)>,
}

/// Says that a query is open, as long as it is kept.
pub(crate) struct Open(#[allow(dead_code, reason = "it is counted")] Arc<()>);

impl Queries {
    /// What they hold counts in `memory`.
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        let bounds = Bounds { rows: MOST_ROWS };
        Self { memory, asked: 0, open: Arc::default(), bounds, tables: None }
    }

    /// Asks a query of the view.
    pub(crate) fn ask(
        &mut self,
        run: &mut Prepared,
        (scans, seen): (&[Scan], &Seen),
        (sql, values): (String, Vec<ScalarValue>),
        meanwhile: &mut dyn FnMut(),
    ) -> Result<(Asked, Vec<AnswerColumn>, Open), Failed> {
        self.asked += 1;
        if self.asked > MOST_QUERIES {
            return Err(Failed::limit("queries", format!("more than {MOST_QUERIES} queries")));
        }
        if Arc::strong_count(&self.open) > MOST_OPEN {
            let message = format!("more than {MOST_OPEN} queries at a time");
            return Err(Failed::limit("queries_open", message));
        }
        let open = Open(Arc::clone(&self.open));
        let long = |value: &ScalarValue| matches!(value, ScalarValue::Utf8(Some(text)) if text.len() > text::MOST_TEXT);
        if values.iter().any(long) {
            return Err(Failed::limit("query_size", "a text is too long"));
        }
        let (context, tables) = match &mut self.tables {
            Some(tables) => tables,
            none => none.insert(tables(run, scans, seen, &self.memory)?),
        };
        let (context, tables) = (context.clone(), tables.clone());
        let bounds = self.bounds;
        let question = Question { context, tables, sql, values, bounds };
        let (asked, shapes) = Asked::of(question, run.deadline, meanwhile)?;
        let columns = shapes.into_iter().map(|shape| {
            let declared = match &shape.origin {
                Some((table, column)) => Some(run.dictionary(table, column)?),
                None => None,
            };
            Ok(AnswerColumn::new(shape, declared))
        });
        Ok((asked, columns.collect::<Result<_, Failed>>()?, open))
    }
}

/// A session with the declared tables.
fn tables(
    run: &mut Prepared,
    scans: &[Scan],
    seen: &Seen,
    memory: &Arc<Memory>,
) -> Result<(SessionContext, Vec<String>), Failed> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .with_memory_pool(Arc::clone(memory) as Arc<_>)
        .build_arc()
        .map_err(failure::running)?;
    let context = functions::session(runtime);
    let mut names = Vec::new();
    for (at, scan) in scans.iter().enumerate() {
        let table = table(run, at, scan, seen)?;
        let name = table.name.clone();
        context
            .register_table(TableReference::bare(name.as_str()), Arc::new(table))
            .map_err(failure::planning)?;
        names.push(name);
    }
    Ok((context, names))
}

fn table(run: &mut Prepared, at: usize, scan: &Scan, seen: &Seen) -> Result<Table, Failed> {
    let unknown = || Failed::contract("unknown_table", "the table is not declared");
    let manifest = Arc::clone(&run.manifest);
    let input = manifest.tables.get(at).ok_or_else(unknown)?;
    let (rows, view) = {
        let view = run.views.get(at).ok_or_else(unknown)?;
        (view.rows, view.columns.clone())
    };
    let mut view = view.into_iter();
    let mut declared = Vec::new();
    for column in &input.columns {
        let positions = match column.kind {
            ColumnKind::Patient => Vec::new(),
            _ => view.next().map(|column| column.positions).unwrap_or_default(),
        };
        let codes = match column.kind {
            ColumnKind::Code => {
                let texts = run.dictionary(&input.name, &column.name)?;
                let texts = Arc::new(StringArray::from_iter_values(texts.iter()));
                Some(Codes { positions: Arc::new(positions), texts })
            }
            _ => None,
        };
        declared.push(Declared { name: column.name.clone(), kind: column.kind, codes });
    }
    let (name, seen) = (input.name.clone(), seen.clone());
    Ok(Table::new(name, declared, scan.clone(), rows, seen, run.deadline))
}
