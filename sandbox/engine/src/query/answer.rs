//! The columns of an answer, as they cross to a guest.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result as Planned;
use datafusion::logical_expr::LogicalPlan;
use sekisho_module::ColumnKind;

use super::plan;
use super::table::PATIENT;
use crate::bindings::types;
use crate::columns::ColumnBuffer;
use crate::failure::Failed;
use crate::view::ColumnView;

/// Texts that a column makes of its own.
const MOST_TEXTS: usize = 1_000_000;

/// What a column of an answer is, as planned.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    /// Table and column of the declared column of codes that it is.
    pub(crate) origin: Option<(String, String)>,
}

/// The columns of a plan; each must be of a kind that crosses.
pub(super) fn shapes(plan: &LogicalPlan) -> Result<Vec<Shape>, Failed> {
    let columns = plan.schema().columns();
    let shapes = columns.iter().zip(plan.schema().fields()).map(|(column, field)| {
        let (name, data_type) = (field.name().clone(), field.data_type());
        let kind = kind(data_type).ok_or_else(|| {
            let message = format!("column {name} is {data_type}, which no answer holds");
            Failed::contract("query_kind", message)
        })?;
        let origin = (kind == ColumnKind::Code).then(|| plan::origin(plan, column)).flatten();
        Ok(Shape { name, kind, origin })
    });
    shapes.collect()
}

fn kind(data_type: &DataType) -> Option<ColumnKind> {
    match data_type {
        DataType::Dictionary(_, values) if values.is_string() => Some(ColumnKind::Code),
        text if text.is_string() => Some(ColumnKind::Code),
        patient if *patient == PATIENT => Some(ColumnKind::Patient),
        whole if whole.is_integer() => Some(ColumnKind::Int),
        DataType::Boolean => Some(ColumnKind::Int),
        DataType::Float32 | DataType::Float64 => Some(ColumnKind::Float),
        DataType::Date32 => Some(ColumnKind::Date),
        _ => None,
    }
}

/// Gives rows the types in which they cross.
pub(super) fn as_crossing(batch: &RecordBatch, shapes: &[Shape]) -> Planned<Vec<ArrayRef>> {
    let checked = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch.columns().iter().zip(shapes).map(|(column, shape)| {
        let crossing = match shape.kind {
            ColumnKind::Patient => PATIENT,
            ColumnKind::Code => {
                DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
            }
            ColumnKind::Int => DataType::Int64,
            ColumnKind::Float => DataType::Float64,
            ColumnKind::Date => DataType::Date32,
        };
        Ok(cast_with_options(column, &crossing, &checked)?)
    });
    columns.collect()
}

/// A column of an answer and the texts of its codes.
pub(crate) struct AnswerColumn {
    pub(crate) name: String,
    view: ColumnView,
    texts: Texts,
}

enum Texts {
    /// Sorted: those of a declared column.
    Declared(Arc<Vec<String>>),
    /// In order of first sight.
    Own { all: Vec<String>, places: HashMap<String, u32> },
}

impl AnswerColumn {
    /// `declared` are the codes of the declared column that it is.
    pub(crate) fn new(shape: Shape, declared: Option<Arc<Vec<String>>>) -> Self {
        let Shape { name, kind, .. } = shape;
        let own = Texts::Own { all: Vec::new(), places: HashMap::new() };
        let texts = declared.map_or(own, Texts::Declared);
        let positions = Vec::new();
        let view = ColumnView { name: String::new(), kind, looked_up: None, positions };
        Self { name, view, texts }
    }

    pub(crate) fn kind(&self) -> ColumnKind {
        self.view.kind
    }

    /// The texts of its codes so far.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Failed> {
        match &self.texts {
            _ if self.kind() != ColumnKind::Code => {
                let message = format!("column {} is none of codes", self.name);
                Err(Failed::contract("unknown_dictionary", message))
            }
            Texts::Declared(texts) => Ok(texts.to_vec()),
            Texts::Own { all, .. } => Ok(all.clone()),
        }
    }

    /// Rows as they cross.
    pub(crate) fn cross(
        &mut self,
        column: &ArrayRef,
        from: usize,
        rows: usize,
    ) -> Result<types::Column, Failed> {
        let mut buffer = ColumnBuffer::new(self.kind(), rows);
        if self.kind() == ColumnKind::Code {
            let places = self.places(&column.slice(from, rows))?;
            buffer.append(&self.view, &places, 0, rows)?;
        } else {
            buffer.append(&self.view, column, from, rows)?;
        }
        Ok(buffer.finish())
    }

    fn places(&mut self, column: &ArrayRef) -> Result<UInt32Array, Failed> {
        let wrong = || Failed::environment("data_type", "codes must come with their texts");
        let codes = column.as_dictionary_opt::<UInt32Type>().ok_or_else(wrong)?;
        let texts = codes.values().as_string_opt::<i32>().ok_or_else(wrong)?;
        let mut known: Vec<Option<u32>> = vec![None; texts.len()];
        let mut places = Vec::with_capacity(codes.len());
        for key in codes.keys() {
            let Some(key) = key.map(|key| key as usize).filter(|key| texts.is_valid(*key)) else {
                places.push(None);
                continue;
            };
            let place = known.get_mut(key).ok_or_else(wrong)?;
            if place.is_none() {
                *place = Some(self.texts.place(texts.value(key))?);
            }
            places.push(*place);
        }
        Ok(places.into())
    }
}

impl Texts {
    fn place(&mut self, text: &str) -> Result<u32, Failed> {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        match self {
            Self::Declared(all) => {
                let found = all.binary_search_by(|known| known.as_str().cmp(text));
                let unknown = |_| Failed::environment("data_type", "a code is of no dictionary");
                found.map(place).map_err(unknown)
            }
            Self::Own { all, places } => {
                if let Some(known) = places.get(text) {
                    return Ok(*known);
                }
                if all.len() == MOST_TEXTS {
                    let message = format!("a column has more than {MOST_TEXTS} texts of its own");
                    return Err(Failed::limit("query_texts", message));
                }
                let fresh = place(all.len());
                all.push(text.to_owned());
                places.insert(text.to_owned(), fresh);
                Ok(fresh)
            }
        }
    }
}
