//! What the rounds world declares beside the others: how many rounds, and the totals of each.

use super::Errors;
use super::outputs::{MAX_CELLS, MAX_CONTRIBUTIONS, clamp, keys};
use crate::manifest::{
    CoefficientScale, Contributed, OutputBody, OutputSpec, Ties, TotalKind, TotalSpec, World,
};
use crate::raw::{RawDefault, RawTotal};

const MAX_ROUNDS: u32 = 50;
const MAX_TOTALS: usize = 8;
const MAX_LENGTH: usize = 4096;
const MAX_COVARIATES: usize = 64;
/// Numbers a reducer is given of one total.
const MAX_NUMBERS: usize = 65_536;

/// The number of rounds, 0 outside the rounds world.
pub(super) fn rounds(raw: Option<u32>, world: World, errors: &mut Errors) -> u32 {
    match (world, raw) {
        (World::Rounds, Some(rounds)) if (1..=MAX_ROUNDS).contains(&rounds) => rounds,
        (World::Rounds, _) => {
            let message = format!("give `rounds`, the most there may be, from 1 to {MAX_ROUNDS}");
            errors.add("rounds", "rounds", message);
            0
        }
        (_, Some(_)) => {
            errors.add("unknown_key", "analysis.toml", "`rounds` belongs to the rounds world");
            0
        }
        (_, None) => 0,
    }
}

pub(super) fn totals(raw: Vec<RawTotal>, world: World, errors: &mut Errors) -> Vec<TotalSpec> {
    if raw.is_empty() == (world == World::Rounds) {
        let (code, message) = match world {
            World::Rounds => ("missing", "declare at least one total"),
            _ => ("unknown_key", "`totals` belong to the rounds world"),
        };
        errors.add(code, "totals", message);
    }
    errors.at_most("totals", "totals", raw.len(), MAX_TOTALS);
    errors.unique("totals", raw.iter().map(|total| total.name.as_str()));
    raw.into_iter().filter_map(|total| self::total(total, errors)).collect()
}

fn total(raw: RawTotal, errors: &mut Errors) -> Option<TotalSpec> {
    let at = format!("totals.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    errors.name(&at, &raw.name);
    refuse_strangers(&at, &raw, errors);
    let kind = kind(&at, &raw, errors)?;
    let [low, high] = clamp(&at, raw.clamp, errors);
    let max_contributions = raw.max_contributions.unwrap_or(1);
    if !(1..=MAX_CONTRIBUTIONS).contains(&max_contributions) {
        let message = format!("max_contributions must be from 1 to {MAX_CONTRIBUTIONS}");
        errors.add("max_contributions", &at, message);
    }
    let keys = keys(&at, raw.keys.unwrap_or_default(), World::Rounds, &[], errors);
    let mut made =
        TotalSpec { name: raw.name, kind, low, high, keys, max_contributions, default: None };
    errors.at_most(&at, "cells", made.cells(), MAX_CELLS);
    if let TotalKind::Vector { length } = made.kind {
        errors.at_most(&at, "numbers", made.cells().saturating_mul(length), MAX_NUMBERS);
    }
    made.default = raw.default.map(|raw| default(&at, raw, &made, errors));
    Some(made)
}

fn refuse_strangers(at: &str, raw: &RawTotal, errors: &mut Errors) {
    for (key, given, of) in [
        ("length", raw.length.is_some(), "vector"),
        ("covariates", raw.covariates.is_some(), "cox"),
        ("ties", raw.ties.is_some(), "cox"),
    ] {
        if given && raw.kind != of {
            errors.add("unknown_key", at, format!("`{key}` belongs to totals of kind `{of}`"));
        }
    }
}

fn kind(at: &str, raw: &RawTotal, errors: &mut Errors) -> Option<TotalKind> {
    let mut number = |key: &'static str, given: Option<usize>, most: usize| {
        let fits = given.filter(|number| (1..=most).contains(number));
        if fits.is_none() {
            errors.add(key, at, format!("give `{key}`, from 1 to {most}"));
        }
        fits
    };
    match raw.kind.as_str() {
        "vector" => {
            number("length", raw.length, MAX_LENGTH).map(|length| TotalKind::Vector { length })
        }
        "cox" => {
            let covariates = number("covariates", raw.covariates, MAX_COVARIATES);
            let ties = match raw.ties.as_deref() {
                None | Some("efron") => Ties::Efron,
                Some("breslow") => Ties::Breslow,
                Some(other) => {
                    errors.add("ties", at, format!("`{other}` must be efron or breslow"));
                    Ties::Efron
                }
            };
            covariates.map(|covariates| TotalKind::Cox { covariates, ties })
        }
        other => {
            errors.add("total_kind", at, format!("`{other}` must be vector or cox"));
            None
        }
    }
}

fn default(at: &str, raw: RawDefault, of: &TotalSpec, errors: &mut Errors) -> Contributed {
    errors.unknown(&format!("{at}.default"), &raw.unknown);
    let values_fit = raw.values.len() == of.arity() && raw.values.iter().all(|v| v.is_finite());
    let event_fits = match of.kind {
        TotalKind::Cox { .. } => matches!(
            raw.values.as_slice(),
            [time, event, ..] if *time >= 0.0 && (*event == 0.0 || *event == 1.0)
        ),
        TotalKind::Vector { .. } => true,
    };
    if of.cell(&raw.keys).is_none() || !values_fit || !event_fits {
        let message = format!(
            "the default contribution needs {} label positions and {} values in their domains",
            of.keys.len(),
            of.arity()
        );
        errors.add("default", at, message);
    }
    Contributed { keys: raw.keys, values: raw.values }
}

/// Every model names a total whose patients, and events, the host counts for it.
pub(super) fn models(
    outputs: &[OutputSpec],
    totals: &[TotalSpec],
    world: World,
    errors: &mut Errors,
) {
    for OutputSpec { name, body, .. } in outputs {
        let OutputBody::Coefficients(spec) = body else { continue };
        if world != World::Rounds {
            continue;
        }
        let of = totals.iter().find(|total| Some(&total.name) == spec.of.as_ref());
        let fits = of.is_some_and(|total| match (spec.scale, total.kind) {
            (CoefficientScale::Identity, TotalKind::Vector { .. })
            | (CoefficientScale::LogHazard, TotalKind::Cox { .. }) => true,
            (CoefficientScale::LogOdds, TotalKind::Vector { .. }) => total.tells_events(),
            _ => false,
        });
        if !fits {
            let message = "`of` must name the total that the model is fitted to: a `vector` on \
                           the scale identity, one with a key of two labels, without and with \
                           the event, on that of log_odds, a `cox` on that of log_hazard";
            errors.add("of", format!("outputs.{name}"), message);
        }
    }
}
