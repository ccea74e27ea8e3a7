use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{TableSpec, source_schema};

/// Arrow schema of a sealed table: codes are ids (`UInt32`) into their sealed dictionaries.
/// The patient column comes first.
#[must_use]
pub fn sealed_schema(table: &TableSpec) -> SchemaRef {
    let source = source_schema(table);
    let sealed = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::UInt32)),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(source.fields().iter().map(sealed).collect::<Vec<_>>()))
}

/// Bucket of a patient token: its top bits. `buckets` is a power of two, so twice as many
/// buckets split each one in two and the order of tokens runs through all of them.
#[must_use]
pub fn bucket_of(token: u64, buckets: u32) -> u32 {
    // The product is below 2^64 * buckets, so the shifted value is below `buckets`.
    ((u128::from(token) * u128::from(buckets)) >> 64) as u32
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
