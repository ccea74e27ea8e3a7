//! The imports of the cohort world.

mod numbers;
mod query;

use std::sync::mpsc::Sender;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use sekisho_module::ColumnKind;
use wasmtime::component::{Resource, ResourceTable};

use super::emit::Emitted;
use crate::bindings::cohort::sekisho::analysis::{data, outputs, parameters};
use crate::bindings::types::{self, Column, ColumnData, Parameter};
use crate::columns::ColumnBuffer;
use crate::failure::Failed;
use crate::query::Queries;
use crate::run::{Made, Prepared};
use crate::sandbox::Bounds;
use crate::scan::{Block, ReadAhead, Run, Scan};
use crate::view::TableView;
#[cfg(test)]
pub(crate) use numbers::Numbers;
pub(crate) use numbers::Seen;
#[allow(unreachable_pub, reason = "the generated bindings name it in public signatures")]
pub use query::Query;

/// Times a run may open tables.
const MOST_OPENINGS: u32 = 64;
/// Rows of one batch, however many the guest asks for.
const MOST_ROWS: u32 = 65_536;

/// Everything the guest's imports may touch.
pub(crate) struct Host {
    pub(super) bounds: Bounds,
    pub(super) run: Prepared,
    pub(super) scans: Vec<Scan>,
    pub(super) resources: ResourceTable,
    pub(super) opened: u32,
    pub(super) queries: Queries,
    pub(super) seen: Seen,
    pub(super) emitted: Emitted,
    pub(super) progress: Sender<u32>,
    /// Why an import ended the run.
    pub(super) failed: Option<Failed>,
}

/// A pass over one table.
#[allow(unreachable_pub, reason = "the generated bindings name it in public signatures")]
pub struct Reader {
    table: usize,
    /// From the first batch that is asked for.
    rows: Option<ReadAhead>,
    block: Option<Block>,
}

impl Host {
    pub(super) fn finish(self) -> Result<Vec<Made>, Failed> {
        self.emitted.finish(self.seen.patients(), self.seen.rows())
    }

    /// Ends the run: the guest sees a trap, the host remembers why.
    fn end<T>(&mut self, result: Result<T, Failed>) -> wasmtime::Result<T> {
        result.map_err(|failed| {
            let trap = wasmtime::Error::msg(failed.code);
            self.failed = Some(failed);
            trap
        })
    }

    fn open(&mut self, table: u32) -> Result<Reader, Failed> {
        self.opened += 1;
        if self.opened > MOST_OPENINGS {
            return Err(Failed::limit("openings", format!("more than {MOST_OPENINGS} readers")));
        }
        let table = table as usize;
        if table >= self.scans.len() {
            return Err(Failed::contract(
                "unknown_table",
                format!("table {table} is not declared"),
            ));
        }
        Ok(Reader { table, rows: None, block: None })
    }

    fn read(&mut self, reader: &mut Reader, most: u32) -> Result<Option<data::Batch>, Failed> {
        if Instant::now() >= self.run.deadline {
            return Err(Failed::limit("wall_time", "the deadline passed"));
        }
        let (Some(view), Some(scan)) =
            (self.run.views.get(reader.table), self.scans.get(reader.table))
        else {
            return Err(Failed::contract("unknown_table", "the table is not declared"));
        };
        let Some(block) = reader.block(scan)? else { return Ok(None) };
        let runs = block.take(most.clamp(1, MOST_ROWS) as usize);
        let made = make(view, block.parts(), &runs, &self.seen)?;
        if let Some(tenths) = self.run.progress() {
            // The receiver lives as long as the guest's thread.
            let _ = self.progress.send(tenths);
        }
        Ok(Some(made))
    }

    fn codes(&mut self, table: u32, column: u32) -> Result<Vec<String>, Failed> {
        let declared = self.run.manifest.tables.get(table as usize);
        let found = declared.and_then(|t| Some((t, t.columns.get(column as usize)?)));
        let Some((table, column)) = found.filter(|(_, c)| c.kind == ColumnKind::Code) else {
            let message = format!("column {column} of table {table} is no declared code column");
            return Err(Failed::contract("unknown_dictionary", message));
        };
        let (table, column) = (table.name.clone(), column.name.clone());
        self.run.dictionary(&table, &column).map(|codes| codes.to_vec())
    }
}

impl Reader {
    /// The block that has the next row; none at the end of the table.
    fn block(&mut self, scan: &Scan) -> Result<Option<&mut Block>, Failed> {
        if self.block.as_ref().is_none_or(Block::is_empty) {
            let rows = match &mut self.rows {
                Some(rows) => rows,
                none => none.insert(ReadAhead::over(scan)?),
            };
            self.block = rows.next()?;
        }
        Ok(self.block.as_mut())
    }
}

/// Copies runs of rows into the lists that cross, numbering the patients on the way.
fn make(
    view: &TableView,
    parts: &[RecordBatch],
    runs: &[Run],
    seen: &Seen,
) -> Result<data::Batch, Failed> {
    let rows = runs.iter().map(|run| run.rows).sum();
    let mut columns = Vec::with_capacity(view.columns.len() + 1);
    for (at, column) in (1..).zip(&view.columns) {
        let mut buffer = ColumnBuffer::new(column.kind, rows);
        for run in runs {
            // The token stands first.
            let array = parts.get(run.part).and_then(|part| part.columns().get(at));
            let array =
                array.ok_or_else(|| Failed::environment("data_type", "a column is missing"))?;
            buffer.append(column, array, run.from, run.rows)?;
        }
        columns.push(buffer.finish());
    }
    let numbers = seen.number(runs)?;
    if let Some(at) = view.patient_at {
        let column = Column { data: ColumnData::Patients(numbers), validity: Vec::new() };
        columns.insert(at.min(columns.len()), column);
    }
    // At most 65,536 rows.
    Ok(data::Batch { rows: u32::try_from(rows).unwrap_or(u32::MAX), columns })
}

impl types::Host for Host {}

impl parameters::Host for Host {
    fn values(&mut self) -> wasmtime::Result<Vec<Parameter>> {
        Ok(self.run.guest_parameters())
    }
}

impl data::Host for Host {
    fn dictionary(&mut self, table: u32, column: u32) -> wasmtime::Result<Vec<String>> {
        let codes = self.codes(table, column);
        self.end(codes)
    }
}

impl data::HostReader for Host {
    fn new(&mut self, table: u32) -> wasmtime::Result<Resource<Reader>> {
        let opened = self.open(table);
        let reader = self.end(opened)?;
        Ok(self.resources.push(reader)?)
    }

    fn next_batch(
        &mut self,
        reader: Resource<Reader>,
        max_rows: u32,
    ) -> wasmtime::Result<Option<data::Batch>> {
        // Taken out and put back: reading needs the rest of the host as well.
        let mut taken = Reader { table: 0, rows: None, block: None };
        std::mem::swap(self.resources.get_mut(&reader)?, &mut taken);
        let batch = self.read(&mut taken, max_rows);
        std::mem::swap(self.resources.get_mut(&reader)?, &mut taken);
        self.end(batch)
    }

    fn drop(&mut self, reader: Resource<Reader>) -> wasmtime::Result<()> {
        self.resources.delete(reader)?;
        Ok(())
    }
}

impl outputs::Host for Host {
    fn emit_table(&mut self, output: u32, rows: Vec<Vec<outputs::Cell>>) -> wasmtime::Result<()> {
        let emitted = self.emitted.table(&mut self.run, output, rows);
        self.end(emitted)
    }

    fn emit_histogram(
        &mut self,
        output: u32,
        series: Vec<outputs::Series>,
    ) -> wasmtime::Result<()> {
        let emitted = self.emitted.histogram(&mut self.run, output, series);
        self.end(emitted)
    }

    fn emit_survival(&mut self, output: u32, groups: Vec<outputs::Curve>) -> wasmtime::Result<()> {
        let emitted = self.emitted.survival(&mut self.run, output, groups);
        self.end(emitted)
    }

    fn emit_coefficients(&mut self, output: u32, fit: outputs::Fit) -> wasmtime::Result<()> {
        let emitted = self.emitted.coefficients(&self.run, output, fit);
        self.end(emitted)
    }

    fn emit_text(&mut self, output: u32, text: String) -> wasmtime::Result<()> {
        let emitted = self.emitted.text(&self.run, output, text);
        self.end(emitted)
    }
}
