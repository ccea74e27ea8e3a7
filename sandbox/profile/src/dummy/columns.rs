use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringBuilder, UInt64Array};

use super::Stream;
use crate::{ColumnSpec, Draw, Kind, TableSpec};

/// The columns of a dummy table while its rows are drawn.
pub(super) struct DummyColumns<'p> {
    tokens: Vec<u64>,
    columns: Vec<DummyColumn<'p>>,
}

struct DummyColumn<'p> {
    spec: &'p ColumnSpec,
    numbers: Vec<Option<f64>>,
    codes: StringBuilder,
}

/// One drawn value; borrowed from the profile.
#[derive(Clone, Copy)]
enum Drawn<'p> {
    Missing,
    Number(f64),
    Code(&'p str),
}

impl<'p> DummyColumns<'p> {
    pub(super) fn new(table: &'p TableSpec) -> Self {
        let specs = table.columns.iter().filter(|column| column.kind != Kind::Patient);
        let column = |spec| DummyColumn { spec, numbers: Vec::new(), codes: StringBuilder::new() };
        Self { tokens: Vec::new(), columns: specs.map(column).collect() }
    }

    pub(super) fn draw_row(&mut self, token: u64, stream: &mut Stream) {
        self.tokens.push(token);
        let mut row: Vec<(&str, Drawn<'p>)> = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let drawn = match &column.spec.dummy {
                Some(spec) if !stream.chance(spec.missing) => draw(&spec.draw, &row, stream),
                _ => Drawn::Missing,
            };
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
        match (self.spec.kind, drawn) {
            (Kind::Code, Drawn::Code(code)) => self.codes.append_value(code),
            (Kind::Code, _) => self.codes.append_null(),
            (_, Drawn::Number(number)) => self.numbers.push(Some(number)),
            (_, _) => self.numbers.push(None),
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

fn draw<'p>(draw_by: &'p Draw, row: &[(&str, Drawn<'p>)], stream: &mut Stream) -> Drawn<'p> {
    match draw_by {
        Draw::Uniform { low, high, decimals } => {
            // Whole steps of the last decimal, so that both ends are as likely as the rest.
            let scale = 10_f64.powi(*decimals as i32);
            let (low, high) = ((low * scale).ceil(), (high * scale).floor());
            let steps = (high - low).max(0.0) as u64;
            Drawn::Number((low + stream.between(0, steps) as f64) / scale)
        }
        Draw::Normal { mean, sd, low, high, decimals } => {
            let scale = 10_f64.powi(*decimals as i32);
            let value = (mean + sd * stream.normal()).clamp(*low, *high);
            Drawn::Number((value * scale).round() / scale)
        }
        Draw::Weights(weights) => stream
            .weighted(weights.iter().map(|(_, weight)| *weight))
            .and_then(|index| weights.get(index))
            .map_or(Drawn::Missing, |(code, _)| Drawn::Code(code)),
        Draw::PerCode { of, cases, otherwise } => {
            let code = row.iter().find(|(name, _)| name == of).map(|(_, drawn)| *drawn);
            let case = match code {
                Some(Drawn::Code(code)) => cases.get(code).or(otherwise.as_deref()),
                _ => otherwise.as_deref(),
            };
            case.map_or(Drawn::Missing, |case| draw(case, row, stream))
        }
    }
}
