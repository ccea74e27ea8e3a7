//! What rules make of a value that need neither a key nor other rows.

use super::parse::date_days;
use super::{Precision, Rule};

impl Rule {
    /// The number rounded or held at its limit; unchanged by other rules.
    #[must_use]
    pub fn coarser(&self, number: f64) -> f64 {
        match self {
            Self::Round { step } => rounded(number, *step),
            Self::Limit { bottom, top } => {
                let raised = bottom.map_or(number, |bottom| number.max(bottom));
                top.map_or(raised, |top| raised.min(top))
            }
            _ => number,
        }
    }
}

/// The nearest multiple. Halves go up, as in the sources' example of rounded values.
fn rounded(number: f64, step: f64) -> f64 {
    // 0.1 has no binary spelling, ten to one has: 36.65 is a half, and 0.3 stays 0.3.
    let to_one = step.recip().round();
    if (to_one * step - 1.0).abs() < 1e-12 {
        return (number * to_one + 0.5).floor() / to_one;
    }
    (number / step + 0.5).floor() * step
}

impl Precision {
    /// The first day of the day's month or year, both in days since 1970-01-01.
    #[must_use]
    pub fn first_day(self, days: i32) -> Option<i32> {
        let (year, month) = year_month(days)?;
        let month = if self == Self::Year { 1 } else { month };
        date_days(&format!("{year:04}-{month:02}-01"))
    }

    /// `2003-02` or `2003`.
    #[must_use]
    pub fn code(self, days: i32) -> Option<String> {
        let (year, month) = year_month(days)?;
        Some(match self {
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Year => format!("{year:04}"),
        })
    }
}

/// Year and month of a day since 1970-01-01.
#[must_use]
pub fn year_month(days: i32) -> Option<(i16, i8)> {
    let since = jiff::Span::new().try_days(days).ok()?;
    let date = jiff::civil::date(1970, 1, 1).checked_add(since).ok()?;
    Some((date.year(), date.month()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_lose_their_day_or_more() {
        let days = |text| date_days(text).unwrap();
        let day = days("2003-02-26");
        assert_eq!(Precision::Month.first_day(day), Some(days("2003-02-01")));
        assert_eq!(Precision::Year.first_day(day), Some(days("2003-01-01")));
        assert_eq!(Precision::Month.code(day).unwrap(), "2003-02");
        assert_eq!(Precision::Year.code(days("1969-12-31")).unwrap(), "1969");
    }

    #[test]
    fn years_are_those_of_the_calendar() {
        assert_eq!(year_month(0), Some((1970, 1)));
        assert_eq!(year_month(-1), Some((1969, 12)));
        assert_eq!(year_month(18_262), Some((2020, 1)));
        assert_eq!(year_month(i32::MAX), None);
    }
}
