use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, offset};

const JAPAN: Offset = offset(9);

/// The day it is in Japan: the one that the law's days and periods are counted by, wherever
/// the machine stands.
#[must_use]
pub fn day_in_japan(now: Timestamp) -> Date {
    JAPAN.to_datetime(now).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        let day = |now: &str| day_in_japan(now.parse().unwrap()).to_string();
        assert_eq!(day("2026-11-27T14:59:59Z"), "2026-11-27");
        assert_eq!(day("2026-11-27T15:00:00Z"), "2026-11-28");
    }
}
