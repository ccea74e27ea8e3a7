/// A clamped range as integers: each value is taken relative to the middle of the range and
/// scaled to at most 46 bits, so that squares of 2^33 patients fit in 128 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    middle: f64,
    scale: f64,
}

impl Scale {
    pub(super) fn new(low: f64, high: f64) -> Self {
        let middle = f64::midpoint(low, high);
        let half = (high - middle).max(middle - low);
        // The manifest bounds ranges to 1e-9..1e15, so the exponent stays small.
        #[allow(clippy::cast_possible_truncation, reason = "log2 of a finite number is small")]
        let bits = half.log2().floor() as i32 + 1;
        Self { middle, scale: 2.0_f64.powi(46 - bits) }
    }

    /// A value of the range as an integer.
    pub(super) fn of(self, value: f64) -> i64 {
        #[allow(clippy::cast_possible_truncation, reason = "at most 46 bits by the scale")]
        let scaled = ((value - self.middle) * self.scale).round() as i64;
        scaled
    }

    /// A mean of such integers as a value.
    pub(super) fn back(self, mean: f64) -> f64 {
        self.middle + mean / self.scale
    }
}

/// Exact sums of clamped values.
#[derive(Clone, Debug)]
pub(super) struct SumCell {
    scale: Scale,
    pub(super) patients: u64,
    sum: i128,
    squares: i128,
}

/// Statistics of one cell of a sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub(super) sum: f64,
    pub(super) mean: f64,
    /// Sample standard deviation; unset below two patients.
    pub(super) deviation: Option<f64>,
}

impl SumCell {
    pub(super) fn new(low: f64, high: f64) -> Self {
        Self { scale: Scale::new(low, high), patients: 0, sum: 0, squares: 0 }
    }

    /// Adds one patient's value, which the caller clamped.
    pub(super) fn add(&mut self, value: f64) {
        let scaled = i128::from(self.scale.of(value));
        self.patients += 1;
        self.sum += scaled;
        self.squares += scaled * scaled;
    }

    /// `None` when nobody contributed.
    pub(super) fn moments(&self) -> Option<Moments> {
        if self.patients == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "rounded to 6 digits when published")]
        let (n, sum, squares) = (self.patients as f64, self.sum as f64, self.squares as f64);
        let shifted = sum / n;
        let spread = (squares / n - shifted * shifted).max(0.0);
        let deviation = (spread * n / (n - 1.0)).sqrt() / self.scale.scale;
        let mean = self.scale.back(shifted);
        Some(Moments {
            sum: n * self.scale.middle + sum / self.scale.scale,
            mean,
            deviation: (self.patients > 1).then_some(deviation),
        })
    }
}

/// Distinct patients in the bins of one histogram series; bin 0 is below the first edge, the
/// last bin at or above the last edge.
#[derive(Clone, Debug)]
pub(super) struct BinCell {
    pub(super) bins: Vec<u64>,
    pub(super) patients: u64,
}

impl BinCell {
    pub(super) fn new(bins: usize) -> Self {
        Self { bins: vec![0; bins], patients: 0 }
    }

    /// `first` is false when the same patient was added to another bin before.
    pub(super) fn add(&mut self, bin: usize, first: bool) {
        if let Some(count) = self.bins.get_mut(bin) {
            *count += 1;
        }
        self.patients += u64::from(first);
    }
}
