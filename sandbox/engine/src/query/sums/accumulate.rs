//! The accumulators: one for a column, one for a column by groups, one for distinct values.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::Of;
use super::exact::{Exact, TooLarge, two_product, two_sum};

/// How many values there are, their sum and the sum of their squares.
#[derive(Clone, Debug, Default)]
struct Moments {
    count: u64,
    sum: Exact,
    squares: Exact,
}

/// A value of a column.
#[derive(Clone, Copy)]
enum Value {
    Whole(i64),
    Float(f64),
}

impl Moments {
    fn add(&mut self, value: Value, of: Of) -> Result<(), TooLarge> {
        self.count += 1;
        self.shift(value, of, 1.0)
    }

    /// Takes away what was added.
    fn retract(&mut self, value: Value, of: Of) -> Result<(), TooLarge> {
        if matches!(value, Value::Float(float) if !float.is_finite()) {
            return Err(TooLarge);
        }
        self.count = self.count.saturating_sub(1);
        self.shift(value, of, -1.0)
    }

    fn shift(&mut self, value: Value, of: Of, sign: f64) -> Result<(), TooLarge> {
        match (value, of) {
            (Value::Whole(whole), Of::Sum | Of::Mean) => self.sum.add_integer(whole, sign),
            (Value::Float(float), Of::Sum | Of::Mean) => self.sum.add(sign * float),
            (value, Of::Variance { .. }) => {
                let float = match value {
                    Value::Whole(whole) => whole as f64,
                    Value::Float(float) => float,
                };
                self.sum.add(sign * float)?;
                self.squares.add_square(float, sign)
            }
        }
    }

    fn merge(&mut self, other: &Self) -> Result<(), TooLarge> {
        self.count += other.count;
        self.sum.merge(&other.sum)?;
        self.squares.merge(&other.squares)
    }

    fn float(&self, of: Of) -> Option<f64> {
        let n = self.count as f64;
        match of {
            _ if self.count == 0 => None,
            Of::Sum => Some(self.sum.value()),
            Of::Mean => Some(self.sum.value() / n),
            Of::Variance { sample, root } => {
                let less = if sample { n - 1.0 } else { n };
                if less == 0.0 {
                    return None;
                }
                // Clamps keep a NaN.
                let variance = (self.spread() / n / less).max(0.0);
                let variance = if self.spread().is_nan() { f64::NAN } else { variance };
                Some(if root { variance.sqrt() } else { variance })
            }
        }
    }

    /// The count times the sum of squares less the square of the sum, in twice the bits, since
    /// the two may be nearly the same.
    fn spread(&self) -> f64 {
        let n = self.count as f64;
        let ((sum, of_sum), (squares, of_squares)) = (self.sum.pair(), self.squares.pair());
        let (left, of_left) = two_product(n, squares);
        let (right, of_right) = two_product(sum, sum);
        let (high, low) = two_sum(left, -right);
        high + (low + (of_left + n * of_squares) - (of_right + 2.0 * sum * of_sum))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let parts = self.sum.parts().chain(self.squares.parts());
        let head = [self.count, self.sum.parts().count() as u64];
        let head = head.into_iter().flat_map(u64::to_le_bytes);
        head.chain(parts.flat_map(f64::to_le_bytes)).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let count = words.next().unwrap_or(0);
        let of_sum = usize::try_from(words.next().unwrap_or(0)).unwrap_or(0);
        let mut parts = words.map(f64::from_bits);
        let sum = Exact::of_parts(parts.by_ref().take(of_sum));
        Self { count, sum, squares: Exact::of_parts(parts) }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.sum.heap_bytes() + self.squares.heap_bytes()
    }
}

/// Calls with each value of a column that is there, and its row.
fn each(
    column: &ArrayRef,
    mut take: impl FnMut(usize, Value) -> Result<(), TooLarge>,
) -> Result<()> {
    let taken = match column.data_type() {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().iter().enumerate();
            let mut values = values.filter_map(|(row, value)| Some((row, value?)));
            values.try_for_each(|(row, value)| take(row, Value::Whole(value)))
        }
        _ => {
            let column = cast(column, &DataType::Float64)?;
            let values = column.as_primitive::<Float64Type>().iter().enumerate();
            let mut values = values.filter_map(|(row, value)| Some((row, value?)));
            values.try_for_each(|(row, value)| take(row, Value::Float(value)))
        }
    };
    checked(taken)
}

fn checked<T>(result: Result<T, TooLarge>) -> Result<T> {
    result.or_else(|TooLarge| exec_err!("a number is too large, or none, to be added exactly"))
}

fn only(columns: &[ArrayRef]) -> Result<&ArrayRef> {
    match columns {
        [column] => Ok(column),
        _ => exec_err!("one column is added at a time"),
    }
}

/// The results of several groups as a column.
fn column_of(of: Of, result: &DataType, all: &[Moments]) -> Result<ArrayRef> {
    let values = all.iter().map(|moments| value_of(of, result, moments));
    let values = values.collect::<Result<Vec<_>>>()?;
    if values.is_empty() {
        return Ok(arrow::array::new_empty_array(result));
    }
    ScalarValue::iter_to_array(values)
}

fn value_of(of: Of, result: &DataType, moments: &Moments) -> Result<ScalarValue> {
    if *result != DataType::Int64 {
        return Ok(ScalarValue::Float64(moments.float(of)));
    }
    match i64::try_from(moments.sum.integer()) {
        Ok(_) if moments.count == 0 => Ok(ScalarValue::Int64(None)),
        Ok(sum) => Ok(ScalarValue::Int64(Some(sum))),
        Err(_) => exec_err!("a sum of whole numbers has more than 64 bits"),
    }
}

/// Of a whole column.
#[derive(Debug)]
pub(super) struct One {
    of: Of,
    result: DataType,
    moments: Moments,
}

impl One {
    pub(super) fn new(of: Of, result: &DataType) -> Self {
        Self { of, result: result.clone(), moments: Moments::default() }
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (moments, of) = (&mut self.moments, self.of);
        each(only(values)?, |_, value| moments.add(value, of))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (moments, of) = (&mut self.moments, self.of);
        each(only(values)?, |_, value| moments.retract(value, of))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        value_of(self.of, &self.result, &self.moments)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.moments.to_bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = only(states)?.as_binary::<i32>().iter().flatten();
        let mut states = states.map(Moments::from_bytes);
        checked(states.try_for_each(|other| self.moments.merge(&other)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.moments.bytes()
    }
}

/// Of each group of a column.
pub(super) struct ByGroup {
    of: Of,
    result: DataType,
    groups: Vec<Moments>,
    heap_bytes: usize,
}

impl ByGroup {
    pub(super) fn new(of: Of, result: &DataType) -> Self {
        Self { of, result: result.clone(), groups: Vec::new(), heap_bytes: 0 }
    }

    /// Gives what is emitted, and counts anew what is left.
    fn emitted(&mut self, emit: EmitTo) -> Vec<Moments> {
        let emitted = emit.take_needed(&mut self.groups);
        self.heap_bytes = self.groups.iter().map(Moments::bytes).sum();
        emitted
    }
}

impl GroupsAccumulator for ByGroup {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.groups.resize_with(total, Moments::default);
        let (all, of, heap_bytes) = (&mut self.groups, self.of, &mut self.heap_bytes);
        each(only(values)?, |row, value| {
            let passes = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            let group = groups.get(row).and_then(|group| all.get_mut(*group));
            let Some(group) = group.filter(|_| passes) else { return Ok(()) };
            let before = group.bytes();
            group.add(value, of)?;
            *heap_bytes += group.bytes().saturating_sub(before);
            Ok(())
        })
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let emitted = self.emitted(emit);
        column_of(self.of, &self.result, &emitted)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.emitted(emit);
        let states = states.iter().map(|moments| Some(moments.to_bytes()));
        Ok(vec![Arc::new(states.collect::<BinaryArray>())])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.groups.resize_with(total, Moments::default);
        let states = only(states)?.as_binary::<i32>();
        for (state, group) in states.iter().zip(groups) {
            if let (Some(state), Some(group)) = (state, self.groups.get_mut(*group)) {
                let before = group.bytes();
                checked(group.merge(&Moments::from_bytes(state)))?;
                self.heap_bytes += group.bytes().saturating_sub(before);
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = only(values)?;
        let mut states = Self::new(self.of, &self.result);
        let rows: Vec<usize> = (0..values.len()).collect();
        states.update_batch(std::slice::from_ref(values), &rows, filter, rows.len())?;
        states.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Moments>() + self.heap_bytes
    }
}

/// Of the distinct values of a column, by their bits.
#[derive(Debug)]
pub(super) struct Distinct {
    one: One,
    seen: HashSet<u64>,
    whole: bool,
}

impl Distinct {
    pub(super) fn over(one: One, whole: bool) -> Self {
        Self { one, seen: HashSet::new(), whole }
    }

    fn add(&mut self, bits: u64) -> Result<(), TooLarge> {
        if !self.seen.insert(bits) {
            return Ok(());
        }
        let whole = Value::Whole(bits.cast_signed());
        let value = if self.whole { whole } else { Value::Float(f64::from_bits(bits)) };
        self.one.moments.add(value, self.one.of)
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(only(values)?, |_, value| {
            self.add(match value {
                Value::Whole(whole) => whole.cast_unsigned(),
                Value::Float(float) => float.to_bits(),
            })
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.one.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let bytes = self.seen.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        Ok(vec![ScalarValue::Binary(Some(bytes))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = only(states)?.as_binary::<i32>().iter().flatten();
        let mut bits = states.flat_map(|state| state.as_chunks::<8>().0);
        checked(bits.try_for_each(|bits| self.add(u64::from_le_bytes(*bits))))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.one.moments.bytes() + self.seen.capacity() * 16
    }
}
