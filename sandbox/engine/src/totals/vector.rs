use crate::bindings::types::Sums;

/// Bits of a summand: with them the sums of 2^33 patients fit in 127 bits.
const BITS: i32 = 93;

/// Exact sums of the components of a vector in one cell. A summand is taken to the nearest
/// multiple of 2^-93 of a power of two above the declared range, which no number loses a digit
/// by that is above 2^-40 of the range; integers add up the same in any order; the sum is
/// rounded once, to the nearest number of 53 bits.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) patients: u64,
    sums: Vec<i128>,
    scale: f64,
}

impl Cell {
    pub(super) fn new(length: usize, low: f64, high: f64) -> Self {
        // The manifest bounds ranges to 1e-9..1e15, so the exponent stays small.
        #[allow(clippy::cast_possible_truncation, reason = "log2 of a finite number is small")]
        let bits = low.abs().max(high.abs()).log2().floor() as i32 + 1;
        Self { patients: 0, sums: vec![0; length], scale: 2.0_f64.powi(BITS - bits) }
    }

    /// Adds one patient's values, which the caller clamped.
    pub(super) fn add(&mut self, values: &[f64]) {
        self.patients += 1;
        for (sum, value) in self.sums.iter_mut().zip(values) {
            #[allow(clippy::cast_possible_truncation, reason = "at most 93 bits by the scale")]
            let scaled = (value * self.scale).round_ties_even() as i128;
            *sum += scaled;
        }
    }

    pub(super) fn sums(&self) -> impl Iterator<Item = f64> + '_ {
        #[allow(clippy::cast_precision_loss, reason = "the one rounding")]
        self.sums.iter().map(|sum| *sum as f64 / self.scale)
    }

    pub(super) fn finish(self) -> Sums {
        Sums { patients: self.patients, sums: self.sums().collect() }
    }
}
