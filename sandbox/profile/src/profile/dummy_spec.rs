use std::collections::BTreeMap;

use super::Kind;
use super::parse::date_days;
use super::toml_reader::TableReader;

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
    /// Every number (or day) from the first to the second, alike.
    Uniform {
        /// Smallest value; for dates in days since 1970-01-01.
        low: f64,
        /// Largest value.
        high: f64,
        /// Decimal places kept; 0 for whole numbers and dates.
        decimals: u32,
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

pub(super) fn read(reader: &TableReader<'_, '_>, kind: Kind, nullable: bool) -> Option<DummySpec> {
    let missing = reader.optional_number("missing").unwrap_or(0.0);
    if !(0.0..=1.0).contains(&missing) {
        reader.bad("missing", "wanted a share from 0 to 1".to_owned());
    }
    if missing > 0.0 && !nullable {
        reader.bad("missing", "the column is not nullable".to_owned());
    }
    let draw = if reader.has("per_code") {
        per_code(reader, kind, nullable)
    } else {
        simple(reader, kind)
    };
    reader.refuse_unknown();
    Some(DummySpec { draw: draw?, missing })
}

fn per_code(reader: &TableReader<'_, '_>, kind: Kind, nullable: bool) -> Option<Draw> {
    let of = reader.text("per_code");
    let mut cases = BTreeMap::new();
    if let Some(table) = reader.optional_table("cases") {
        for (code, value) in table.entries() {
            let Some(case) = table.as_table(&code, value) else { continue };
            let draw = simple(&case, kind);
            case.refuse_unknown();
            cases.extend(draw.map(|draw| (code, draw)));
        }
    }
    let otherwise = reader.optional_table("otherwise").and_then(|table| {
        let draw = simple(&table, kind);
        table.refuse_unknown();
        draw.map(Box::new)
    });
    if otherwise.is_none() && !nullable {
        let reason = "a column that is not nullable needs `otherwise`".to_owned();
        reader.bad("per_code", reason);
    }
    Some(Draw::PerCode { of, cases, otherwise })
}

fn simple(reader: &TableReader<'_, '_>, kind: Kind) -> Option<Draw> {
    match kind {
        Kind::Code => codes(reader),
        Kind::Date => dates(reader),
        Kind::Int | Kind::Float => numbers(reader, kind),
        Kind::Patient => None,
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

fn dates(reader: &TableReader<'_, '_>) -> Option<Draw> {
    let dates = reader.optional_texts("dates").unwrap_or_default();
    let days: Vec<i32> = dates.iter().filter_map(|date| date_days(date)).collect();
    match days.as_slice() {
        [low, high] if low <= high && dates.len() == 2 => {
            Some(Draw::Uniform { low: f64::from(*low), high: f64::from(*high), decimals: 0 })
        }
        _ => {
            let reason = "wanted dates = [\"YYYY-MM-DD\", \"YYYY-MM-DD\"], earlier first";
            reader.bad("dates", reason.to_owned());
            None
        }
    }
}

fn numbers(reader: &TableReader<'_, '_>, kind: Kind) -> Option<Draw> {
    let decimals = match reader.optional_number("decimals") {
        None => 0,
        Some(places) if kind == Kind::Float && (0.0..=9.0).contains(&places) => places as u32,
        Some(_) => {
            reader.bad("decimals", "wanted 0 to 9, and only for a float".to_owned());
            0
        }
    };
    if let Some((low, high)) = reader.optional_pair("uniform") {
        if low > high {
            reader.bad("uniform", "the smaller number comes first".to_owned());
        }
        return Some(Draw::Uniform { low, high, decimals });
    }
    let Some((mean, sd)) = reader.optional_pair("normal") else {
        reader.bad("", "numbers draw by `uniform`, `normal` or `per_code`".to_owned());
        return None;
    };
    let low = reader.optional_number("min").unwrap_or(mean - 4.0 * sd);
    let high = reader.optional_number("max").unwrap_or(mean + 4.0 * sd);
    if sd < 0.0 || low > high {
        reader.bad("normal", "wanted sd of at least 0 and min not above max".to_owned());
    }
    Some(Draw::Normal { mean, sd, low, high, decimals })
}
