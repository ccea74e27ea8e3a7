//! Checks what a cohort guest emits against the manifest and makes the typed outputs. What they
//! could say beside their values is closed: rows and series stand in the order of their keys,
//! each once, numbers have six digits, and no count exceeds what the run has read.

mod regression;
mod survival;

use std::collections::BTreeMap;

use sekisho_module::{HistogramSpec, KeyDomain, KeySpec, OutputBody, TableRole, TableSpec};
use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::{
    Cell, ColumnRole, Evidence, Histogram, HistogramSeries, Output, ShortText, Suppression, Table,
    TableColumn, TableRow,
};

use super::unseen::unseen;
use crate::aggregate::round;
use crate::bindings::cohort::sekisho::analysis::outputs as guest;
use crate::failure::Failed;
use crate::run::{Made, Prepared};

const MOST_TEXT_CHARACTERS: usize = 1000;

/// The outputs so far, in declared order.
pub(crate) struct Emitted {
    bodies: Vec<Option<Output>>,
    cells_left: u64,
}

impl Emitted {
    pub(crate) fn new(run: &Prepared) -> Self {
        Self {
            bodies: vec![None; run.manifest.outputs.len()],
            cells_left: u64::from(run.limits.output_cells),
        }
    }

    /// Every declared output must have been emitted, and count no more than there was.
    pub(crate) fn finish(self, patients: u64, rows_read: u64) -> Result<Vec<Made>, Failed> {
        let evidence =
            Evidence { host_verified: false, patients, cell_patients: vec![], rows_read };
        let made = self.bodies.into_iter().enumerate().map(|(at, output)| match output {
            Some(output) => Ok(Made { output, evidence: evidence.clone() }),
            None => {
                Err(Failed::contract("output_missing", format!("output {at} was never emitted")))
            }
        });
        let made = made.collect::<Result<Vec<_>, Failed>>()?;
        match made.iter().find(|made| counts_above(&made.output, patients, rows_read)) {
            None => Ok(made),
            Some(made) => {
                let message = format!("{} counts more than the run has read", made.output.name);
                Err(Failed::contract("count_above_view", message))
            }
        }
    }

    pub(crate) fn table(
        &mut self,
        run: &mut Prepared,
        output: u32,
        rows: Vec<Vec<guest::Cell>>,
    ) -> Result<(), Failed> {
        let Some(OutputBody::Table(spec)) = body(run, output) else {
            return Err(another_kind(output, "table"));
        };
        let cells: usize = rows.iter().map(Vec::len).sum();
        self.spend(cells)?;
        let labels = labels(
            run,
            spec.columns.iter().map(|c| match &c.role {
                TableRole::Key(domain) => Some(domain.clone()),
                _ => None,
            }),
        )?;
        let rows = rows.into_iter().map(|row| Ok((keys(&row), table_row(&spec, &labels, row)?)));
        let rows = by_key(rows)?;
        let columns = spec.columns.iter().map(|column| TableColumn {
            name: column.name.clone(),
            unit: column.unit.clone(),
            role: role(&column.role).into(),
        });
        let table = Table { columns: columns.collect(), rows };
        self.keep(run, output, Body::Table(table))
    }

    pub(crate) fn histogram(
        &mut self,
        run: &mut Prepared,
        output: u32,
        series: Vec<guest::Series>,
    ) -> Result<(), Failed> {
        let Some(OutputBody::Histogram(HistogramSpec { unit, edges, keys })) = body(run, output)
        else {
            return Err(another_kind(output, "histogram"));
        };
        self.spend(series.len().saturating_mul(edges.len() + 1))?;
        let labels = labels(run, keys.iter().map(|k: &KeySpec| Some(k.domain.clone())))?;
        let series = series.into_iter().map(|one| {
            if one.keys.len() != keys.len() || one.patients.len() + 1 != edges.len() {
                return Err(Failed::contract("arity", "a series has other keys or bins"));
            }
            let key = one.keys.iter().zip(&labels).map(|(&at, domain)| label(domain, at));
            let key = key.collect::<Result<_, Failed>>()?;
            let guest::Series { keys, patients, below, above } = one;
            Ok((keys, HistogramSeries { key, patients, below, above }))
        });
        let series = by_key(series)?;
        self.keep(run, output, Body::Histogram(Histogram { unit, edges, series }))
    }

    pub(crate) fn text(&mut self, run: &Prepared, output: u32, text: String) -> Result<(), Failed> {
        if !matches!(body(run, output), Some(OutputBody::Text)) {
            return Err(another_kind(output, "text"));
        }
        if text.chars().count() > MOST_TEXT_CHARACTERS {
            return Err(Failed::limit("text_length", "a text may have 1000 characters"));
        }
        if text.chars().any(unseen) {
            let message = "a text may not hold letters that its reader does not see";
            return Err(Failed::contract("text_control", message));
        }
        self.spend(1)?;
        self.keep(run, output, Body::Text(ShortText { text }))
    }

    fn spend(&mut self, cells: usize) -> Result<(), Failed> {
        match self.cells_left.checked_sub(cells as u64) {
            Some(left) => {
                self.cells_left = left;
                Ok(())
            }
            None => Err(Failed::limit("output_cells", "the outputs have too many cells")),
        }
    }

    fn keep(&mut self, run: &Prepared, output: u32, body: Body) -> Result<(), Failed> {
        let at = output as usize;
        let (Some(slot), Some(spec)) = (self.bodies.get_mut(at), run.manifest.outputs.get(at))
        else {
            return Err(Failed::contract("unknown_output", format!("output {output}")));
        };
        if slot.is_some() {
            let message = format!("output {} was emitted twice", spec.name);
            return Err(Failed::contract("output_twice", message));
        }
        let (name, title) = (spec.name.clone(), spec.title.clone());
        *slot = Some(Output { name, title, body: Some(body) });
        Ok(())
    }
}

fn body(run: &Prepared, output: u32) -> Option<OutputBody> {
    run.manifest.outputs.get(output as usize).map(|spec| spec.body.clone())
}

fn another_kind(output: u32, kind: &str) -> Failed {
    Failed::contract("output_kind", format!("output {output} is not declared as a {kind}"))
}

/// Puts what stands under keys in their order.
fn by_key<T>(given: impl Iterator<Item = Result<(Vec<u32>, T), Failed>>) -> Result<Vec<T>, Failed> {
    let mut ordered = BTreeMap::new();
    for one in given {
        let (key, one) = one?;
        if ordered.insert(key, one).is_some() {
            return Err(Failed::contract("key_twice", "two rows or series have the same keys"));
        }
    }
    Ok(ordered.into_values().collect())
}

fn keys(row: &[guest::Cell]) -> Vec<u32> {
    let key = |cell: &guest::Cell| match cell {
        guest::Cell::Key(at) => Some(*at),
        _ => None,
    };
    row.iter().filter_map(key).collect()
}

/// Whether an output counts more patients or rows than there were.
fn counts_above(output: &Output, patients: u64, rows: u64) -> bool {
    let above = |count: i64, most: u64| u64::try_from(count).is_ok_and(|count| count > most);
    match &output.body {
        Some(Body::Table(table)) => table.rows.iter().any(|row| {
            row.cells.iter().zip(&table.columns).any(|(cell, column)| match cell.value {
                Some(Value::Count(count)) if column.role() == ColumnRole::PatientCount => {
                    above(count, patients)
                }
                Some(Value::Count(count)) => above(count, rows),
                _ => false,
            })
        }),
        Some(Body::Histogram(histogram)) => histogram.series.iter().any(|series| {
            let ends = [series.below, series.above];
            series.patients.iter().chain(&ends).any(|count| *count > patients)
        }),
        Some(Body::Survival(curve)) => curve.groups.iter().any(|group| group.patients > patients),
        Some(Body::Coefficients(fit)) => fit.patients > patients,
        _ => false,
    }
}

/// The labels of each column that has a domain.
fn labels(
    run: &mut Prepared,
    domains: impl Iterator<Item = Option<KeyDomain>>,
) -> Result<Vec<Vec<String>>, Failed> {
    let mut all = Vec::new();
    for domain in domains {
        all.push(match domain {
            None => Vec::new(),
            Some(KeyDomain::Labels(labels)) => labels,
            Some(KeyDomain::CodesOf { table, column }) => run.dictionary_at(table, column)?,
        });
    }
    Ok(all)
}

fn label(domain: &[String], at: u32) -> Result<String, Failed> {
    let found = domain.get(at as usize).cloned();
    found.ok_or_else(|| Failed::contract("key_domain", format!("key {at} is outside its domain")))
}

fn table_row(
    spec: &TableSpec,
    labels: &[Vec<String>],
    row: Vec<guest::Cell>,
) -> Result<TableRow, Failed> {
    if row.len() != spec.columns.len() {
        let message = format!("a row has {} cells, not {}", row.len(), spec.columns.len());
        return Err(Failed::contract("arity", message));
    }
    let cells = row.into_iter().zip(&spec.columns).zip(labels);
    let cells = cells.map(|((cell, column), domain)| {
        let wrong = || {
            let message = format!("column {} takes another kind of cell", column.name);
            Err(Failed::contract("cell_kind", message))
        };
        let value = match (cell, &column.role) {
            (guest::Cell::Key(at), TableRole::Key(_)) => Value::Label(label(domain, at)?),
            (_, TableRole::Key(_)) | (guest::Cell::Key(_), _) => return wrong(),
            (guest::Cell::Missing, _) => return Ok(Cell { value: None }),
            (guest::Cell::Suppressed, _) => Value::Suppressed(Suppression::MinCell.into()),
            (guest::Cell::Count(n), TableRole::PatientCount | TableRole::Count) if n >= 0 => {
                Value::Count(n)
            }
            (guest::Cell::Number(v), TableRole::Statistic) if v.is_finite() => {
                Value::Number(round(v))
            }
            // A whole number has no more digits than another.
            (guest::Cell::Count(n), TableRole::Statistic) => Value::Number(round(n as f64)),
            _ => return wrong(),
        };
        Ok(Cell { value: Some(value) })
    });
    Ok(TableRow { cells: cells.collect::<Result<_, Failed>>()? })
}

fn role(role: &TableRole) -> ColumnRole {
    match role {
        TableRole::Key(_) => ColumnRole::Key,
        TableRole::PatientCount => ColumnRole::PatientCount,
        TableRole::Count => ColumnRole::Count,
        TableRole::Statistic => ColumnRole::Statistic,
    }
}
