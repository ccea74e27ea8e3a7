//! What becomes of a column's values on the way out of the identified zone (加工の基準).

use super::toml_reader::TableReader;
use super::{Kind, Text};

/// The processing rule of one column (requirements DP-1 to DP-5). Anything that turns a value
/// into an identifier is keyed: a plain hash or a serial number cannot be declared (DP-4).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rule {
    /// Values stay as they are.
    #[default]
    Keep,
    /// Another identifier: a keyed one-way code, the same for the same text and purpose.
    Token {
        /// Which identifiers belong together, such as `institution`.
        purpose: String,
    },
    /// A Japanese address cut to an area with enough inhabitants.
    Address {
        /// Finest area that may stay.
        level: AddressLevel,
        /// Inhabitants below which the next larger area stands in.
        min_population: u64,
    },
    /// A date without its day, or without day and month.
    DateTo(Precision),
    /// A date moved by a secret number of days, the same for all dates of one person and
    /// never 0, so that the days between a person's dates stay.
    DateShift {
        /// Most days it is moved, either way.
        days: u32,
    },
    /// A number rounded to a multiple.
    Round {
        /// The step; above 0.
        step: f64,
    },
    /// A number replaced by the band it lies in, as a code: `50～55`, `50未満`, `201以上`.
    Bands {
        /// Lower edges of all bands but the first, rising.
        edges: Vec<f64>,
    },
    /// A number outside the limits replaced by the limit it passed.
    Limit {
        /// Smallest value that stays.
        bottom: Option<f64>,
        /// Largest value that stays.
        top: Option<f64>,
    },
    /// A code (特異な値 when few have it) that too few persons of the source have is replaced.
    Rare {
        /// Distinct persons below which a code is rare.
        below: u32,
        /// What stands in for rare codes.
        other: String,
    },
    /// Codes that the profile does not declare are dealt with instead of refused.
    Allow(Undeclared),
    /// Free text from which what may name a person is removed.
    FreeText,
}

/// How finely an address may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressLevel {
    /// 都道府県.
    Prefecture,
    /// 市区町村.
    Municipality,
}

/// How exactly a date may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// The first day of its month or, as a code, `2003-02`.
    Month,
    /// The first day of its year or, as a number or a code, `2003`.
    Year,
}

/// What becomes of a code that is not declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undeclared {
    /// The value is left out.
    Missing,
    /// Another code stands in.
    Other(String),
    /// The whole row is left out, and counted as removed by rule.
    Row,
}

/// A source column that never reaches the sealed table.
#[derive(Clone, Debug, PartialEq)]
pub struct Removed {
    /// Its header.
    pub source: String,
    /// Why it is removed.
    pub because: Text,
}

impl Rule {
    /// Codes it can turn a number into, in order; empty when any code may come out.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let Self::Bands { edges } = self else { return Vec::new() };
        let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return Vec::new() };
        let between = edges.iter().zip(edges.iter().skip(1));
        std::iter::once(format!("{first}未満"))
            .chain(between.map(|(from, to)| format!("{from}～{to}")))
            .chain([format!("{last}以上")])
            .collect()
    }

    /// What manifest and reports call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Token { .. } => "token",
            Self::Address { .. } => "address",
            Self::DateTo(_) => "date_to",
            Self::DateShift { .. } => "shift_days",
            Self::Round { .. } => "round",
            Self::Bands { .. } => "bands",
            Self::Limit { .. } => "limit",
            Self::Rare { .. } => "rare_below",
            Self::Allow(_) => "undeclared",
            Self::FreeText => "free_text",
        }
    }

    fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Keep => true,
            Self::Token { .. } | Self::Address { .. } | Self::Bands { .. } => kind == Kind::Code,
            Self::Rare { .. } | Self::Allow(_) | Self::FreeText => kind == Kind::Code,
            Self::DateTo(Precision::Month) => matches!(kind, Kind::Date | Kind::Code),
            Self::DateTo(Precision::Year) => matches!(kind, Kind::Date | Kind::Code | Kind::Int),
            Self::DateShift { .. } => kind == Kind::Date,
            Self::Round { .. } | Self::Limit { .. } => matches!(kind, Kind::Int | Kind::Float),
        }
    }
}

/// The rule of a column; `codes` says whether the column declares its codes.
pub(super) fn read(column: &TableReader<'_, '_>, kind: Kind, codes: bool) -> Rule {
    let Some(table) = column.optional_table("rule") else { return Rule::Keep };
    let rule = choose(&table);
    table.refuse_unknown();
    let Some(rule) = rule else { return Rule::Keep };
    if !rule.fits(kind) {
        column.bad("rule", format!("`{}` is no rule for a {kind} column", rule.name()));
    }
    if matches!(rule, Rule::Allow(_)) && !codes {
        column.bad("rule", "`undeclared` needs the column's codes declared".to_owned());
    }
    rule
}

fn choose(table: &TableReader<'_, '_>) -> Option<Rule> {
    const KEYS: [&str; 10] = [
        "token",
        "address",
        "date_to",
        "shift_days",
        "round",
        "bands",
        "bottom",
        "top",
        "rare_below",
        "undeclared",
    ];
    if table.flag("free_text") {
        return Some(Rule::FreeText);
    }
    // Asked for in a fixed order, so that a key of a second rule is left over as unknown.
    let key = KEYS.into_iter().find(|key| table.has(key));
    match key {
        Some("token") => Some(Rule::Token { purpose: table.text("token") }),
        Some("address") => address(table),
        Some("date_to") => date_to(table),
        Some("shift_days") => Some(Rule::DateShift { days: whole(table, "shift_days", 1, 3650)? }),
        Some("round") => round(table),
        Some("bands") => bands(table),
        Some("bottom" | "top") => limit(table),
        Some("rare_below") => Some(Rule::Rare {
            below: whole(table, "rare_below", 2, 1_000_000)?,
            other: table.text("other"),
        }),
        Some("undeclared") => undeclared(table),
        _ => {
            table.bad("", format!("wanted free_text or one of {}", KEYS.join(", ")));
            None
        }
    }
}

fn address(table: &TableReader<'_, '_>) -> Option<Rule> {
    let level = match table.text("address").as_str() {
        "prefecture" => AddressLevel::Prefecture,
        "municipality" => AddressLevel::Municipality,
        _ => {
            table.bad("address", "wanted prefecture or municipality".to_owned());
            return None;
        }
    };
    let min_population = whole(table, "min_population", 0, 100_000_000)?;
    Some(Rule::Address { level, min_population: u64::from(min_population) })
}

fn date_to(table: &TableReader<'_, '_>) -> Option<Rule> {
    match table.text("date_to").as_str() {
        "month" => Some(Rule::DateTo(Precision::Month)),
        "year" => Some(Rule::DateTo(Precision::Year)),
        _ => {
            table.bad("date_to", "wanted month or year".to_owned());
            None
        }
    }
}

fn round(table: &TableReader<'_, '_>) -> Option<Rule> {
    let step = table.optional_number("round")?;
    if step <= 0.0 {
        table.bad("round", "wanted a step above 0".to_owned());
        return None;
    }
    Some(Rule::Round { step })
}

fn bands(table: &TableReader<'_, '_>) -> Option<Rule> {
    let edges = table.optional_numbers("bands")?;
    let rising = edges.iter().zip(edges.iter().skip(1)).all(|(low, high)| low < high);
    if edges.is_empty() || edges.len() > 1000 || !rising {
        table.bad("bands", "wanted 1 to 1000 rising numbers".to_owned());
        return None;
    }
    Some(Rule::Bands { edges })
}

fn limit(table: &TableReader<'_, '_>) -> Option<Rule> {
    let (bottom, top) = (table.optional_number("bottom"), table.optional_number("top"));
    if bottom.zip(top).is_some_and(|(bottom, top)| bottom > top) {
        table.bad("top", "bottom must not be above top".to_owned());
        return None;
    }
    Some(Rule::Limit { bottom, top })
}

fn undeclared(table: &TableReader<'_, '_>) -> Option<Rule> {
    let undeclared = match table.text("undeclared").as_str() {
        "missing" => Undeclared::Missing,
        "other" => Undeclared::Other(table.text("other")),
        "row" => Undeclared::Row,
        _ => {
            table.bad("undeclared", "wanted missing, other or row".to_owned());
            return None;
        }
    };
    Some(Rule::Allow(undeclared))
}

fn whole(table: &TableReader<'_, '_>, key: &'static str, low: u32, high: u32) -> Option<u32> {
    let number = table.optional_number(key).unwrap_or(0.0);
    if number.fract() != 0.0 || number < f64::from(low) || number > f64::from(high) {
        table.bad(key, format!("wanted a whole number from {low} to {high}"));
        return None;
    }
    Some(number as u32)
}

/// The source columns a table removes.
pub(super) fn removed(table: &TableReader<'_, '_>) -> Vec<Removed> {
    let removed = table.optional_tables("removed");
    let read = |reader: &TableReader<'_, '_>| {
        let removed = Removed {
            source: reader.text("source"),
            because: super::parse::text(reader, "because"),
        };
        reader.refuse_unknown();
        removed
    };
    removed.iter().map(read).collect()
}
