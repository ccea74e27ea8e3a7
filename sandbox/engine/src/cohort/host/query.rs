//! The guest's SQL: the imports of the resource `query`.

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use sekisho_module::ColumnKind;
use wasmtime::component::Resource;

use super::{Host, MOST_ROWS};
use crate::bindings::cohort::sekisho::analysis::data;
use crate::bindings::types::Parameter;
use crate::failure::Failed;
use crate::query::{AnswerColumn, Asked, Open};

/// A query and what of its rows the guest has not taken yet.
#[allow(unreachable_pub, reason = "the generated bindings name it in public signatures")]
pub struct Query {
    asked: Asked,
    columns: Vec<AnswerColumn>,
    rows: Vec<ArrayRef>,
    at: usize,
    len: usize,
    _open: Open,
}

impl Host {
    fn ask(&mut self, sql: String, values: Vec<Parameter>) -> Result<Query, Failed> {
        let values = values.into_iter().map(value).collect();
        let Self { run, queries, scans, seen, .. } = self;
        let (asked, columns, open) = queries.ask(run, (scans, seen), (sql, values), &mut || ())?;
        Ok(Query { asked, columns, rows: Vec::new(), at: 0, len: 0, _open: open })
    }

    fn answer(
        &mut self,
        query: &Resource<Query>,
        most: u32,
    ) -> Result<Option<data::Batch>, Failed> {
        let Self { run, resources, progress, .. } = self;
        let gone = |_| Failed::contract("unknown_query", "there is no such query");
        let query = resources.get_mut(query).map_err(gone)?;
        let mut tell = || {
            if let Some(tenths) = run.progress() {
                // The receiver lives as long as the guest's thread.
                let _ = progress.send(tenths);
            }
        };
        if query.at == query.len {
            let Some((len, rows)) = query.asked.next(&mut tell)? else { return Ok(None) };
            (query.len, query.rows, query.at) = (len, rows, 0);
            tell();
        }
        query.take(most.clamp(1, MOST_ROWS) as usize).map(Some)
    }
}

impl Query {
    fn take(&mut self, most: usize) -> Result<data::Batch, Failed> {
        let (from, rows) = (self.at, most.min(self.len - self.at));
        self.at += rows;
        let columns = self.columns.iter_mut().zip(&self.rows);
        let columns = columns.map(|(column, values)| column.cross(values, from, rows));
        let columns = columns.collect::<Result<_, Failed>>()?;
        // At most 65,536 rows.
        Ok(data::Batch { rows: u32::try_from(rows).unwrap_or(u32::MAX), columns })
    }

    fn texts(&self, column: u32) -> Result<Vec<String>, Failed> {
        let column = self.columns.get(column as usize);
        let unknown = || Failed::contract("unknown_dictionary", "the query has no such column");
        column.ok_or_else(unknown)?.texts()
    }
}

fn value(parameter: Parameter) -> ScalarValue {
    match parameter {
        Parameter::Number(value) => ScalarValue::Float64(Some(value)),
        Parameter::Integer(value) => ScalarValue::Int64(Some(value)),
        Parameter::Text(value) => ScalarValue::Utf8(Some(value)),
        Parameter::Flag(value) => ScalarValue::Boolean(Some(value)),
    }
}

fn kind(kind: ColumnKind) -> data::Kind {
    match kind {
        ColumnKind::Patient => data::Kind::Patient,
        ColumnKind::Code => data::Kind::Code,
        ColumnKind::Int => data::Kind::Int,
        ColumnKind::Float => data::Kind::Float,
        ColumnKind::Date => data::Kind::Date,
    }
}

impl data::HostQuery for Host {
    fn new(&mut self, sql: String, values: Vec<Parameter>) -> wasmtime::Result<Resource<Query>> {
        let asked = self.ask(sql, values);
        let query = self.end(asked)?;
        Ok(self.resources.push(query)?)
    }

    fn columns(&mut self, query: Resource<Query>) -> wasmtime::Result<Vec<data::Found>> {
        let columns = self.resources.get(&query)?.columns.iter();
        Ok(columns.map(|c| data::Found { name: c.name.clone(), kind: kind(c.kind()) }).collect())
    }

    fn dictionary(&mut self, query: Resource<Query>, column: u32) -> wasmtime::Result<Vec<String>> {
        let texts = self.resources.get(&query)?.texts(column);
        self.end(texts)
    }

    fn next_batch(
        &mut self,
        query: Resource<Query>,
        max_rows: u32,
    ) -> wasmtime::Result<Option<data::Batch>> {
        let batch = self.answer(&query, max_rows);
        self.end(batch)
    }

    fn drop(&mut self, query: Resource<Query>) -> wasmtime::Result<()> {
        self.resources.delete(query)?;
        Ok(())
    }
}
