use std::fmt;
use std::time::{Duration, SystemTime};

/// How often one AES-GCM key may seal under random nonces of 96 bits: 2^32 times (NIST
/// SP 800-38D, 8.3).
pub const MOST_USES: u64 = 1 << 32;

/// How long one generation may wrap keys: 365 days, within the two years that NIST
/// SP 800-57 part 1 revision 5, 5.3.6, table 1, gives the originator of a symmetric
/// key-wrapping key. Unwrapping has no end: what was sealed must stay readable.
pub const CRYPTO_PERIOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One root key of a vault, counted from 1; the highest is the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// The generation of a new vault.
    pub const FIRST: Self = Self(1);

    /// A generation by its number; 0 is none.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// Reads a number as it is written in names: decimal, without leading zeros.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse().ok().and_then(Self::new)).flatten()
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationStatus {
    /// Which.
    pub generation: Generation,
    /// Whether keys are wrapped under it.
    pub current: bool,
    /// Its age and uses; `None` when the record is lost or damaged.
    pub record: Option<UseRecord>,
    /// Why it may wrap no more keys; `None` while it may.
    pub exhausted: Option<Exhausted>,
}

/// Age and uses of one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseRecord {
    /// When the key was made, to the second.
    pub created_at: SystemTime,
    /// How often it may have sealed: never less than it did.
    pub uses: u64,
}

impl UseRecord {
    /// What stands in the way of another use at this time.
    #[must_use]
    pub fn exhausted(&self, now: SystemTime) -> Option<Exhausted> {
        // A clock set back makes a key young, not old.
        let age = now.duration_since(self.created_at).unwrap_or_default();
        if self.uses >= MOST_USES {
            return Some(Exhausted::Uses);
        }
        (age >= CRYPTO_PERIOD).then_some(Exhausted::Period)
    }
}

/// Why a generation may wrap no more keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// [`CRYPTO_PERIOD`] is over.
    Period,
    /// It sealed [`MOST_USES`] times.
    Uses,
    /// Its record is lost or damaged, so nobody knows how often it sealed.
    Unrecorded,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Period => "its crypto-period is over",
            Self::Uses => "it sealed as often as a key may",
            Self::Unrecorded => "the record of its uses is lost or damaged",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_plain_numbers_from_one() {
        assert_eq!(Generation::parse("1"), Some(Generation::FIRST));
        assert_eq!(Generation::parse("12").map(Generation::number), Some(12));
        for text in ["", "0", "01", "+1", " 1", "1 ", "x", "4294967296"] {
            assert_eq!(Generation::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_generation_ends_with_its_period_or_its_uses() {
        let created_at = SystemTime::UNIX_EPOCH + CRYPTO_PERIOD;
        let at = |age: Duration, uses| UseRecord { created_at, uses }.exhausted(created_at + age);
        let second = Duration::from_secs(1);
        assert_eq!(at(CRYPTO_PERIOD - second, MOST_USES - 1), None);
        assert_eq!(at(CRYPTO_PERIOD, 0), Some(Exhausted::Period));
        assert_eq!(at(Duration::ZERO, MOST_USES), Some(Exhausted::Uses));
        let before = UseRecord { created_at, uses: 0 }.exhausted(SystemTime::UNIX_EPOCH);
        assert_eq!(before, None);
    }
}
