use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringBuilder, UInt64Array};

use super::Stream;
use super::draw::{Drawn, Row, draw};
use super::processed::Processed;
use crate::{ColumnSpec, Kind, TableSpec};

/// The columns of a dummy table while its rows are drawn.
pub(super) struct DummyColumns<'p> {
    tokens: Vec<u64>,
    columns: Vec<DummyColumn<'p>>,
}

struct DummyColumn<'p> {
    spec: &'p ColumnSpec,
    processed: Processed<'p>,
    numbers: Vec<Option<f64>>,
    codes: StringBuilder,
}

impl<'p> DummyColumns<'p> {
    pub(super) fn new(table: &'p TableSpec) -> Self {
        let specs = table.columns.iter().filter(|column| column.kind != Kind::Patient);
        let column = |spec| DummyColumn {
            spec,
            processed: Processed::new(spec),
            numbers: Vec::new(),
            codes: StringBuilder::new(),
        };
        Self { tokens: Vec::new(), columns: specs.map(column).collect() }
    }

    pub(super) fn draw_row(&mut self, token: u64, stream: &mut Stream) {
        self.tokens.push(token);
        let mut row: Row<'p> = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let drawn = draw(column.spec, &row, stream);
            column.push(drawn);
            row.push((&column.spec.name, drawn));
        }
    }

    pub(super) fn into_arrays(self) -> Vec<ArrayRef> {
        let tokens: ArrayRef = Arc::new(UInt64Array::from(self.tokens));
        let columns = self.columns.into_iter().map(DummyColumn::into_array);
        std::iter::once(tokens).chain(columns).collect()
    }
}

impl DummyColumn<'_> {
    fn push(&mut self, drawn: Drawn<'_>) {
        match self.spec.kind {
            Kind::Code => self.codes.append_option(self.processed.code(drawn).as_deref()),
            _ => self.numbers.push(self.processed.number(drawn)),
        }
    }

    fn into_array(mut self) -> ArrayRef {
        let numbers = self.numbers.into_iter();
        match self.spec.kind {
            Kind::Code => Arc::new(self.codes.finish()),
            Kind::Float => Arc::new(numbers.collect::<Float64Array>()),
            Kind::Date => {
                Arc::new(numbers.map(|day| day.map(|day| day as i32)).collect::<Date32Array>())
            }
            Kind::Int | Kind::Patient => {
                Arc::new(numbers.map(|int| int.map(|int| int as i64)).collect::<Int64Array>())
            }
        }
    }
}
