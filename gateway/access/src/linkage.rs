//! The linkage matrix (連結可否表): which databases may be analysed together, from when
//! (LK-1, LK-3). Deny is the default: a pair that no rule names stays closed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sekisho_domain::{Timestamp, dataset::InformationKind};
use serde::Deserialize;

const MATRIX: &str = include_str!("../../../policies/linkage.toml");

/// The matrix cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the linkage matrix cannot be used: {0}")]
pub struct LinkageError(String);

/// Dates set by stewards, by rule.
pub type LinkageDates = BTreeMap<String, Timestamp>;

/// When a rule opens its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// At an instant the law names.
    From(Timestamp),
    /// On a date that only a steward sets (政令で定める日).
    BySteward,
}

/// One rule of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkageRule {
    /// Identifier.
    pub id: String,
    /// The kind of information on both sides.
    pub holds: InformationKind,
    /// Databases on one side.
    pub between: BTreeSet<String>,
    /// Databases on the other side; the same ones when the rule is about any two of them.
    pub and: BTreeSet<String>,
    /// When it opens.
    pub opens: Opens,
    /// Where it stands.
    pub source: String,
}

impl LinkageRule {
    /// Whether it is open at `at`.
    #[must_use]
    pub fn is_open(&self, dates: &LinkageDates, at: Timestamp) -> bool {
        match self.opens {
            Opens::From(from) => from <= at,
            Opens::BySteward => dates.get(&self.id).is_some_and(|date| *date <= at),
        }
    }

    fn names(&self, one: &LinkedPart, other: &LinkedPart) -> bool {
        let names = |a: &LinkedPart, b: &LinkedPart| {
            self.between.contains(&a.database) && self.and.contains(&b.database)
        };
        self.holds == one.holds && (names(one, other) || names(other, one))
    }
}

/// One dataset of a joined view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPart {
    /// Its database.
    pub database: String,
    /// What it holds.
    pub holds: InformationKind,
}

impl fmt::Display for LinkedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.database, self.holds.name())
    }
}

/// The site's matrix.
#[derive(Debug, Clone)]
pub struct LinkageMatrix(Vec<LinkageRule>);

impl LinkageMatrix {
    /// The matrix in `policies/linkage.toml`.
    ///
    /// # Errors
    /// [`LinkageError`] when it does not parse.
    pub fn shipped() -> Result<Self, LinkageError> {
        Self::parse(MATRIX)
    }

    fn parse(text: &str) -> Result<Self, LinkageError> {
        let document: Document =
            toml::from_str(text).map_err(|error| LinkageError(error.to_string()))?;
        let rules: Vec<_> =
            document.rule.into_iter().map(RuleEntry::rule).collect::<Result<_, _>>()?;
        let ids: BTreeSet<_> = rules.iter().map(|rule| &rule.id).collect();
        if ids.len() != rules.len() {
            return Err(LinkageError("two rules have one id".to_owned()));
        }
        Ok(Self(rules))
    }

    /// All rules.
    #[must_use]
    pub fn rules(&self) -> &[LinkageRule] {
        &self.0
    }

    /// A rule whose date only a steward sets.
    #[must_use]
    pub fn steward_rule(&self, id: &str) -> Option<&LinkageRule> {
        self.0.iter().find(|rule| rule.id == id && rule.opens == Opens::BySteward)
    }

    /// The pairs of `parts` that may not be joined at `at`, in words; empty when all may.
    #[must_use]
    pub fn closed(&self, parts: &[LinkedPart], dates: &LinkageDates, at: Timestamp) -> Vec<String> {
        let mut closed = Vec::new();
        for (index, one) in parts.iter().enumerate() {
            for other in parts.iter().skip(index + 1) {
                if !self.is_open(one, other, dates, at) {
                    closed.push(format!("{one} with {other}"));
                }
            }
        }
        closed
    }

    fn is_open(
        &self,
        one: &LinkedPart,
        other: &LinkedPart,
        dates: &LinkageDates,
        at: Timestamp,
    ) -> bool {
        if one.holds != other.holds {
            return false;
        }
        one.database == other.database
            || self.0.iter().any(|rule| rule.names(one, other) && rule.is_open(dates, at))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    id: String,
    holds: InformationKind,
    from: Option<String>,
    opens: Option<String>,
    between: BTreeSet<String>,
    and: Option<BTreeSet<String>>,
    source: String,
}

impl RuleEntry {
    fn rule(self) -> Result<LinkageRule, LinkageError> {
        let Self { id, holds, from, opens, between, and, source } = self;
        let wrong = |why: &str| LinkageError(format!("{id}: {why}"));
        let opens = match (from, opens.as_deref()) {
            (Some(day), None) => Opens::From(
                Timestamp::start_of_day_in_japan(&day).ok_or_else(|| wrong("from is no date"))?,
            ),
            (None, Some("steward")) => Opens::BySteward,
            _ => return Err(wrong("give either `from`, a date, or `opens = \"steward\"`")),
        };
        let and = and.unwrap_or_else(|| between.clone());
        Ok(LinkageRule { id, holds, between, and, opens, source })
    }
}

#[cfg(test)]
mod tests {
    use InformationKind::{Anonymised, Pseudonymised};

    use super::*;

    fn day(date: &str) -> Timestamp {
        Timestamp::start_of_day_in_japan(date).unwrap()
    }

    fn closed(one: (&str, InformationKind), other: (&str, InformationKind), at: Timestamp) -> bool {
        closed_with(one, other, &LinkageDates::new(), at)
    }

    fn closed_with(
        one: (&str, InformationKind),
        other: (&str, InformationKind),
        dates: &LinkageDates,
        at: Timestamp,
    ) -> bool {
        let part =
            |(database, holds): (&str, _)| LinkedPart { database: database.to_owned(), holds };
        let matrix = LinkageMatrix::shipped().unwrap();
        let there = matrix.closed(&[part(one), part(other)], dates, at).is_empty();
        let back = matrix.closed(&[part(other), part(one)], dates, at).is_empty();
        assert_eq!(there, back, "the matrix is symmetric");
        !there
    }

    /// The pairs of databases that the sources name, each with the day it opens.
    fn pairs_of_the_sources() -> (Vec<&'static str>, BTreeMap<[&'static str; 2], &'static str>) {
        const TABLE: &str = include_str!("../../../tests/data/databases.tsv");
        let mut lines = TABLE.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let days: Vec<_> = header.iter().map(|name| name.strip_prefix("linkable_from_")).collect();
        let (mut databases, mut pairs) = (Vec::new(), BTreeMap::new());
        for row in lines {
            databases.push(row[0]);
            for (cell, day) in row.iter().zip(&days) {
                let Some(day) = *day else { continue };
                let others = cell.split(',').filter(|other| !other.is_empty());
                pairs.extend(others.map(|other| ([row[0], other], day)));
            }
        }
        (databases, pairs)
    }

    #[test]
    fn lk_1_every_pair_opens_on_the_day_that_the_sources_name_or_never() {
        let (databases, pairs) = pairs_of_the_sources();
        assert_eq!((databases.len(), pairs.len()), (12, 28));
        for one in &databases {
            for other in databases.iter().filter(|other| *other != one) {
                let (ours, theirs) = ((*one, Anonymised), (*other, Anonymised));
                let opens = pairs.get(&[*one, *other]);
                assert_eq!(opens, pairs.get(&[*other, *one]), "{one} with {other}");
                assert_eq!(
                    opens.is_none(),
                    closed(ours, theirs, day("2099-01-01")),
                    "{one} {other}"
                );
                let Some(opens) = opens else { continue };
                let before = Timestamp::from_millis(day(opens).millis() - 1);
                assert!(closed(ours, theirs, before), "{one} with {other} before {opens}");
                assert!(
                    !closed(ours, theirs, day(opens)),
                    "{one} with {other} from {opens}, Japan"
                );
            }
        }
    }

    #[test]
    fn lk_1_what_no_rule_names_stays_closed() {
        let (ours, unheard_of) = (("jisedai", Anonymised), ("unheard_of", Anonymised));
        assert!(closed(ours, unheard_of, day("2099-01-01")));
    }

    #[test]
    fn lk_1_two_kinds_never_meet() {
        let late = day("2099-01-01");
        for database in ["jisedai", "ndb", "kaigo", "dpc"] {
            assert!(closed(("jisedai", Pseudonymised), (database, Anonymised), late));
        }
        let dates = LinkageDates::from([("pseudonymised_public".to_owned(), day("2020-01-01"))]);
        assert!(closed_with(("jisedai", Pseudonymised), ("ndb", Anonymised), &dates, late));
    }

    #[test]
    fn lk_3_pseudonymised_information_waits_for_the_date_a_steward_sets() {
        let (ours, ndb) = (("jisedai", Pseudonymised), ("ndb", Pseudonymised));
        assert!(closed(ours, ndb, day("2099-01-01")), "no clock opens it");
        let opens = day("2028-12-01");
        let dates = LinkageDates::from([("pseudonymised_public".to_owned(), opens)]);
        let before = Timestamp::from_millis(opens.millis() - 1);
        assert!(closed_with(ours, ndb, &dates, before));
        assert!(!closed_with(ours, ndb, &dates, opens));
        let other = LinkageDates::from([("anonymised_public_2024".to_owned(), opens)]);
        assert!(closed_with(ours, ndb, &other, opens));
    }

    #[test]
    fn datasets_of_one_database_and_kind_may_meet() {
        let early = day("2020-01-01");
        assert!(!closed(("jisedai", Pseudonymised), ("jisedai", Pseudonymised), early));
        assert!(!closed(("ndb", Anonymised), ("ndb", Anonymised), early));
    }

    #[test]
    fn every_pair_of_a_view_is_looked_at() {
        let part = |database: &str| LinkedPart { database: database.to_owned(), holds: Anonymised };
        let matrix = LinkageMatrix::shipped().unwrap();
        let parts = [part("jisedai"), part("ndb"), part("shogai")];
        let closed = matrix.closed(&parts, &LinkageDates::new(), day("2026-06-01"));
        assert_eq!(closed, ["ndb (anonymised_info) with shogai (anonymised_info)"]);
    }

    #[test]
    fn a_matrix_that_says_nothing_clear_is_refused() {
        let rule = |opens: &str| {
            format!(
                "[[rule]]\nid = 'a'\nholds = 'anonymised_info'\nbetween = ['x']\nsource = ''\n{opens}\n"
            )
        };
        assert!(LinkageMatrix::parse(&rule("from = '2024-04-01'")).is_ok());
        let twice = rule("from = '2024-04-01'").repeat(2);
        for text in [
            &rule(""),
            &rule("from = 'soon'"),
            &rule("opens = 'always'"),
            &rule("from = '2024-04-01'\nopens = 'steward'"),
            &rule("from = '2024-04-01'\nnever = true"),
            &twice,
        ] {
            assert!(LinkageMatrix::parse(text).is_err(), "{text}");
        }
    }
}
