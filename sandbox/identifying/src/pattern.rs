use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A pattern, what stands in for it, and whether a match is one.
pub struct Pattern {
    pub(crate) name: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) regex: LazyLock<Regex>,
    pub(crate) is_one: fn(&str) -> bool,
}

macro_rules! pattern {
    ($name:expr, $is_one:expr, $text:expr) => {
        pattern!($name, "", $is_one, $text)
    };
    ($name:expr, $mark:literal, $is_one:expr, $text:expr) => {
        $crate::pattern::Pattern {
            name: $name,
            mark: $mark,
            // The texts are constants and compile: a test compiles each of them.
            #[allow(clippy::unwrap_used, reason = "a constant that a test compiles")]
            regex: std::sync::LazyLock::new(|| regex::Regex::new($text).unwrap()),
            is_one: $is_one,
        }
    };
}
pub(crate) use pattern;

impl Pattern {
    /// Stable name, for reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text (in NFKC) with a mark in place of every match, and how many there were.
    #[must_use]
    pub fn replace(&self, text: &str) -> (String, u64) {
        let mut times = 0;
        let replaced = self.regex.replace_all(text, |found: &Captures<'_>| {
            let whole = found.get(0).map_or("", |found| found.as_str());
            if !(self.is_one)(whole) {
                return whole.to_owned();
            }
            times += 1;
            self.mark.to_owned()
        });
        (replaced.into_owned(), times)
    }

    /// Whether the text (in NFKC) holds a match.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.find_iter(text).any(|found| (self.is_one)(found.as_str()))
    }
}

pub(crate) fn always(_: &str) -> bool {
    true
}

/// Digits of a match, in order.
pub(crate) fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'))
}

pub(crate) fn telephone(text: &str) -> bool {
    let digits = digits(text).count();
    if text.contains('+') { (11..=12).contains(&digits) } else { (10..=11).contains(&digits) }
}

/// The check digit of payment cards (ISO/IEC 7812-1).
pub(crate) fn luhn(text: &str) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}
