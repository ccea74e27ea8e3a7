use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{Kind, TableSpec};

/// Arrow schema of the batches pushed into the writer: the patient column holds tokens
/// (`UInt64`), codes are still texts (`Utf8`).
#[must_use]
pub fn source_schema(table: &TableSpec) -> SchemaRef {
    schema(table, DataType::Utf8)
}

/// Arrow schema of a sealed table: codes are ids (`UInt32`) into their sealed dictionaries.
/// The patient column comes first.
#[must_use]
pub fn sealed_schema(table: &TableSpec) -> SchemaRef {
    schema(table, DataType::UInt32)
}

/// Bucket of a patient token: its top bits. `buckets` is a power of two, so twice as many
/// buckets split each one in two and the order of tokens runs through all of them.
#[must_use]
pub fn bucket_of(token: u64, buckets: u32) -> u32 {
    // The product is below 2^64 * buckets, so the shifted value is below `buckets`.
    ((u128::from(token) * u128::from(buckets)) >> 64) as u32
}

fn schema(table: &TableSpec, code: DataType) -> SchemaRef {
    let fields = table.columns.iter().map(|column| {
        let data_type = match column.kind {
            Kind::Patient => DataType::UInt64,
            Kind::Code => code.clone(),
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Date => DataType::Date32,
        };
        Field::new(&column.name, data_type, column.nullable)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_the_top_bits() {
        assert_eq!(bucket_of(0, 8), 0);
        assert_eq!(bucket_of(u64::MAX, 8), 7);
        assert_eq!(bucket_of(1 << 61, 8), 1);
        assert_eq!(bucket_of((1 << 61) - 1, 8), 0);
        assert_eq!(bucket_of(u64::MAX, 1), 0);
    }
}
