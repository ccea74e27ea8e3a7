/// One column of a batch; values stand by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column<T> {
    values: Vec<T>,
    validity: Vec<u8>,
}

impl<T: Copy + Default> Column<T> {
    /// Takes values and a validity bitmap as the host gives them: bit `i` of byte `i / 8`,
    /// lowest first, is 1 when row `i` has a value; empty when no value is missing.
    #[must_use]
    pub fn new(values: Vec<T>, validity: Vec<u8>) -> Self {
        Self { values, validity }
    }

    /// The value of a row; `None` when it is missing or there is no such row.
    #[must_use]
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        if self.is_missing(row) { None } else { self.values.get(row).copied() }
    }

    /// All values; 0 where one is missing.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + '_ {
        self.values.iter().enumerate().map(|(row, value)| (!self.is_missing(row)).then_some(*value))
    }

    #[inline]
    fn is_missing(&self, row: usize) -> bool {
        !self.validity.is_empty()
            && self.validity.get(row / 8).is_none_or(|byte| byte >> (row % 8) & 1 == 0)
    }
}

impl<T: Copy + Default> From<Vec<Option<T>>> for Column<T> {
    fn from(rows: Vec<Option<T>>) -> Self {
        let mut validity = vec![0_u8; rows.len().div_ceil(8)];
        for (row, value) in rows.iter().enumerate() {
            if let (Some(_), Some(byte)) = (value, validity.get_mut(row / 8)) {
                *byte |= 1 << (row % 8);
            }
        }
        if rows.iter().all(Option::is_some) {
            validity.clear();
        }
        Self::new(rows.into_iter().map(Option::unwrap_or_default).collect(), validity)
    }
}

/// A cell of an emitted table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value<T> {
    /// A value.
    Given(T),
    /// There is none, which is not zero.
    #[default]
    Missing,
    /// Withheld because too few patients stand behind it.
    Suppressed,
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Given(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_none() {
        let column = Column::from(vec![Some(3), None, Some(5)]);
        assert_eq!((column.get(0), column.get(1), column.get(3)), (Some(3), None, None));
        assert_eq!(column.values(), [3, 0, 5]);
        assert_eq!(column.iter().flatten().sum::<i64>(), 8);
    }

    #[test]
    fn a_full_column_has_no_bitmap() {
        let column = Column::from(vec![Some(1.0); 9]);
        assert_eq!(column, Column::new(vec![1.0; 9], Vec::new()));
        assert_eq!(column.get(8), Some(1.0));
    }
}
