use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    UInt64Builder,
};
use arrow::datatypes::SchemaRef;
use sekisho_dataset::{DatasetError, Kind, TableSpec, source_schema};

use super::value::Value;
use crate::IngestError;

/// Processed rows on their way to the writer.
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Builder>,
    rows: usize,
}

enum Builder {
    Tokens(UInt64Builder),
    Codes(StringBuilder),
    Ints(Int64Builder),
    Floats(Float64Builder),
    Dates(Date32Builder),
}

impl BatchBuilder {
    pub(crate) fn new(table: &TableSpec) -> Self {
        let columns = table.columns.iter().map(|column| match column.kind {
            Kind::Patient => Builder::Tokens(UInt64Builder::new()),
            Kind::Code => Builder::Codes(StringBuilder::new()),
            Kind::Int => Builder::Ints(Int64Builder::new()),
            Kind::Float => Builder::Floats(Float64Builder::new()),
            Kind::Date => Builder::Dates(Date32Builder::new()),
        });
        Self { schema: source_schema(table), columns: columns.collect(), rows: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds one value for each column, in the table's order.
    pub(super) fn push(&mut self, values: &[Value]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            match (column, value) {
                (Builder::Tokens(column), Value::Token(token)) => column.append_value(*token),
                (Builder::Codes(column), Value::Code(code)) => {
                    column.append_option(code.as_deref())
                }
                (Builder::Ints(column), Value::Int(number)) => column.append_option(*number),
                (Builder::Floats(column), Value::Float(number)) => column.append_option(*number),
                (Builder::Dates(column), Value::Date(day)) => column.append_option(*day),
                // Values are made for their column's kind; a null shows in the writer's check.
                (Builder::Tokens(column), _) => column.append_null(),
                (Builder::Codes(column), _) => column.append_null(),
                (Builder::Ints(column), _) => column.append_null(),
                (Builder::Floats(column), _) => column.append_null(),
                (Builder::Dates(column), _) => column.append_null(),
            }
        }
        self.rows += 1;
    }

    /// The rows added so far; starts anew.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, IngestError> {
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(|column| -> ArrayRef {
            match column {
                Builder::Tokens(values) => Arc::new(values.finish()),
                Builder::Codes(values) => Arc::new(values.finish()),
                Builder::Ints(values) => Arc::new(values.finish()),
                Builder::Floats(values) => Arc::new(values.finish()),
                Builder::Dates(values) => Arc::new(values.finish()),
            }
        });
        RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect())
            .map_err(|error| IngestError::Dataset(DatasetError::Arrow(error)))
    }
}
