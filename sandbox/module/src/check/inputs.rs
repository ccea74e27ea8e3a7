use std::collections::BTreeSet;

use toml::Value as Toml;

use super::Errors;
use crate::manifest::{ColumnInput, ColumnKind, TableInput, World};
use crate::parameters::{ParameterKind, ParameterSpec};
use crate::raw::{RawColumn, RawParameter, RawTable};

const MAX_TABLES: usize = 16;
const MAX_COLUMNS: usize = 64;
const MAX_PARAMETERS: usize = 32;
/// Brought-in tables; each takes some of the run's memory.
const MAX_BRING_INS: usize = 8;

pub(super) fn tables(raw: Vec<RawTable>, world: World, errors: &mut Errors) -> Vec<TableInput> {
    if raw.is_empty() {
        errors.add("missing", "tables", "declare at least one table");
    }
    errors.at_most("tables", "tables", raw.len(), MAX_TABLES);
    errors.unique("tables", raw.iter().map(|t| t.name.as_str()));
    let tables: Vec<_> = raw.into_iter().map(|t| table(t, world, errors)).collect();
    let columns = tables.iter().flat_map(|table| &table.columns);
    let brought: BTreeSet<_> = columns.filter_map(|c| Some(c.lookup()?.table)).collect();
    errors.at_most("tables", "brought-in tables", brought.len(), MAX_BRING_INS);
    tables
}

fn table(raw: RawTable, world: World, errors: &mut Errors) -> TableInput {
    let at = format!("tables.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    errors.name(&at, &raw.name);
    if raw.columns.is_empty() {
        errors.add("missing", &at, "declare at least one column");
    }
    errors.at_most(&at, "columns", raw.columns.len(), MAX_COLUMNS);
    errors.unique(&at, raw.columns.iter().map(|c| c.name.as_str()));
    let columns: Vec<_> = raw.columns.into_iter().map(|c| column(&at, c, world, errors)).collect();
    looked_up_by_codes(&at, &columns, errors);
    TableInput { name: raw.name, columns }
}

/// A column by which is looked up need not be declared; if it is, then as one of codes.
fn looked_up_by_codes(at: &str, columns: &[ColumnInput], errors: &mut Errors) {
    for lookup in columns.iter().filter_map(ColumnInput::lookup) {
        let declared = columns.iter().find(|column| column.name == lookup.by);
        if declared.is_some_and(|by| by.kind != ColumnKind::Code) {
            errors.add("lookup", at, format!("`by = \"{}\"` must be a column of codes", lookup.by));
        }
    }
}

/// `by` belongs to names of the form `table.column`, and they need it.
fn column_name(at: &str, raw: &RawColumn, errors: &mut Errors) {
    match (raw.name.split_once('.'), &raw.by) {
        (Some((table, column)), Some(by)) => {
            for part in [table, column, by] {
                errors.name(at, part);
            }
        }
        (None, None) => errors.name(at, &raw.name),
        (Some(_), None) => {
            let message = "a column of a brought-in table needs `by`, the column of codes that \
                           are looked up in it";
            errors.add("lookup", at, message);
        }
        (None, Some(_)) => {
            let message = "`by` is for columns of brought-in tables, named `table.column`";
            errors.add("lookup", at, message);
        }
    }
}

fn column(table: &str, raw: RawColumn, world: World, errors: &mut Errors) -> ColumnInput {
    let at = format!("{table}.columns.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    column_name(&at, &raw, errors);
    let kind = match raw.kind.as_str() {
        "patient" => ColumnKind::Patient,
        "code" => ColumnKind::Code,
        "int" => ColumnKind::Int,
        "float" => ColumnKind::Float,
        "date" => ColumnKind::Date,
        other => {
            let message = format!("`{other}` must be patient, code, int, float or date");
            errors.add("column_kind", &at, message);
            ColumnKind::Int
        }
    };
    if raw.by.is_some() && matches!(kind, ColumnKind::Patient | ColumnKind::Date) {
        errors.add("column_kind", &at, "what is looked up is a code, int or float");
    }
    match (world, kind) {
        (world, ColumnKind::Patient) if world.by_patient() => {
            errors.add(
                "column_kind",
                &at,
                "analyses called by patient are never given the patient",
            );
        }
        (world, ColumnKind::Code) if world.by_patient() && raw.codes.is_empty() => {
            errors.add("codes", &at, "list the codes the analysis cares about in `codes`");
        }
        (world, ColumnKind::Code) if world.by_patient() => errors.labels(&at, &raw.codes),
        _ if !raw.codes.is_empty() => {
            let message = "`codes` belongs to code columns of analyses called by patient";
            errors.add("codes", &at, message);
        }
        _ => {}
    }
    ColumnInput { name: raw.name, by: raw.by, kind, codes: raw.codes }
}

pub(super) fn parameters(raw: Vec<RawParameter>, errors: &mut Errors) -> Vec<ParameterSpec> {
    errors.at_most("parameters", "parameters", raw.len(), MAX_PARAMETERS);
    errors.unique("parameters", raw.iter().map(|p| p.name.as_str()));
    raw.into_iter().filter_map(|p| parameter(p, errors)).collect()
}

fn parameter(raw: RawParameter, errors: &mut Errors) -> Option<ParameterSpec> {
    let at = format!("parameters.{}", raw.name);
    errors.unknown(&at, &raw.unknown);
    errors.name(&at, &raw.name);
    errors.optional_text(&at, &raw.title, 200);
    let kind = match raw.kind.as_str() {
        "number" => number(&raw),
        "integer" => integer(&raw),
        "text" => text(&raw, &at, errors),
        "flag" => flag(&raw),
        other => {
            let message = format!("`{other}` must be number, integer, text or flag");
            errors.add("parameter_kind", &at, message);
            return None;
        }
    };
    match kind {
        Ok(kind) => Some(ParameterSpec { name: raw.name, title: raw.title, kind }),
        Err(message) => {
            errors.add("parameter_range", &at, message);
            None
        }
    }
}

fn number(raw: &RawParameter) -> Result<ParameterKind, &'static str> {
    let real = |value: &Option<Toml>| match value {
        Some(Toml::Float(v)) if v.is_finite() => Some(*v),
        // Exact up to 2^53, which is as far as a range of reals needs.
        #[allow(clippy::cast_precision_loss, reason = "see above")]
        Some(Toml::Integer(v)) => Some(*v as f64),
        _ => None,
    };
    match (real(&raw.min), real(&raw.max), real(&raw.default)) {
        (Some(min), Some(max), Some(default))
            if (min..=max).contains(&default) && raw.choices.is_empty() =>
        {
            Ok(ParameterKind::Number { min, max, default })
        }
        _ => Err("a number needs min <= default <= max, all finite, and no choices"),
    }
}

fn integer(raw: &RawParameter) -> Result<ParameterKind, &'static str> {
    let whole = |value: &Option<Toml>| value.as_ref().and_then(Toml::as_integer);
    match (whole(&raw.min), whole(&raw.max), whole(&raw.default)) {
        (Some(min), Some(max), Some(default))
            if (min..=max).contains(&default) && raw.choices.is_empty() =>
        {
            Ok(ParameterKind::Integer { min, max, default })
        }
        _ => Err("an integer needs min <= default <= max and no choices"),
    }
}

fn text(raw: &RawParameter, at: &str, errors: &mut Errors) -> Result<ParameterKind, &'static str> {
    errors.labels(at, &raw.choices);
    match &raw.default {
        Some(Toml::String(default))
            if raw.choices.contains(default) && raw.min.is_none() && raw.max.is_none() =>
        {
            Ok(ParameterKind::Text { choices: raw.choices.clone(), default: default.clone() })
        }
        _ => Err("a text needs `choices`, a default among them, and no min or max"),
    }
}

fn flag(raw: &RawParameter) -> Result<ParameterKind, &'static str> {
    match &raw.default {
        Some(Toml::Boolean(default))
            if raw.choices.is_empty() && raw.min.is_none() && raw.max.is_none() =>
        {
            Ok(ParameterKind::Flag { default: *default })
        }
        _ => Err("a flag needs a default of true or false and nothing else"),
    }
}
