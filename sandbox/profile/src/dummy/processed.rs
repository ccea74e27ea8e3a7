use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::draw::Drawn;
use crate::{ColumnSpec, Kind, Rule};

/// Letters of RFC 4648 base32, lower case, as keyed codes are spelled.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Makes of a drawn value what the column's rule makes of a real one, so that a module meets
/// months as their first days, bands, limits and keyed codes when it is developed.
pub(super) struct Processed<'p> {
    spec: &'p ColumnSpec,
    /// Of a rule that makes bands.
    labels: Vec<String>,
}

impl<'p> Processed<'p> {
    pub(super) fn new(spec: &'p ColumnSpec) -> Self {
        Self { spec, labels: spec.rule.labels() }
    }

    pub(super) fn code<'d>(&self, drawn: Drawn<'d>) -> Option<Cow<'d, str>> {
        match (&self.spec.rule, drawn) {
            (Rule::Token { purpose }, Drawn::Code(text)) => Some(keyed(purpose, text).into()),
            (_, Drawn::Code(text)) => Some(text.into()),
            (Rule::DateTo(precision), Drawn::Day(day)) => precision.code(day).map(Cow::from),
            (Rule::Bands { edges }, Drawn::Number(number)) => {
                let band = self.labels.get(edges.partition_point(|edge| *edge <= number));
                band.cloned().map(Cow::from)
            }
            _ => None,
        }
    }

    pub(super) fn number(&self, drawn: Drawn<'_>) -> Option<f64> {
        match (&self.spec.rule, drawn) {
            (rule, Drawn::Number(number)) => Some(rule.coarser(number)),
            (Rule::DateTo(precision), Drawn::Day(day)) => {
                let first = precision.first_day(day)?;
                match self.spec.kind {
                    Kind::Date => Some(f64::from(first)),
                    _ => crate::year_month(first).map(|(year, _)| f64::from(year)),
                }
            }
            (_, Drawn::Day(day)) => Some(f64::from(day)),
            _ => None,
        }
    }
}

/// Looks like a keyed code of a real text. There is no key here, and the text is made up.
fn keyed(purpose: &str, text: &str) -> String {
    let digest = Sha256::digest(format!("{purpose}\n{text}").as_bytes());
    let letter = |byte: &u8| BASE32.get(usize::from(byte & 31)).copied().map_or('-', char::from);
    digest.iter().take(16).map(letter).collect()
}
