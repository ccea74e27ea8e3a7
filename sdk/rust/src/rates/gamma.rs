//! Quantiles of the gamma distribution with unit scale, to about twelve digits.

/// Where the distribution function reaches `level`, which lies between 0 and 1; the shape is
/// above 0.
pub(super) fn quantile(level: f64, shape: f64) -> f64 {
    let (mut low, mut high) = (0.0, shape + 1.0);
    while lower(shape, high) < level {
        low = high;
        high *= 2.0;
    }
    // Halving ends when no number is left in between.
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if lower(shape, middle) < level { low = middle } else { high = middle }
    }
}

/// The regularised lower incomplete gamma function: its series below the shape, one less the
/// continued fraction of the upper function above (Abramowitz and Stegun 6.5.29, 6.5.31).
fn lower(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (shape * x.ln() - x - ln_gamma(shape)).exp();
    if x < shape + 1.0 { front * series(shape, x) } else { 1.0 - front * fraction(shape, x) }
}

fn series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (shape.recip(), shape.recip(), shape);
    while term > sum * f64::EPSILON {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum
}

/// Evaluated forwards (Lentz 1976).
fn fraction(shape: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut b = x + 1.0 - shape;
    let (mut c, mut d) = (TINY.recip(), away(b).recip());
    let (mut product, mut n) = (d, 1.0);
    loop {
        let a = -n * (n - shape);
        b += 2.0;
        d = away(a * d + b).recip();
        c = away(b + a / c);
        product *= c * d;
        n += 1.0;
        if (c * d - 1.0).abs() <= 2.0 * f64::EPSILON || n > 1e7 {
            return product;
        }
    }
}

/// Stirling's series (Abramowitz and Stegun 6.1.41), after the argument is raised to where
/// five terms of it give all digits.
fn ln_gamma(x: f64) -> f64 {
    const LARGE: f64 = 16.0;
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
    let (mut raised, mut x) = (1.0, x);
    while x < LARGE {
        raised *= x;
        x += 1.0;
    }
    let inverse = x.recip();
    let square = inverse * inverse;
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0];
    let rest = terms.iter().rev().fold(0.0, |sum, term| sum * square + term) * inverse;
    (x - 0.5) * x.ln() - x + HALF_LN_TAU + rest - raised.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_of_gamma_is_that_of_factorials() {
        let mut factorial = 1.0_f64;
        for n in 1..20_u8 {
            factorial *= f64::from(n);
            let error = ln_gamma(f64::from(n) + 1.0) - factorial.ln();
            assert!(error.abs() < 1e-13 * (1.0 + factorial.ln()), "{n}: {error}");
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
    }
}
