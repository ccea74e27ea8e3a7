//! Tails of distributions: p values and limits that the host computes.

use sekisho_proto::v1::ChiSquareTest;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

use crate::aggregate::round;

/// 97.5th percentile of the standard normal distribution.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// Degrees of freedom from which two terms of a series give Student's percentile to 1e-8.
const SERIES_DEGREES: u64 = 1000;

/// Probability that a standard normal variable is at least as far from 0 as `z`.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z.abs())
}

/// The same of Student's t, and the 97.5th percentile of its distribution. `None` without
/// degrees of freedom.
pub(crate) fn student(t: f64, degrees_of_freedom: u64) -> Option<(f64, f64)> {
    let degrees = count(degrees_of_freedom);
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    let limit = if degrees_of_freedom < SERIES_DEGREES {
        distribution.inverse_cdf(0.975)
    } else {
        // Abramowitz and Stegun 1964, 26.7.5, where the search of `inverse_cdf` loses digits.
        let first = (Z.powi(3) + Z) / 4.0;
        let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
        Z + first / degrees + second / degrees.powi(2)
    };
    Some((2.0 * distribution.sf(t.abs()), limit))
}

/// A statistic against the chi-square distribution, as it is published; `None` without degrees
/// of freedom.
pub(crate) fn chi_square_test(chi_square: f64, degrees_of_freedom: u64) -> Option<ChiSquareTest> {
    let distribution = ChiSquared::new(count(degrees_of_freedom)).ok()?;
    // Nothing is as far from what is expected as what is exactly that.
    let p_value = if chi_square > 0.0 { distribution.sf(chi_square) } else { 1.0 };
    let finite = chi_square.is_finite() && p_value.is_finite();
    finite.then(|| ChiSquareTest {
        chi_square: round(chi_square.max(0.0)),
        degrees_of_freedom,
        p_value: round(p_value),
    })
}

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "numbers of patients are below 2^53")]
pub(crate) fn count(patients: u64) -> f64 {
    patients as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
    }

    // Expected: the tables in every textbook, e.g. Abramowitz and Stegun 1964, 26.2 and 26.10.
    #[test]
    fn tails_are_those_of_the_tables() {
        close(normal_two_sided(-Z), 0.05);
        close(normal_two_sided(3.290_526_731_491_9), 0.001);
        for (freedom, limit) in [
            (1, 12.706_204_736),
            (10, 2.228_138_852),
            (30, 2.042_272_456),
            (999, 1.962_341_46),
            (1000, 1.962_339_08),
            (1_000_000, 1.959_966_4),
        ] {
            let (p, found) = student(limit, freedom).unwrap();
            close(found, limit);
            close(p, 0.05);
        }
        assert_eq!(student(1.0, 0), None);
        for (freedom, limit) in [(1, 3.841_458_821), (2, 5.991_464_547), (10, 18.307_038_05)] {
            close(chi_square_test(limit, freedom).unwrap().p_value, 0.05);
        }
        close(chi_square_test(100.0, 1).unwrap().p_value, 1.523_97e-23);
        assert_eq!(chi_square_test(0.0, 3).unwrap().p_value, 1.0);
        assert_eq!(chi_square_test(1.0, 0), None);
    }
}
