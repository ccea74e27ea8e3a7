//! Sums without rounding. What is held are floats that do not overlap and add up to the sum
//! (Shewchuk, Adaptive Precision Floating-Point Arithmetic, 1997); it is rounded once, when it
//! is read. So the order in which numbers were added does not show.

/// Larger numbers could overflow on the way, and where that happens hangs on the order.
const MOST: f64 = 1e290;
/// The root of it, for numbers that are squared.
const MOST_SQUARED: f64 = 1e145;

/// A number cannot be added without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// A sum.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    /// Smallest first.
    parts: Vec<f64>,
    /// What is no finite number adds up here; zero as long as there was none.
    beyond: f64,
}

impl Exact {
    pub(super) fn add(&mut self, value: f64) -> Result<(), TooLarge> {
        if !value.is_finite() {
            self.beyond += value;
            return Ok(());
        }
        if value.abs() > MOST {
            return Err(TooLarge);
        }
        let mut carried = value;
        let mut kept = 0;
        for at in 0..self.parts.len() {
            let Some(part) = self.parts.get(at).copied() else { break };
            let (sum, rest) = two_sum(carried, part);
            if rest != 0.0 {
                if let Some(place) = self.parts.get_mut(kept) {
                    *place = rest;
                }
                kept += 1;
            }
            carried = sum;
        }
        self.parts.truncate(kept);
        if carried != 0.0 {
            self.parts.push(carried);
        }
        Ok(())
    }

    /// Adds a whole number, `sign` being 1 or -1; twice 53 bits are more than it has.
    pub(super) fn add_integer(&mut self, value: i64, sign: f64) -> Result<(), TooLarge> {
        let near = value as f64;
        let rest = i128::from(value) - near as i128;
        self.add(sign * near)?;
        self.add(sign * rest as f64)
    }

    /// Adds a square, `sign` being 1 or -1.
    pub(super) fn add_square(&mut self, value: f64, sign: f64) -> Result<(), TooLarge> {
        if value.is_finite() && value.abs() > MOST_SQUARED {
            return Err(TooLarge);
        }
        if !value.is_finite() {
            return self.add(sign * value * value);
        }
        let (square, rest) = two_product(value, value);
        self.add(sign * square)?;
        self.add(sign * rest)
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), TooLarge> {
        self.beyond += other.beyond;
        other.parts.iter().try_for_each(|part| self.add(*part))
    }

    /// The sum, rounded to the nearest float.
    pub(super) fn value(&self) -> f64 {
        if self.beyond != 0.0 {
            // One bit pattern for all that is no number.
            return if self.beyond.is_nan() { f64::NAN } else { self.beyond };
        }
        let mut parts = self.parts.iter().rev().copied();
        let (mut high, mut low) = (parts.next().unwrap_or(0.0), 0.0);
        for part in parts.by_ref() {
            (high, low) = two_sum(high, part);
            if low != 0.0 {
                break;
            }
        }
        // Halfway between two floats, what is left says to which side.
        if let Some(next) = parts.next()
            && (low < 0.0) == (next < 0.0)
        {
            let doubled = low * 2.0;
            let other = high + doubled;
            if doubled == other - high {
                high = other;
            }
        }
        high
    }

    /// The sum as two floats: the nearest, and the nearest to what that leaves.
    pub(super) fn pair(&self) -> (f64, f64) {
        let high = self.value();
        let mut rest = self.clone();
        // Within what a sum of floats below the most can be, or no number anyway.
        if !high.is_finite() || rest.add(-high).is_err() {
            return (high, 0.0);
        }
        (high, rest.value())
    }

    /// The sum of whole numbers.
    pub(super) fn integer(&self) -> i128 {
        self.parts.iter().map(|part| *part as i128).sum()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = f64> + '_ {
        std::iter::once(self.beyond).chain(self.parts.iter().copied())
    }

    /// The sum whose [`parts`](Self::parts) these are.
    pub(super) fn of_parts(mut parts: impl Iterator<Item = f64>) -> Self {
        Self { beyond: parts.next().unwrap_or(0.0), parts: parts.collect() }
    }

    /// Bytes held beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.parts.capacity() * size_of::<f64>()
    }
}

/// Sum and rounding error (Knuth).
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// Product and rounding error.
pub(super) fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> Exact {
        let mut sum = Exact::default();
        values.iter().for_each(|value| sum.add(*value).unwrap());
        sum
    }

    #[test]
    fn what_floats_would_lose_is_kept() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]).value(), 1.0);
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        // Halfway, and a little more: up, not to the even one.
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0, 1e-300]).value(), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0]).value(), 1.0);
        assert_eq!(sum(&[]).value(), 0.0);
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let mut sum = Exact::default();
        for value in [i64::MAX, i64::MAX, i64::MIN, -1, (1 << 53) + 1] {
            sum.add_integer(value, 1.0).unwrap();
        }
        assert_eq!(sum.integer(), i128::from(i64::MAX) - 2 + (1 << 53) + 1);
    }

    #[test]
    fn what_is_no_number_is_one_thing() {
        let nan = sum(&[f64::INFINITY, 1.0, f64::NEG_INFINITY]).value();
        assert_eq!(nan.to_bits(), f64::NAN.to_bits());
        assert_eq!(sum(&[1.0, f64::INFINITY]).value(), f64::INFINITY);
        assert_eq!(Exact::default().add(1e300), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_show(
            values in prop::collection::vec(-1e20_f64..1e20, 0..40),
            small in prop::collection::vec(-1e-9_f64..1e-9, 0..40),
            at in 0_usize..80,
        ) {
            let mut all: Vec<f64> = values.into_iter().chain(small).collect();
            let one = sum(&all);
            let (first, second) = all.split_at(at.min(all.len()));
            let mut merged = sum(second);
            merged.merge(&Exact::of_parts(sum(first).parts())).unwrap();
            prop_assert_eq!(one.pair(), merged.pair());
            all.sort_by(f64::total_cmp);
            prop_assert_eq!(one.pair(), sum(&all).pair());
            all.reverse();
            prop_assert_eq!(one.value().to_bits(), sum(&all).value().to_bits());
        }
    }
}
