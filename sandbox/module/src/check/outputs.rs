mod kinds;
mod regression;

use super::Errors;
use crate::manifest::{
    Aggregate, AggregateKind, Contributed, HistogramSpec, KeySpec, OutputBody, OutputSpec,
    SurvivalSpec, TableColumnSpec, TableInput, TableRole, TableSpec, World,
};
use crate::raw::{RawDefault, RawKey, RawOutput, RawTableColumn};

const MAX_OUTPUTS: usize = 32;
const MAX_KEYS: usize = 4;
pub(super) const MAX_CELLS: usize = 10_000;
const MAX_TABLE_COLUMNS: usize = 32;
pub(super) const MAX_CONTRIBUTIONS: u32 = 256;
const MOST_CLAMP: f64 = 1e15;
const LEAST_CLAMP: f64 = 1e-9;

pub(super) fn outputs(
    raw: Vec<RawOutput>,
    world: World,
    tables: &[TableInput],
    errors: &mut Errors,
) -> Vec<OutputSpec> {
    if raw.is_empty() {
        errors.add("missing", "outputs", "declare at least one output");
    }
    errors.at_most("outputs", "outputs", raw.len(), MAX_OUTPUTS);
    errors.unique("outputs", raw.iter().map(|o| o.name.as_str()));
    raw.into_iter().filter_map(|o| output(o, world, tables, errors)).collect()
}

fn output(
    raw: RawOutput,
    world: World,
    tables: &[TableInput],
    errors: &mut Errors,
) -> Option<OutputSpec> {
    let at = format!("outputs.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    errors.name(&at, &raw.name);
    errors.text(&at, &raw.title, 200);
    refuse_strangers(&at, &raw, world, errors);
    let (name, title) = (raw.name.clone(), raw.title.clone());
    let body = match (world, raw.kind.as_str()) {
        (
            World::PerPatient,
            "count" | "sum" | "histogram" | "quantile" | "contingency" | "survival",
        ) => OutputBody::Aggregate(aggregate(&at, raw, tables, errors)),
        (World::Cohort, "table") => OutputBody::Table(table(&at, raw, tables, errors)),
        // Without dictionaries: a reducer learns nothing of the codes there are.
        (World::Rounds, "table") => OutputBody::Table(table(&at, raw, &[], errors)),
        (World::Cohort, "histogram") => OutputBody::Histogram(histogram(&at, raw, tables, errors)),
        (World::Cohort, "survival") => OutputBody::Survival(SurvivalSpec {
            time_unit: unit(&at, raw.unit, errors),
            keys: keys(&at, raw.keys.unwrap_or_default(), world, tables, errors),
        }),
        (World::Cohort | World::Rounds, "coefficients") => {
            OutputBody::Coefficients(regression::coefficients(&at, raw, errors))
        }
        (World::Cohort | World::Rounds, "text") => OutputBody::Text,
        (_, other) => {
            let kinds = match world {
                World::PerPatient => "count, sum, histogram, quantile, contingency or survival",
                World::Cohort => "table, histogram, survival, coefficients or text",
                World::Rounds => "table, coefficients or text",
            };
            let message = format!("`{other}` must be {kinds} in the {} world", world.name());
            errors.add("output_kind", &at, message);
            return None;
        }
    };
    Some(OutputSpec { name, title, body })
}

/// Keys that are known, but mean nothing for this kind of output.
fn refuse_strangers(at: &str, raw: &RawOutput, world: World, errors: &mut Errors) {
    let kind = raw.kind.as_str();
    let valued = matches!(kind, "sum" | "histogram" | "quantile" | "survival");
    let host_made = world == World::PerPatient;
    let present = [
        ("clamp", raw.clamp.is_some(), matches!(kind, "sum" | "quantile")),
        ("probabilities", raw.probabilities.is_some(), kind == "quantile"),
        ("stratum", raw.stratum.is_some(), host_made && matches!(kind, "contingency" | "survival")),
        ("compare", raw.compare.is_some(), host_made && kind == "survival"),
        ("causes", raw.causes.is_some(), host_made && kind == "survival"),
        ("edges", raw.edges.is_some(), kind == "histogram"),
        ("columns", raw.columns.is_some(), kind == "table"),
        ("keys", raw.keys.is_some(), !matches!(kind, "table" | "coefficients" | "text")),
        ("model", raw.model.is_some(), kind == "coefficients"),
        ("scale", raw.scale.is_some(), kind == "coefficients"),
        ("terms", raw.terms.is_some(), kind == "coefficients"),
        ("of", raw.of.is_some(), kind == "coefficients" && world == World::Rounds),
        ("unit", raw.unit.is_some(), valued),
        ("max_contributions", raw.max_contributions.is_some(), host_made),
        ("default", raw.default.is_some(), host_made),
        (
            "suppress_small",
            raw.suppress_small.is_some(),
            matches!(kind, "count" | "sum" | "quantile"),
        ),
    ];
    for (key, given, belongs) in present {
        if given && !belongs {
            let message = format!("`{key}` has no meaning for a `{kind}` of this world");
            errors.add("unknown_key", at, message);
        }
    }
}

fn aggregate(at: &str, raw: RawOutput, tables: &[TableInput], errors: &mut Errors) -> Aggregate {
    let unit = unit(at, raw.unit, errors);
    let kind = match raw.kind.as_str() {
        "sum" => {
            let [low, high] = clamp(at, raw.clamp, errors);
            AggregateKind::Sum { unit, low, high }
        }
        "quantile" => {
            let [low, high] = clamp(at, raw.clamp, errors);
            let thousandths = kinds::probabilities(at, raw.probabilities, errors);
            AggregateKind::Quantile { unit, low, high, thousandths }
        }
        "contingency" => AggregateKind::Contingency,
        "histogram" => {
            let edges = raw.edges.unwrap_or_default();
            errors.edges(at, &edges);
            AggregateKind::Histogram { unit, edges }
        }
        "survival" => kinds::survival(at, unit, raw.compare, raw.causes, errors),
        _ => AggregateKind::Count,
    };
    let max_contributions = raw.max_contributions.unwrap_or(1);
    if !(1..=MAX_CONTRIBUTIONS).contains(&max_contributions) {
        let message = format!("max_contributions must be from 1 to {MAX_CONTRIBUTIONS}");
        errors.add("max_contributions", at, message);
    }
    let stratified = raw.stratum.is_some();
    let all: Vec<_> = raw.keys.unwrap_or_default().into_iter().chain(raw.stratum).collect();
    let mut made = Aggregate {
        kind,
        keys: keys(at, all, World::PerPatient, tables, errors),
        stratified,
        max_contributions,
        default: None,
        suppress_small: raw.suppress_small.unwrap_or(false),
    };
    errors.at_most(at, "cells", made.cells(), MAX_CELLS);
    kinds::groups(at, &made, errors);
    made.default = raw.default.map(|d| default(at, d, &made, errors));
    made
}

/// Ends of the range to which values are clamped.
pub(super) fn clamp(at: &str, given: Option<[f64; 2]>, errors: &mut Errors) -> [f64; 2] {
    let [low, high] = given.unwrap_or([f64::NAN, f64::NAN]);
    // The host keeps scaled integers: a range far outside medicine would lose digits.
    let sensible = low.abs() <= MOST_CLAMP && high.abs() <= MOST_CLAMP;
    if !(sensible && high - low >= LEAST_CLAMP) {
        let message = "values need `clamp = [low, high]`, within 1e15 and 1e-9 apart";
        errors.add("clamp", at, message);
    }
    [low, high]
}

fn default(at: &str, raw: RawDefault, of: &Aggregate, errors: &mut Errors) -> Contributed {
    errors.unknown(&format!("{at}.default"), &raw.unknown);
    let keys_fit = raw.keys.len() == of.keys.len()
        && raw
            .keys
            .iter()
            .zip(&of.keys)
            .all(|(&position, key)| (position as usize) < key.labels().len());
    let values_fit = raw.values.len() == of.arity() && raw.values.iter().all(|v| v.is_finite());
    let event_fits = match of.kind {
        AggregateKind::Survival { .. } => matches!(
            raw.values.as_slice(),
            [time, event] if *time >= 0.0
                && (0..=of.kind.events()).any(|known| *event == f64::from(known))
        ),
        _ => true,
    };
    if !keys_fit || !values_fit || !event_fits {
        let message = format!(
            "the default contribution needs {} label positions and {} values in their domains",
            of.keys.len(),
            of.arity()
        );
        errors.add("default", at, message);
    }
    Contributed { keys: raw.keys, values: raw.values }
}

fn histogram(
    at: &str,
    raw: RawOutput,
    tables: &[TableInput],
    errors: &mut Errors,
) -> HistogramSpec {
    let edges = raw.edges.unwrap_or_default();
    errors.edges(at, &edges);
    HistogramSpec {
        unit: unit(at, raw.unit, errors),
        edges,
        keys: keys(at, raw.keys.unwrap_or_default(), World::Cohort, tables, errors),
    }
}

fn unit(at: &str, unit: Option<String>, errors: &mut Errors) -> String {
    let unit = unit.unwrap_or_default();
    errors.optional_text(at, &unit, 40);
    unit
}

pub(super) fn keys(
    at: &str,
    raw: Vec<RawKey>,
    world: World,
    tables: &[TableInput],
    errors: &mut Errors,
) -> Vec<KeySpec> {
    errors.at_most(at, "keys", raw.len(), MAX_KEYS);
    errors.unique(at, raw.iter().map(|k| k.name.as_str()));
    raw.into_iter()
        .map(|key| {
            let at = format!("{at}.keys.{}", key.name);
            errors.unknown(&at, &key.unknown);
            errors.text(&at, &key.name, 80);
            KeySpec {
                domain: errors.domain(&at, key.labels, key.codes_of, tables, world),
                name: key.name,
            }
        })
        .collect()
}

fn table(at: &str, raw: RawOutput, tables: &[TableInput], errors: &mut Errors) -> TableSpec {
    let columns = raw.columns.unwrap_or_default();
    if columns.is_empty() {
        errors.add("missing", at, "declare at least one column");
    }
    errors.at_most(at, "columns", columns.len(), MAX_TABLE_COLUMNS);
    errors.unique(at, columns.iter().map(|c| c.name.as_str()));
    let columns: Vec<_> =
        columns.into_iter().map(|c| table_column(at, c, tables, errors)).collect();
    TableSpec { columns }
}

fn table_column(
    at: &str,
    raw: RawTableColumn,
    tables: &[TableInput],
    errors: &mut Errors,
) -> TableColumnSpec {
    let at = format!("{at}.columns.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    errors.text(&at, &raw.name, 80);
    errors.optional_text(&at, &raw.unit, 40);
    let keyed = raw.labels.is_some() || raw.codes_of.is_some();
    if keyed && raw.role != "key" {
        errors.add("unknown_key", &at, "`labels` and `codes_of` belong to role `key`");
    }
    let role = match raw.role.as_str() {
        "key" => {
            TableRole::Key(errors.domain(&at, raw.labels, raw.codes_of, tables, World::Cohort))
        }
        "patient_count" => TableRole::PatientCount,
        "count" => TableRole::Count,
        "statistic" => TableRole::Statistic,
        other => {
            let message = format!("`{other}` must be key, patient_count, count or statistic");
            errors.add("role", &at, message);
            TableRole::Count
        }
    };
    TableColumnSpec { name: raw.name, unit: raw.unit, role }
}
