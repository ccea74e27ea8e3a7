use super::Stream;
use crate::{ColumnSpec, Draw, Kind};

/// One drawn value, as it stands in a source before any rule; borrowed from the profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Drawn<'p> {
    Missing,
    Number(f64),
    /// Days since 1970-01-01.
    Day(i32),
    Code(&'p str),
}

/// The values drawn so far for a row, by column.
pub(super) type Row<'p> = Vec<(&'p str, Drawn<'p>)>;

/// Draws the value of a column.
pub(super) fn draw<'p>(spec: &'p ColumnSpec, row: &Row<'p>, stream: &mut Stream) -> Drawn<'p> {
    match &spec.dummy {
        Some(dummy) if !stream.chance(dummy.missing) => match by(&dummy.draw, row, stream) {
            Drawn::Day(day) => Drawn::Day(held(spec, row, day)),
            drawn => drawn,
        },
        _ => Drawn::Missing,
    }
}

fn by<'p>(draw: &'p Draw, row: &Row<'p>, stream: &mut Stream) -> Drawn<'p> {
    match draw {
        Draw::Uniform { low, high, decimals } => {
            // Whole steps of the last decimal, so that both ends are as likely as the rest.
            let (low, high) = steps(*low, *high, *decimals);
            let above = stream.between(0, (high - low).max(0.0) as u64);
            Drawn::Number((low + above as f64) / scale(*decimals))
        }
        Draw::Normal { mean, sd, low, high, decimals } => {
            stepped(mean + sd * stream.normal(), (*low, *high), *decimals)
        }
        Draw::Skewed { median, spread, low, high, decimals } => {
            stepped(median * power(*spread, stream.normal()), (*low, *high), *decimals)
        }
        Draw::Days { low, high } => {
            let days = u64::from(high.abs_diff(*low));
            Drawn::Day(low.saturating_add(stream.between(0, days) as i32))
        }
        Draw::DaysAfter { of, days } => match (found(row, of), by(days, row, stream)) {
            (Drawn::Day(first), Drawn::Number(days)) => {
                Drawn::Day(first.saturating_add(days as i32))
            }
            _ => Drawn::Missing,
        },
        Draw::Weights(weights) => stream
            .weighted(weights.iter().map(|(_, weight)| *weight))
            .and_then(|index| weights.get(index))
            .map_or(Drawn::Missing, |(code, _)| Drawn::Code(code)),
        Draw::PerCode { of, cases, otherwise } => {
            let case = match found(row, of) {
                Drawn::Code(code) => cases.get(code).or(otherwise.as_deref()),
                _ => otherwise.as_deref(),
            };
            case.map_or(Drawn::Missing, |case| by(case, row, stream))
        }
    }
}

/// A day within the column's range and not before the day it must not be before.
fn held(spec: &ColumnSpec, row: &Row<'_>, day: i32) -> i32 {
    let range = spec.range.filter(|_| spec.kind == Kind::Date);
    let day = range.map_or(day, |(low, high)| day.max(low as i32).min(high as i32));
    match spec.not_before.as_ref().map(|first| found(row, first)) {
        Some(Drawn::Day(first)) => day.max(first),
        _ => day,
    }
}

fn found<'p>(row: &Row<'p>, column: &str) -> Drawn<'p> {
    let found = row.iter().find(|(name, _)| *name == column);
    found.map_or(Drawn::Missing, |(_, drawn)| *drawn)
}

/// A number at a whole step of its last decimal, within its limits.
fn stepped(value: f64, (low, high): (f64, f64), decimals: u32) -> Drawn<'static> {
    let (low, high) = steps(low, high, decimals);
    Drawn::Number((value * scale(decimals)).round().min(high).max(low) / scale(decimals))
}

/// The first and the last whole step of the last decimal within limits. A limit that is a
/// step may miss it by the last bit.
fn steps(low: f64, high: f64, decimals: u32) -> (f64, f64) {
    const BIT: f64 = 1e-6;
    ((low * scale(decimals) - BIT).ceil(), (high * scale(decimals) + BIT).floor())
}

/// Steps in one.
fn scale(decimals: u32) -> f64 {
    (0..decimals).fold(1.0, |scale, _| scale * 10.0)
}

/// `base` to the power of an exponent within 6 of 0, by products and square roots alone: they
/// are rounded the same on every machine (IEEE 754, 5.4.1).
fn power(base: f64, exponent: f64) -> f64 {
    const HALVINGS: u32 = 20;
    let whole = exponent.abs().floor();
    let mut result = (0..whole as u32).fold(1.0, |result, _| result * base);
    let (mut root, mut left) = (base, exponent.abs() - whole);
    for _ in 0..HALVINGS {
        (root, left) = (root.sqrt(), left * 2.0);
        if left >= 1.0 {
            (result, left) = (result * root, left - 1.0);
        }
    }
    if exponent < 0.0 { 1.0 / result } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_mathematics_library() {
        for (base, exponent) in [(2.0, 0.5), (2.5, -1.75), (9.0, 3.0), (1.0, 4.2), (3.0, 0.0)] {
            let wanted = f64::powf(base, exponent);
            assert!((power(base, exponent) / wanted - 1.0).abs() < 1e-4, "{base} {exponent}");
        }
    }

    #[test]
    fn numbers_stay_within_limits_when_they_are_rounded() {
        assert_eq!(stepped(9.96, (0.7, 9.96), 1), Drawn::Number(9.9));
        assert_eq!(stepped(-3.0, (0.7, 9.96), 1), Drawn::Number(0.7));
        assert_eq!(steps(0.1, 0.3, 1), (1.0, 3.0));
    }
}
