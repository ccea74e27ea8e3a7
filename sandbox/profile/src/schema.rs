use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{Kind, TableSpec};

/// Arrow schema of a table's rows before they are sealed: the patient column, which comes
/// first, holds tokens (`UInt64`), codes are still texts (`Utf8`).
#[must_use]
pub fn source_schema(table: &TableSpec) -> SchemaRef {
    let fields = table.columns.iter().map(|column| {
        let data_type = match column.kind {
            Kind::Patient => DataType::UInt64,
            Kind::Code => DataType::Utf8,
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Date => DataType::Date32,
        };
        Field::new(&column.name, data_type, column.nullable)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
