//! Small readings of source text that whoever feeds the writer shares.

/// Days since 1970-01-01 of an ISO date `YYYY-MM-DD`, years 1850 to 2200; `None` otherwise.
#[must_use]
pub fn date_days(text: &str) -> Option<i32> {
    crate::profile::date_days(text)
}

/// Whether a text may name a data set, table or column: a lower-case letter, then
/// lower-case letters, digits or `_`, at most 63.
#[must_use]
pub fn is_name(text: &str) -> bool {
    crate::profile::is_name(text)
}
