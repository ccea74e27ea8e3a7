//! Quantiles that show nobody's own value: means over the patients nearest in rank.

use super::cells::Scale;

/// The values of one cell, one per patient, as scaled integers.
#[derive(Clone, Debug)]
pub(super) struct Values {
    scale: Scale,
    scaled: Vec<i64>,
}

/// What is published of one quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantile {
    Given(f64),
    /// Fewer than the minimum cell lie on one side.
    Few,
    /// It would share patients with the one before: both together tell of fewer.
    Shared,
}

impl Values {
    pub(super) fn new(low: f64, high: f64) -> Self {
        Self { scale: Scale::new(low, high), scaled: Vec::new() }
    }

    /// Adds one patient's value, which the caller clamped.
    pub(super) fn add(&mut self, value: f64) {
        self.scaled.push(self.scale.of(value));
    }

    pub(super) fn patients(&self) -> u64 {
        self.scaled.len() as u64
    }

    /// One for each probability, which are in thousandths and rise.
    ///
    /// With `n` patients in rising order of their values, probability `p` is at rank
    /// `h = 1 + (n - 1) p`, as in R's type 7. Where at least `least` ranks are below `h` and at
    /// least as many above, the mean over the ranks within `least / 2` of `h` is given, which
    /// are `least` or, when two are equally far, one more.
    pub(super) fn quantiles(mut self, thousandths: &[u32], least: u32) -> Vec<Quantile> {
        self.scaled.sort_unstable();
        let mut taken = 0;
        let quantiles = thousandths.iter().map(|&probability| {
            match window(self.patients(), u64::from(probability), u64::from(least.max(1))) {
                None => Quantile::Few,
                Some((first, _)) if first <= taken => Quantile::Shared,
                Some((first, last)) => {
                    taken = last;
                    Quantile::Given(self.mean(first, last))
                }
            }
        });
        quantiles.collect()
    }

    /// Mean over the ranks from `first` to `last`, counted from 1.
    fn mean(&self, first: u64, last: u64) -> f64 {
        let at = |rank: u64| usize::try_from(rank).unwrap_or(usize::MAX);
        let ranks = self.scaled.get(at(first) - 1..at(last)).unwrap_or_default();
        let sum: i128 = ranks.iter().map(|value| i128::from(*value)).sum();
        #[allow(clippy::cast_precision_loss, reason = "rounded to 6 digits when published")]
        let mean = sum as f64 / ranks.len() as f64;
        self.scale.back(mean)
    }
}

/// First and last rank to be averaged. Exact: ranks are counted in two-thousandths.
fn window(patients: u64, thousandths: u64, least: u64) -> Option<(u64, u64)> {
    const UNIT: u64 = 2000;
    let at = UNIT + 2 * patients.checked_sub(1)? * thousandths;
    let below = at.div_ceil(UNIT) - 1;
    let above = patients - at / UNIT;
    let half = least * UNIT / 2;
    (below >= least && above >= least).then(|| ((at - half).div_ceil(UNIT), (at + half) / UNIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: impl IntoIterator<Item = f64>) -> Values {
        let mut values = Values::new(0.0, 200.0);
        of.into_iter().for_each(|value| values.add(value));
        values
    }

    #[test]
    fn windows_are_centred_and_hold_the_minimum() {
        // Rank 20.5 of 40: ten ranks; rank 21 of 41: ten and the two that are equally far.
        assert_eq!(window(40, 500, 10), Some((16, 25)));
        assert_eq!(window(41, 500, 10), Some((16, 26)));
        assert_eq!(window(40, 250, 10), Some((6, 15)));
        assert_eq!(window(41, 250, 10), Some((6, 16)));
        // Ten below and ten above are needed.
        assert_eq!(window(21, 500, 10), Some((6, 16)));
        assert_eq!(window(20, 500, 10), Some((6, 15)));
        assert_eq!(window(19, 500, 10), None);
        assert_eq!(window(0, 500, 10), None);
        for patients in 1..200 {
            for thousandths in 1..1000 {
                let Some((first, last)) = window(patients, thousandths, 10) else { continue };
                assert!(first >= 1 && last <= patients);
                assert!((10..=11).contains(&(last + 1 - first)));
            }
        }
    }

    #[test]
    fn evenly_spread_values_have_their_exact_quantiles() {
        let made = values((0..=1000).map(f64::from).map(|v| v / 10.0));
        let found = made.quantiles(&[25, 250, 500, 750, 975], 10);
        let expected = [2.5, 25.0, 50.0, 75.0, 97.5].map(Quantile::Given);
        for (found, expected) in found.into_iter().zip(expected) {
            let (Quantile::Given(found), Quantile::Given(expected)) = (found, expected) else {
                panic!("{found:?}")
            };
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    #[test]
    fn ou_1_no_quantile_is_one_patients_value_and_no_two_share_a_patient() {
        // One hundred zeros but one: the outlier is never near enough in rank.
        let outlier = (0..99).map(|_| 0.0).chain([200.0]);
        let found = values(outlier).quantiles(&[500, 900, 990, 999], 10);
        let zero = Quantile::Given(0.0);
        assert_eq!(found, [zero, zero, Quantile::Few, Quantile::Few]);
        let found = values((0..100).map(f64::from)).quantiles(&[500, 505, 700], 10);
        assert!(matches!(found[..], [Quantile::Given(_), Quantile::Shared, Quantile::Given(_)]));
    }

    #[test]
    fn order_changes_no_bit() {
        let all: Vec<f64> = (0..500).map(|i| f64::from(i * 37 % 499) / 7.0).collect();
        let forth = values(all.iter().copied()).quantiles(&[100, 500], 10);
        assert_eq!(values(all.into_iter().rev()).quantiles(&[100, 500], 10), forth);
    }
}
