//! Points in time, and the one clock, which is always passed in.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This many seconds later; negative for earlier.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Rounded up to whole minutes: what tells no more than that of how long a run took (design
    /// invariant 10).
    #[must_use]
    pub const fn to_the_minute(self) -> Self {
        const MINUTE: i64 = 60_000;
        let rest = self.0.rem_euclid(MINUTE);
        Self(if rest == 0 { self.0 } else { self.0.saturating_add(MINUTE - rest) })
    }

    /// The first instant, in Japan, of the day that this lies in.
    #[must_use]
    pub const fn day_in_japan(self) -> Self {
        const DAY: i64 = 86_400_000;
        const AHEAD: i64 = 9 * 3_600_000;
        Self(self.0 - self.0.saturating_add(AHEAD).rem_euclid(DAY))
    }

    /// The first instant of a day `YYYY-MM-DD` in Japan, where the law's dates begin.
    #[must_use]
    pub fn start_of_day_in_japan(day: &str) -> Option<Self> {
        const JAPAN: jiff::tz::Offset = jiff::tz::offset(9);
        let date: jiff::civil::Date = day.parse().ok()?;
        let start = JAPAN.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(Self(start.as_millisecond()))
    }

    /// RFC 3339 in UTC; the raw number when it is outside the calendar.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| self.0.to_string(), |stamp| stamp.to_string())
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

/// A clock that stands still until it is moved; for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_rounded_up_to_whole_minutes() {
        for (millis, minutes) in [(0, 0), (1, 1), (59_999, 1), (60_000, 1), (60_001, 2), (-1, 0)] {
            let rounded = Timestamp::from_millis(millis).to_the_minute();
            assert_eq!(rounded, Timestamp::from_millis(minutes * 60_000), "{millis}");
        }
    }

    #[test]
    fn a_day_in_japan_begins_nine_hours_before_the_day_in_utc() {
        let at = |text: &str| {
            let stamp: jiff::Timestamp = text.parse().unwrap();
            Timestamp::from_millis(stamp.as_millisecond())
        };
        for (instant, day) in [
            ("2026-11-28T14:59:59.999Z", "2026-11-28"),
            ("2026-11-28T15:00:00Z", "2026-11-29"),
            ("2026-11-29T14:59:59Z", "2026-11-29"),
            ("1969-12-31T14:00:00Z", "1969-12-31"),
        ] {
            let start = Timestamp::start_of_day_in_japan(day).unwrap();
            assert_eq!(at(instant).day_in_japan(), start, "{instant}");
        }
    }
}
