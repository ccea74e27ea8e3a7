//! Points in time.

use prost_types::Timestamp as Stamp;
use sekisho_domain::Timestamp;

use super::{Invalid, invalid};

/// 0001-01-01T00:00:00Z, the earliest a `google.protobuf.Timestamp` may say.
const EARLIEST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, the latest.
const LATEST: i64 = 253_402_300_799;

/// A point in time that must be given.
pub(super) fn timestamp(stamp: Option<Stamp>, field: &str) -> Result<Timestamp, Invalid> {
    match optional_timestamp(stamp, field)? {
        Some(timestamp) => Ok(timestamp),
        None => Err(invalid("REQUIRED", field, "must be given")),
    }
}

/// A point in time; finer than a millisecond is cut off.
pub(crate) fn optional_timestamp(
    stamp: Option<Stamp>,
    field: &str,
) -> Result<Option<Timestamp>, Invalid> {
    let Some(Stamp { seconds, nanos }) = stamp else { return Ok(None) };
    if !(EARLIEST..=LATEST).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(invalid("MALFORMED_TIME", field, "not a point in time from year 1 to 9999"));
    }
    Ok(Some(Timestamp::from_millis(seconds * 1000 + i64::from(nanos / 1_000_000))))
}

/// As sent.
pub(super) fn stamp(timestamp: Timestamp) -> Stamp {
    let nanos = i32::try_from(timestamp.millis().rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    Stamp { seconds: timestamp.seconds(), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_to_the_millisecond_before_and_after_1970() {
        for millis in [0, 1, -1, 1_700_000_000_123, -62_135_596_800_000] {
            let timestamp = Timestamp::from_millis(millis);
            let sent = stamp(timestamp);
            assert!((0..1_000_000_000).contains(&sent.nanos));
            assert_eq!(optional_timestamp(Some(sent), "at"), Ok(Some(timestamp)));
        }
    }

    #[test]
    fn times_outside_the_calendar_are_refused() {
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (LATEST + 1, 0), (i64::MIN, 0)] {
            let refused = timestamp(Some(Stamp { seconds, nanos }), "at").unwrap_err();
            assert_eq!(refused.code, "MALFORMED_TIME");
        }
        assert_eq!(timestamp(None, "at").unwrap_err().code, "REQUIRED");
    }
}
