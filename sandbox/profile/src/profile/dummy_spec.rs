use std::collections::BTreeMap;

use super::parse::date_days;
use super::toml_reader::TableReader;
use super::{Kind, Rule, Text, Undeclared};

/// How the dummy values of one column are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DummySpec {
    /// The distribution.
    pub draw: Draw,
    /// Share of values left out, 0 to 1; only for nullable columns.
    pub missing: f64,
}

/// A distribution of dummy values.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// Every number from the first to the second, alike.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Decimal places kept; 0 for whole numbers.
        decimals: u32,
    },
    /// Every day from the first to the second, alike; in days since 1970-01-01.
    Days {
        /// First day.
        low: i32,
        /// Last day.
        high: i32,
    },
    /// The day of an earlier column of the same row and so many days later; missing when
    /// that is.
    DaysAfter {
        /// The earlier column.
        of: String,
        /// How many days later; never negative.
        days: Box<Draw>,
    },
    /// Bell-shaped round a mean, cut off at `low` and `high`.
    Normal {
        /// Mean before cutting.
        mean: f64,
        /// Standard deviation before cutting.
        sd: f64,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Decimal places kept.
        decimals: u32,
    },
    /// Half of the values above the median, with a long tail: the median times a power of
    /// `spread`, whose exponent is bell-shaped with deviation 1 (a log-normal distribution).
    Skewed {
        /// Median before cutting; above 0.
        median: f64,
        /// Geometric standard deviation; from 1.
        spread: f64,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Decimal places kept.
        decimals: u32,
    },
    /// One of these codes, by weight.
    Weights(Vec<(String, f64)>),
    /// Depends on the code drawn for an earlier column of the same row. A code that is not
    /// listed draws `otherwise`, or nothing.
    PerCode {
        /// The earlier column.
        of: String,
        /// What each of its codes draws.
        cases: BTreeMap<String, Draw>,
        /// What every other code draws; missing if `None`.
        otherwise: Option<Box<Draw>>,
    },
}

/// What is known of a column when its dummy values are described.
#[derive(Default)]
pub(super) struct Drawing<'a> {
    pub(super) kind: Kind,
    pub(super) nullable: bool,
    pub(super) rule: Rule,
    pub(super) codes: BTreeMap<String, Text>,
    pub(super) range: Option<(f64, f64)>,
    pub(super) not_before: Option<&'a str>,
}

/// Share of its weights that the declared codes get together which `weights` does not name:
/// rare, but a module meets them.
const UNNAMED_SHARE: f64 = 0.05;

pub(super) fn read(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<DummySpec> {
    let missing = missing(reader, column.nullable);
    let draw = if reader.has("per_code") {
        per_code(reader, column)
    } else {
        match simple(reader, column) {
            Some(Draw::Weights(weights)) if !reader.has("always") => {
                Some(Draw::Weights(column.with_unnamed(weights)))
            }
            draw => draw,
        }
    };
    reader.refuse_unknown();
    Some(DummySpec { draw: draw?, missing })
}

/// Share of values left out.
pub(super) fn missing(reader: &TableReader<'_, '_>, nullable: bool) -> f64 {
    let missing = reader.optional_number("missing").unwrap_or(0.0);
    if !(0.0..=1.0).contains(&missing) {
        reader.bad("missing", "wanted a share from 0 to 1".to_owned());
    }
    if missing > 0.0 && !nullable {
        reader.bad("missing", "the column is not nullable".to_owned());
    }
    missing
}

fn per_code(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<Draw> {
    let of = reader.text("per_code");
    let mut cases = BTreeMap::new();
    if let Some(table) = reader.optional_table("cases") {
        for (code, value) in table.entries() {
            let Some(case) = table.as_table(&code, value) else { continue };
            let draw = simple(&case, column);
            case.refuse_unknown();
            cases.extend(draw.map(|draw| (code, draw)));
        }
    }
    let otherwise = reader.optional_table("otherwise").and_then(|table| {
        let draw = simple(&table, column);
        table.refuse_unknown();
        draw.map(Box::new)
    });
    if otherwise.is_none() && !column.nullable {
        let reason = "a column that is not nullable needs `otherwise`".to_owned();
        reader.bad("per_code", reason);
    }
    Some(Draw::PerCode { of, cases, otherwise })
}

/// A distribution that depends on no code. A code made of a number or a date by its rule may
/// be described by either: as what it is made of, or as the codes that come out.
pub(super) fn simple(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<Draw> {
    let number = || ["uniform", "normal", "skewed"].into_iter().any(|key| reader.has(key));
    match (column.kind, &column.rule) {
        (Kind::Patient, _) => None,
        (Kind::Code, Rule::Bands { .. }) if number() => numbers(reader, column),
        (Kind::Code | Kind::Int, Rule::DateTo(_)) if reader.has("dates") => dates(reader, column),
        (Kind::Code, _) => codes(reader),
        (Kind::Date, _) if reader.has("days_after") => days_after(reader, column),
        (Kind::Date, _) => dates(reader, column),
        (Kind::Int | Kind::Float, _) => numbers(reader, column),
    }
}

impl Drawing<'_> {
    /// Codes that can come out of the column by its profile.
    fn declared(&self) -> impl Iterator<Item = &String> {
        let other = match &self.rule {
            Rule::Allow(Undeclared::Other(other)) | Rule::Rare { other, .. } => Some(other),
            _ => None,
        };
        self.codes.keys().chain(other.filter(|other| !self.codes.contains_key(*other)))
    }

    /// Drawn codes that the profile does not declare.
    pub(super) fn undeclared<'d>(&self, draw: &'d Draw) -> Vec<&'d String> {
        let known = |code: &String| self.declared().any(|declared| declared == code);
        match draw {
            Draw::Weights(weights) if !self.codes.is_empty() => {
                weights.iter().map(|(code, _)| code).filter(|code| !known(code)).collect()
            }
            Draw::PerCode { cases, otherwise, .. } => {
                let draws = cases.values().chain(otherwise.as_deref());
                draws.flat_map(|draw| self.undeclared(draw)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn with_unnamed(&self, mut weights: Vec<(String, f64)>) -> Vec<(String, f64)> {
        let named = |code: &&String| weights.iter().any(|(name, _)| name == *code);
        let unnamed: Vec<String> = self.declared().filter(|code| !named(code)).cloned().collect();
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let each = total * UNNAMED_SHARE / unnamed.len() as f64;
        weights.extend(unnamed.into_iter().map(|code| (code, each)));
        weights
    }
}

fn codes(reader: &TableReader<'_, '_>) -> Option<Draw> {
    if let Some(code) = reader.optional_text("always") {
        return Some(Draw::Weights(vec![(code, 1.0)]));
    }
    let Some(table) = reader.optional_table("weights") else {
        reader.bad("", "a code column draws by `weights`, `always` or `per_code`".to_owned());
        return None;
    };
    let weights: Vec<(String, f64)> = table
        .entries()
        .filter_map(|(code, value)| {
            let weight = table.as_number(&code, value)?;
            if weight < 0.0 {
                table.bad(&code, "a weight cannot be negative".to_owned());
            }
            Some((code, weight))
        })
        .collect();
    if weights.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
        reader.bad("weights", "at least one weight must be above 0".to_owned());
        return None;
    }
    Some(Draw::Weights(weights))
}

fn dates(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<Draw> {
    let dates = reader.optional_texts("dates").unwrap_or_default();
    let days: Vec<i32> = dates.iter().filter_map(|date| date_days(date)).collect();
    match days.as_slice() {
        [low, high] if low <= high && dates.len() == 2 => {
            let (mut low, mut high) = (f64::from(*low), f64::from(*high));
            // Codes and years made of dates have no range of days.
            if column.kind == Kind::Date {
                (low, high) = column.narrowed(reader, low, high);
            }
            Some(Draw::Days { low: low as i32, high: high as i32 })
        }
        _ => {
            let reason = "wanted dates = [\"YYYY-MM-DD\", \"YYYY-MM-DD\"], earlier first";
            reader.bad("dates", reason.to_owned());
            None
        }
    }
}

fn days_after(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<Draw> {
    let of = reader.text("days_after");
    let whole = Drawing { kind: Kind::Int, range: Some((0.0, 36_500.0)), ..Drawing::default() };
    let days = Box::new(numbers(reader, &whole)?);
    if column.not_before.is_some_and(|earlier| earlier != of) {
        reader.bad("days_after", "wanted the column of `not_before`".to_owned());
    }
    Some(Draw::DaysAfter { of, days })
}

fn numbers(reader: &TableReader<'_, '_>, column: &Drawing<'_>) -> Option<Draw> {
    let decimals = match reader.optional_number("decimals") {
        None => 0,
        Some(places) if column.kind != Kind::Int && (0.0..=9.0).contains(&places) => places as u32,
        Some(_) => {
            reader.bad("decimals", "wanted 0 to 9, and not for an int".to_owned());
            0
        }
    };
    if let Some((low, high)) = reader.optional_pair("uniform") {
        if low > high {
            reader.bad("uniform", "the smaller number comes first".to_owned());
        }
        let (low, high) = column.narrowed(reader, low, high);
        return Some(Draw::Uniform { low, high, decimals });
    }
    if let Some((median, spread)) = reader.optional_pair("skewed") {
        if median <= 0.0 || !(1.0..=100.0).contains(&spread) {
            reader.bad("skewed", "wanted a median above 0 and a spread from 1 to 100".to_owned());
        }
        let (low, high) = limits(reader, column, (0.0, median * spread * spread * spread));
        return Some(Draw::Skewed { median, spread, low, high, decimals });
    }
    let Some((mean, sd)) = reader.optional_pair("normal") else {
        reader.bad("", "numbers draw by `uniform`, `normal`, `skewed` or `per_code`".to_owned());
        return None;
    };
    if sd < 0.0 {
        reader.bad("normal", "wanted sd of at least 0".to_owned());
    }
    let (low, high) = limits(reader, column, (mean - 4.0 * sd, mean + 4.0 * sd));
    Some(Draw::Normal { mean, sd, low, high, decimals })
}

/// Where a distribution is cut off.
fn limits(
    reader: &TableReader<'_, '_>,
    column: &Drawing<'_>,
    (low, high): (f64, f64),
) -> (f64, f64) {
    let low = reader.optional_number("min").unwrap_or(low);
    let high = reader.optional_number("max").unwrap_or(high);
    if low > high {
        reader.bad("min", "min must not be above max".to_owned());
    }
    column.narrowed(reader, low, high)
}

impl Drawing<'_> {
    /// What the column's range leaves of the values to be drawn.
    fn narrowed(&self, reader: &TableReader<'_, '_>, low: f64, high: f64) -> (f64, f64) {
        let Some((least, most)) = self.range else { return (low, high) };
        if low > most || high < least {
            reader.bad("", "dummy values lie outside the column's range".to_owned());
        }
        (low.max(least), high.min(most))
    }
}
