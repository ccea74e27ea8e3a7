//! From Arrow columns to the lists that cross to a guest.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{ArrowPrimitiveType, Date32Type, Float64Type, Int64Type, UInt32Type};
use sekisho_module::ColumnKind;

use crate::bindings::types::{Column, ColumnData};
use crate::failure::Failed;
use crate::view::ColumnView;

/// Collects the rows of one column for one patient or one batch.
pub(crate) struct ColumnBuffer {
    data: ColumnData,
    /// One bit a row; made only when a value is missing.
    validity: Vec<u8>,
    any_missing: bool,
    rows: usize,
}

impl ColumnBuffer {
    pub(crate) fn new(kind: ColumnKind, capacity: usize) -> Self {
        let data = match kind {
            ColumnKind::Patient => ColumnData::Patients(Vec::with_capacity(capacity)),
            ColumnKind::Code => ColumnData::Codes(Vec::with_capacity(capacity)),
            ColumnKind::Int => ColumnData::Ints(Vec::with_capacity(capacity)),
            ColumnKind::Float => ColumnData::Floats(Vec::with_capacity(capacity)),
            ColumnKind::Date => ColumnData::Dates(Vec::with_capacity(capacity)),
        };
        Self { data, validity: Vec::new(), any_missing: false, rows: 0 }
    }

    /// Appends `len` rows of `array` from `start`.
    pub(crate) fn append(
        &mut self,
        view: &ColumnView,
        array: &dyn Array,
        start: usize,
        len: usize,
    ) -> Result<(), Failed> {
        let before = self.rows;
        let copied = match &mut self.data {
            ColumnData::Codes(to) => {
                let copied = copy::<UInt32Type>(to, array, start, len);
                if copied && !view.positions.is_empty() {
                    translate(to, before, &view.positions);
                }
                copied
            }
            ColumnData::Ints(to) => copy::<Int64Type>(to, array, start, len),
            ColumnData::Floats(to) => copy::<Float64Type>(to, array, start, len),
            ColumnData::Dates(to) => copy::<Date32Type>(to, array, start, len),
            ColumnData::Patients(to) => copy::<UInt32Type>(to, array, start, len),
        };
        if !copied {
            return Err(Failed::environment("data_type", "a column has another type than stored"));
        }
        self.rows += len;
        self.mark(array, start, len, before);
        Ok(())
    }

    /// Missing values become 0 with a cleared bit; what Arrow holds there never crosses.
    fn mark(&mut self, array: &dyn Array, start: usize, len: usize, before: usize) {
        let missing = array.nulls().filter(|n| n.null_count() > 0);
        if let Some(nulls) = missing {
            for row in 0..len {
                if nulls.is_null(start + row) {
                    if !self.any_missing {
                        self.any_missing = true;
                        self.validity = vec![0xff; before.div_ceil(8).max(1)];
                    }
                    self.validity.resize((before + row) / 8 + 1, 0xff);
                    clear(&mut self.validity, before + row);
                    zero(&mut self.data, before + row);
                }
            }
        }
        if self.any_missing {
            self.validity.resize(self.rows.div_ceil(8), 0xff);
        }
    }

    pub(crate) fn finish(mut self) -> Column {
        let spare = (self.validity.len() * 8).saturating_sub(self.rows);
        if let Some(last) = self.validity.last_mut() {
            *last &= 0xff >> spare;
        }
        Column { data: self.data, validity: self.validity }
    }
}

fn copy<T: ArrowPrimitiveType>(
    to: &mut Vec<T::Native>,
    array: &dyn Array,
    start: usize,
    len: usize,
) -> bool {
    let rows = array.as_primitive_opt::<T>().and_then(|a| a.values().get(start..start + len));
    rows.map(|rows| to.extend_from_slice(rows)).is_some()
}

fn translate(codes: &mut [u32], from: usize, positions: &[u32]) {
    for code in codes.iter_mut().skip(from) {
        *code = positions.get(*code as usize).copied().unwrap_or(u32::MAX);
    }
}

fn clear(validity: &mut [u8], row: usize) {
    if let Some(byte) = validity.get_mut(row / 8) {
        *byte &= !(1 << (row % 8));
    }
}

fn zero(data: &mut ColumnData, row: usize) {
    fn at<T: Default>(values: &mut [T], row: usize) {
        if let Some(value) = values.get_mut(row) {
            *value = T::default();
        }
    }
    match data {
        ColumnData::Codes(values) | ColumnData::Patients(values) => at(values, row),
        ColumnData::Ints(values) => at(values, row),
        ColumnData::Floats(values) => at(values, row),
        ColumnData::Dates(values) => at(values, row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, UInt32Array};

    fn view(kind: ColumnKind, positions: Vec<u32>) -> ColumnView {
        ColumnView { name: "c".into(), kind, looked_up: None, positions }
    }

    #[test]
    fn missing_values_cross_as_zero_with_a_cleared_bit() {
        let array = Int64Array::from(vec![Some(7), None, Some(9), Some(10)]);
        let view = view(ColumnKind::Int, Vec::new());
        let mut buffer = ColumnBuffer::new(ColumnKind::Int, 4);
        let full = Int64Array::from(vec![1; 8]);
        buffer.append(&view, &full, 0, 8).unwrap();
        buffer.append(&view, &array, 0, 3).unwrap();
        buffer.append(&view, &array, 3, 1).unwrap();
        let column = buffer.finish();
        let ColumnData::Ints(values) = column.data else { panic!("another kind") };
        assert_eq!(values, [1, 1, 1, 1, 1, 1, 1, 1, 7, 0, 9, 10]);
        assert_eq!(column.validity, [0xff, 0b1101]);
    }

    #[test]
    fn no_bitmap_without_missing_values_in_the_slice() {
        let array = Int64Array::from(vec![Some(7), None]);
        let view = view(ColumnKind::Int, Vec::new());
        let mut buffer = ColumnBuffer::new(ColumnKind::Int, 1);
        buffer.append(&view, &array, 0, 1).unwrap();
        assert_eq!(buffer.finish().validity, Vec::<u8>::new());
    }

    #[test]
    fn codes_become_positions_and_strangers_the_largest_number() {
        let array = UInt32Array::from(vec![0, 1, 2, 2]);
        let view = view(ColumnKind::Code, vec![u32::MAX, 1, 0]);
        let mut buffer = ColumnBuffer::new(ColumnKind::Code, 4);
        buffer.append(&view, &array, 0, 4).unwrap();
        let ColumnData::Codes(values) = buffer.finish().data else { panic!("another kind") };
        assert_eq!(values, [u32::MAX, 1, 0, 0]);
    }

    #[test]
    fn another_type_than_stored_fails() {
        let view = view(ColumnKind::Int, Vec::new());
        let mut buffer = ColumnBuffer::new(ColumnKind::Int, 1);
        let failed = buffer.append(&view, &UInt32Array::from(vec![1]), 0, 1).unwrap_err();
        assert_eq!(failed.code, "data_type");
    }
}
