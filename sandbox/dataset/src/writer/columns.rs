use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;

use crate::{DatasetError, Kind, TableSpec, bucket_of, sealed_schema, source_schema};

/// The rows of one table, column by column, in the order they were pushed.
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

/// A table's rows in their final order, cut into buckets, and its dictionaries.
pub(super) struct SortedTable {
    pub(super) schema: SchemaRef,
    pub(super) rows: u64,
    pub(super) patients: u64,
    pub(super) dictionaries: Vec<(String, Vec<String>)>,
    tokens: Vec<u64>,
    order: Vec<u32>,
    columns: Vec<Column>,
    buckets: u32,
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

    pub(super) fn rows(&self) -> usize {
        self.tokens.len()
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
        // Row numbers are kept in 32 bits.
        if self.tokens.len() + batch.num_rows() > u32::MAX as usize {
            return Err(shape("more than 2^32 rows".to_owned()));
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

    /// Sorts by token, keeping the pushed order within a patient.
    pub(super) fn sort(mut self, buckets: u32) -> SortedTable {
        let mut order: Vec<u32> = (0..self.tokens.len() as u32).collect();
        let token = |row: u32| self.tokens.get(row as usize).copied().unwrap_or_default();
        order.sort_by_key(|row| token(*row));
        let mut patients = 0;
        let mut last = None;
        for row in &order {
            let token = token(*row);
            patients += u64::from(last.replace(token) != Some(token));
        }
        let columns = self.columns.iter_mut();
        let dictionaries = columns.filter_map(|column| {
            column.sort_dictionary().map(|dictionary| (column.name.clone(), dictionary))
        });
        SortedTable {
            schema: self.sealed,
            rows: order.len() as u64,
            patients,
            dictionaries: dictionaries.collect(),
            tokens: self.tokens,
            order,
            columns: self.columns,
            buckets,
        }
    }
}

impl SortedTable {
    /// The rows of one bucket.
    pub(super) fn bucket(&self, bucket: u32) -> Result<RecordBatch, DatasetError> {
        let bucket_at = |row: &u32| bucket_of(self.token(*row), self.buckets);
        let from = self.order.partition_point(|row| bucket_at(row) < bucket);
        let to = self.order.partition_point(|row| bucket_at(row) <= bucket);
        let rows = self.order.get(from..to).unwrap_or_default();
        let tokens: Vec<u64> = rows.iter().map(|row| self.token(*row)).collect();
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(tokens))];
        arrays.extend(self.columns.iter().map(|column| column.gather(rows)));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }

    fn token(&self, row: u32) -> u64 {
        self.tokens.get(row as usize).copied().unwrap_or_default()
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

    /// Renumbers codes by the order of their texts and returns the texts.
    fn sort_dictionary(&mut self) -> Option<Vec<String>> {
        let Values::Codes { ids, known } = &mut self.values else { return None };
        let mut texts: Vec<(String, u32)> = known.drain().collect();
        texts.sort();
        let mut renumbered = vec![0; texts.len()];
        for (new, (_, old)) in (0_u32..).zip(&texts) {
            if let Some(slot) = renumbered.get_mut(*old as usize) {
                *slot = new;
            }
        }
        for id in ids {
            *id = renumbered.get(*id as usize).copied().unwrap_or_default();
        }
        Some(texts.into_iter().map(|(text, _)| text).collect())
    }

    fn gather(&self, rows: &[u32]) -> ArrayRef {
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

/// Distinct patients over several tables.
pub(super) fn distinct_patients(tables: &[TableColumns]) -> u64 {
    let mut tokens: Vec<u64> = tables.iter().flat_map(|table| &table.tokens).copied().collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens.len() as u64
}

fn intern(known: &mut HashMap<String, u32>, code: &str) -> u32 {
    if let Some(id) = known.get(code) {
        return *id;
    }
    let id = known.len() as u32;
    known.insert(code.to_owned(), id);
    id
}

fn take<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    // Rows come from `0..values.len()`, so none is dropped.
    rows.iter().filter_map(|row| values.get(*row as usize).copied()).collect()
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
