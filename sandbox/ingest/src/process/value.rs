use std::collections::HashSet;

use sekisho_dataset::{ColumnSpec, Kind, MAX_CODE_BYTES, Profile, Rule, Undeclared, year_month};

use super::address::Areas;
use super::dates;
use super::free_text::Scrubber;
use super::person::normalised;
use crate::Pseudonyms;

/// Longest field of any kind, in bytes.
pub(crate) const MAX_FIELD_BYTES: usize = 1024;

/// A processed value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Token(u64),
    Code(Option<String>),
    Int(Option<i64>),
    Float(Option<f64>),
    Date(Option<i32>),
    /// The whole row is left out by rule.
    NoRow,
}

impl Value {
    /// The number it is, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => number.map(|number| number as f64),
            Self::Float(number) => *number,
            _ => None,
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Code(None) | Self::Int(None) | Self::Float(None) | Self::Date(None) | Self::NoRow
        )
    }
}

/// A value and whether the rule changed it.
pub(super) struct Made {
    pub(super) value: Value,
    pub(super) changed: bool,
}

/// What is wrong with a field: code and reason.
pub(super) type Wrong = (&'static str, String);

/// What a rule may need to know besides the value.
pub(super) struct About<'a> {
    pub(super) names: &'a Pseudonyms,
    pub(super) id: &'a [u8],
    pub(super) scrubber: &'a mut Option<Scrubber>,
}

/// What a column's rule needs that is prepared once.
pub(super) enum Step {
    Nothing,
    Areas(Areas),
    Frequent(HashSet<String>),
    Bands(Vec<String>),
}

impl Step {
    pub(super) fn new(profile: &Profile, spec: &ColumnSpec, frequent: HashSet<String>) -> Self {
        match &spec.rule {
            Rule::Address { level, min_population } => {
                Self::Areas(Areas::new(profile, *level, *min_population))
            }
            Rule::Rare { .. } => Self::Frequent(frequent),
            Rule::Bands { .. } => Self::Bands(spec.rule.labels()),
            _ => Self::Nothing,
        }
    }

    /// Makes the value of one field; `text` is `None` when it is missing.
    pub(super) fn apply(
        &self,
        spec: &ColumnSpec,
        text: Option<&str>,
        about: &mut About<'_>,
    ) -> Result<Made, Wrong> {
        let Some(text) = text else { return missing(spec) };
        let plain_code = spec.kind == Kind::Code && spec.rule == Rule::Keep;
        let longest = if plain_code { MAX_CODE_BYTES } else { MAX_FIELD_BYTES };
        if text.len() > longest {
            let reason = format!("{} bytes, at most {longest} are taken", text.len());
            return Err(("source.long_field", reason));
        }
        match spec.kind {
            Kind::Code => self.code(spec, text, about),
            Kind::Int => int(spec, text),
            Kind::Float => float(spec, text),
            Kind::Date => date(spec, text, about),
            // Patients are numbered before any rule is asked.
            Kind::Patient => Err(("source.bad_value", "a patient is no value".to_owned())),
        }
    }

    fn code(&self, spec: &ColumnSpec, text: &str, about: &mut About<'_>) -> Result<Made, Wrong> {
        let code = match (&spec.rule, self) {
            (Rule::Token { purpose }, _) => Some(about.names.code(purpose, &normalised(text))),
            (Rule::Address { .. }, Self::Areas(areas)) => areas.of(text),
            (Rule::DateTo(precision), _) => precision.code(in_range(spec, day(text)?)?),
            (Rule::Bands { edges }, Self::Bands(labels)) => {
                let number = number(text).ok_or_else(not_a_number)?;
                check_range(spec, number)?;
                labels.get(edges.partition_point(|edge| *edge <= number)).cloned()
            }
            (Rule::Rare { other, .. }, Self::Frequent(frequent)) => {
                declared(spec, text)?;
                Some(if frequent.contains(text) { text.to_owned() } else { other.clone() })
            }
            (Rule::Allow(undeclared), _) if !spec.codes.contains_key(text) => match undeclared {
                Undeclared::Missing => None,
                Undeclared::Other(other) => Some(other.clone()),
                Undeclared::Row => return Ok(Made { value: Value::NoRow, changed: true }),
            },
            (Rule::FreeText, _) => {
                about.scrubber.as_mut().map(|scrubber| scrubber.scrub(text)).transpose()?
            }
            _ => {
                declared(spec, text)?;
                return Ok(Made { value: Value::Code(Some(text.to_owned())), changed: false });
            }
        };
        if code.is_none() && !spec.nullable {
            return Err(("source.no_value_left", "the rule leaves nothing of it".to_owned()));
        }
        let changed = code.as_deref() != Some(text);
        Ok(Made { value: Value::Code(code), changed })
    }
}

fn missing(spec: &ColumnSpec) -> Result<Made, Wrong> {
    if !spec.nullable {
        return Err(("source.missing_value", "a value is needed".to_owned()));
    }
    let value = match spec.kind {
        Kind::Int => Value::Int(None),
        Kind::Float => Value::Float(None),
        Kind::Date => Value::Date(None),
        Kind::Code | Kind::Patient => Value::Code(None),
    };
    Ok(Made { value, changed: false })
}

fn declared(spec: &ColumnSpec, code: &str) -> Result<(), Wrong> {
    if spec.codes.is_empty() || spec.codes.contains_key(code) {
        return Ok(());
    }
    Err(("source.undeclared_code", "not among the codes the profile declares".to_owned()))
}

fn int(spec: &ColumnSpec, text: &str) -> Result<Made, Wrong> {
    if let Rule::DateTo(_) = spec.rule {
        let year = year_month(in_range(spec, day(text)?)?).map(|(year, _)| i64::from(year));
        return Ok(Made { value: Value::Int(year), changed: true });
    }
    let read: i64 =
        text.parse().map_err(|_| ("source.bad_number", "not a whole number".to_owned()))?;
    check_range(spec, read as f64)?;
    let made = match &spec.rule {
        Rule::Round { .. } | Rule::Limit { .. } => spec.rule.coarser(read as f64) as i64,
        _ => read,
    };
    Ok(Made { value: Value::Int(Some(made)), changed: made != read })
}

fn float(spec: &ColumnSpec, text: &str) -> Result<Made, Wrong> {
    let read = number(text).ok_or_else(not_a_number)?;
    check_range(spec, read)?;
    let made = spec.rule.coarser(read);
    Ok(Made { value: Value::Float(Some(made)), changed: made != read })
}

fn date(spec: &ColumnSpec, text: &str, about: &About<'_>) -> Result<Made, Wrong> {
    let read = in_range(spec, day(text)?)?;
    let made = match &spec.rule {
        Rule::DateTo(precision) => precision.first_day(read).unwrap_or(read),
        Rule::DateShift { days } => read.saturating_add(about.names.shift(about.id, *days)),
        _ => read,
    };
    Ok(Made { value: Value::Date(Some(made)), changed: made != read })
}

fn day(text: &str) -> Result<i32, Wrong> {
    dates::days(text).ok_or_else(|| {
        let reason = "not a date YYYY-MM-DD, YYYY/M/D or YYYYMMDD from 1850 to 2200";
        ("source.bad_date", reason.to_owned())
    })
}

fn in_range(spec: &ColumnSpec, days: i32) -> Result<i32, Wrong> {
    // A code made of a date has no dates to be held against.
    if spec.kind != Kind::Date {
        return Ok(days);
    }
    check_range(spec, f64::from(days)).map(|()| days)
}

fn check_range(spec: &ColumnSpec, number: f64) -> Result<(), Wrong> {
    match spec.range {
        Some((low, high)) if number < low || number > high => {
            Err(("source.out_of_range", "outside the range the profile gives".to_owned()))
        }
        _ => Ok(()),
    }
}

fn not_a_number() -> Wrong {
    ("source.bad_number", "not a finite decimal number".to_owned())
}

/// A decimal number; Rust would also take `inf`, `nan` and their spellings.
fn number(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let number: f64 = text.bytes().all(plain).then(|| text.parse().ok()).flatten()?;
    number.is_finite().then_some(number)
}
