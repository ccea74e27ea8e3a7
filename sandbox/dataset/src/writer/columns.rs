use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;

use crate::{DatasetError, Kind, TableSpec, bucket_of, sealed_schema, source_schema};

/// Rows of one table that wait in memory, column by column, in the order they were pushed.
/// Codes are numbered as they are met; the numbers hold for the whole table.
#[derive(Debug)]
pub(super) struct TableColumns {
    name: String,
    source: SchemaRef,
    sealed: SchemaRef,
    tokens: Vec<u64>,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    nullable: bool,
    values: Values,
    valid: Vec<bool>,
}

#[derive(Debug)]
enum Values {
    Codes { ids: Vec<u32>, known: HashMap<String, u32> },
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Dates(Vec<i32>),
}

/// The distinct codes of one column in the order of their texts.
pub(super) struct Dictionary {
    pub(super) column: String,
    pub(super) texts: Vec<String>,
    /// Where each code stands among them, by the number it was given when it was met.
    pub(super) places: Vec<u32>,
}

impl TableColumns {
    pub(super) fn new(spec: &TableSpec) -> Self {
        let columns = spec.columns.iter().filter(|column| column.kind != Kind::Patient);
        let column = |column: &crate::ColumnSpec| Column {
            name: column.name.clone(),
            nullable: column.nullable,
            values: match column.kind {
                Kind::Code => Values::Codes { ids: Vec::new(), known: HashMap::new() },
                Kind::Float => Values::Floats(Vec::new()),
                Kind::Date => Values::Dates(Vec::new()),
                Kind::Int | Kind::Patient => Values::Ints(Vec::new()),
            },
            valid: Vec::new(),
        };
        Self {
            name: spec.name.clone(),
            source: source_schema(spec),
            sealed: sealed_schema(spec),
            tokens: Vec::new(),
            columns: columns.map(column).collect(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Schema of the rows as they are sealed.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.sealed
    }

    /// About how much memory the waiting rows take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let row: usize = self.columns.iter().map(|column| column.values.width() + 1).sum();
        self.tokens.len() * (row + size_of::<u64>())
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        let shape = |reason: String| DatasetError::Shape { table: self.name.clone(), reason };
        let found: Vec<_> =
            batch.schema_ref().fields().iter().map(|f| (f.name(), f.data_type())).collect();
        let wanted: Vec<_> =
            self.source.fields().iter().map(|f| (f.name(), f.data_type())).collect();
        if found != wanted {
            return Err(shape(format!("columns {found:?}, wanted {wanted:?}")));
        }
        let mut arrays = batch.columns().iter();
        let tokens = arrays.next().and_then(|array| array.as_any().downcast_ref::<UInt64Array>());
        let tokens = tokens.ok_or_else(|| shape("no patient column".to_owned()))?;
        refuse_nulls(tokens, &self.name, self.source.field(0).name())?;
        for (column, array) in self.columns.iter().zip(arrays.clone()) {
            if !column.nullable {
                refuse_nulls(array.as_ref(), &self.name, &column.name)?;
            }
        }
        // Nothing is added before every check passed.
        self.tokens.extend_from_slice(tokens.values());
        for (column, array) in self.columns.iter_mut().zip(arrays) {
            column.push(array);
        }
        Ok(())
    }

    /// Forgets the waiting rows; codes keep their numbers.
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        for column in &mut self.columns {
            column.clear();
        }
    }

    /// The waiting rows by token, in the pushed order within a patient.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tokens.len()).collect();
        order.sort_by_key(|row| self.token(*row));
        order
    }

    /// The part of an order that lies in one bucket.
    pub(super) fn bucket<'a>(&self, order: &'a [usize], bucket: u32, buckets: u32) -> &'a [usize] {
        let bucket_at = |row: &usize| bucket_of(self.token(*row), buckets);
        let from = order.partition_point(|row| bucket_at(row) < bucket);
        let to = order.partition_point(|row| bucket_at(row) <= bucket);
        order.get(from..to).unwrap_or_default()
    }

    /// These rows, in this order.
    pub(super) fn gather(&self, rows: &[usize]) -> Result<RecordBatch, DatasetError> {
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(take(&self.tokens, rows)))];
        arrays.extend(self.columns.iter().map(|column| column.gather(rows)));
        Ok(RecordBatch::try_new(Arc::clone(&self.sealed), arrays)?)
    }

    /// One for each column of codes.
    pub(super) fn dictionaries(&self) -> Vec<Dictionary> {
        self.columns.iter().filter_map(Column::dictionary).collect()
    }

    fn token(&self, row: usize) -> u64 {
        self.tokens.get(row).copied().unwrap_or_default()
    }
}

impl Values {
    fn width(&self) -> usize {
        match self {
            Self::Codes { .. } => size_of::<u32>(),
            Self::Ints(_) => size_of::<i64>(),
            Self::Floats(_) => size_of::<f64>(),
            Self::Dates(_) => size_of::<i32>(),
        }
    }
}

impl Column {
    fn push(&mut self, array: &ArrayRef) {
        self.valid.extend((0..array.len()).map(|row| array.is_valid(row)));
        let any = array.as_any();
        match &mut self.values {
            Values::Codes { ids, known } => {
                for code in any.downcast_ref::<StringArray>().into_iter().flatten() {
                    ids.push(code.map_or(0, |code| intern(known, code)));
                }
            }
            Values::Ints(values) => {
                let array = any.downcast_ref::<Int64Array>();
                values.extend(array.into_iter().flatten().map(Option::unwrap_or_default));
            }
            Values::Floats(values) => {
                let array = any.downcast_ref::<Float64Array>();
                values.extend(array.into_iter().flatten().map(Option::unwrap_or_default));
            }
            Values::Dates(values) => {
                let array = any.downcast_ref::<Date32Array>();
                values.extend(array.into_iter().flatten().map(Option::unwrap_or_default));
            }
        }
    }

    fn clear(&mut self) {
        self.valid.clear();
        match &mut self.values {
            Values::Codes { ids, .. } => ids.clear(),
            Values::Ints(values) => values.clear(),
            Values::Floats(values) => values.clear(),
            Values::Dates(values) => values.clear(),
        }
    }

    fn dictionary(&self) -> Option<Dictionary> {
        let Values::Codes { known, .. } = &self.values else { return None };
        let mut texts: Vec<(&String, u32)> = known.iter().map(|(text, id)| (text, *id)).collect();
        texts.sort_unstable();
        let mut places = vec![0; texts.len()];
        for (place, (_, id)) in (0_u32..).zip(&texts) {
            if let Some(slot) = places.get_mut(*id as usize) {
                *slot = place;
            }
        }
        let texts = texts.into_iter().map(|(text, _)| text.clone()).collect();
        Some(Dictionary { column: self.name.clone(), texts, places })
    }

    fn gather(&self, rows: &[usize]) -> ArrayRef {
        let nulls = self.nullable.then(|| NullBuffer::from(take(&self.valid, rows)));
        match &self.values {
            Values::Codes { ids, .. } => {
                Arc::new(UInt32Array::new(ScalarBuffer::from(take(ids, rows)), nulls))
            }
            Values::Ints(values) => {
                Arc::new(Int64Array::new(ScalarBuffer::from(take(values, rows)), nulls))
            }
            Values::Floats(values) => {
                Arc::new(Float64Array::new(ScalarBuffer::from(take(values, rows)), nulls))
            }
            Values::Dates(values) => {
                Arc::new(Date32Array::new(ScalarBuffer::from(take(values, rows)), nulls))
            }
        }
    }
}

fn intern(known: &mut HashMap<String, u32>, code: &str) -> u32 {
    if let Some(id) = known.get(code) {
        return *id;
    }
    let id = known.len() as u32;
    known.insert(code.to_owned(), id);
    id
}

fn take<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    // Rows come from `0..values.len()`, so none is dropped.
    rows.iter().filter_map(|row| values.get(*row).copied()).collect()
}

fn refuse_nulls(array: &dyn Array, table: &str, column: &str) -> Result<(), DatasetError> {
    match (0..array.len()).find(|row| array.is_null(*row)) {
        None => Ok(()),
        Some(row) => Err(DatasetError::MissingValue {
            table: table.to_owned(),
            column: column.to_owned(),
            row,
        }),
    }
}
