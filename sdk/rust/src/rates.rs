//! Standardised rates, from counts of events and time at risk by stratum.
//!
//! Limits are exact, or the nearest there is to exact: quantiles of the gamma distribution
//! stand behind both. Counts come from the host's sums; what is published of them is subject to
//! the minimum cell like any other count.

mod gamma;

/// One stratum, such as an age band.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stratum {
    /// Events among those studied.
    pub events: f64,
    /// Their time at risk, above 0, in any unit: rates are per unit of it.
    pub time: f64,
    /// Direct: what the stratum weighs in the standard population, in any unit. Indirect: the
    /// standard population's rate, per the same unit of time.
    pub standard: f64,
}

/// An estimate with its limits of 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The estimate.
    pub estimate: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

/// Level of either tail.
const TAIL: f64 = 0.025;

/// The directly standardised rate: what the rate would be if the strata weighed as they do in
/// the standard population. Limits of Fay and Feuer (1997), which hold the level with few
/// events too. `None` without time at risk in a stratum, weights or valid numbers.
#[must_use]
pub fn direct(strata: &[Stratum]) -> Option<Limits> {
    let valid = |s: &Stratum| s.time > 0.0 && s.events >= 0.0 && s.standard >= 0.0;
    let whole: f64 = strata.iter().map(|s| s.standard).sum();
    let sound = strata.iter().all(valid) && whole > 0.0 && whole.is_finite();
    sound.then_some(())?;
    let weights = || strata.iter().map(|s| (s.standard / whole / s.time, s.events));
    let rate: f64 = weights().map(|(weight, events)| weight * events).sum();
    let variance: f64 = weights().map(|(weight, events)| weight * weight * events).sum();
    let heaviest = weights().map(|(weight, _)| weight).fold(0.0, f64::max);
    let limit = |rate: f64, variance: f64, level: f64| {
        gamma::quantile(level, rate * rate / variance) * variance / rate
    };
    let lower = if rate > 0.0 { limit(rate, variance, TAIL) } else { 0.0 };
    let upper = limit(rate + heaviest, variance + heaviest * heaviest, 1.0 - TAIL);
    Some(Limits { estimate: rate, lower, upper })
}

/// The standardised ratio (SMR for deaths): observed events for each one expected at the
/// standard population's rates, with exact Poisson limits (Garwood 1936). `None` when nothing
/// is expected.
#[must_use]
pub fn indirect(strata: &[Stratum]) -> Option<Limits> {
    let valid = |s: &Stratum| s.time >= 0.0 && s.events >= 0.0 && s.standard >= 0.0;
    let observed: f64 = strata.iter().map(|s| s.events).sum();
    let expected: f64 = strata.iter().map(|s| s.time * s.standard).sum();
    let sound = strata.iter().all(valid) && expected > 0.0 && (observed + expected).is_finite();
    sound.then_some(())?;
    let lower = if observed > 0.0 { gamma::quantile(TAIL, observed) } else { 0.0 };
    let upper = gamma::quantile(1.0 - TAIL, observed + 1.0);
    let per = |events: f64| events / expected;
    Some(Limits { estimate: per(observed), lower: per(lower), upper: per(upper) })
}

#[cfg(test)]
mod tests;
