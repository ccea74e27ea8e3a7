//! Typed outputs from the host's aggregates.

use sekisho_module::AggregateKind;
use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::{
    Cell, ColumnRole, Evidence, Histogram, HistogramSeries, Output, Suppression, Table,
    TableColumn, TableRow,
};

use super::cells::{BinCell, SumCell};
use super::contingency;
use super::curves::Groups;
use super::quantile::{Quantile, Values};
use super::{Aggregation, State};

/// Significant decimal digits of published statistics: more would let single values be
/// recovered from sums.
const DIGITS: usize = 6;

/// Digits that sums of some millions of numbers have whatever the order they were added in.
const STEADY_DIGITS: usize = 12;

/// A number as it is published. A guest adds up in the order of its patients, which differs
/// from project to project: a mean such as 6.134375 would fall to either side by its last bit,
/// so that noise is taken off first.
pub(crate) fn round(value: f64) -> f64 {
    // Printing and reading is exact about decimal digits, unlike scaling by powers of ten.
    let to = |digits: usize, value: f64| format!("{value:.*e}", digits - 1).parse();
    let rounded = to(STEADY_DIGITS, value).and_then(|value| to(DIGITS, value)).unwrap_or(value);
    // Zero has one sign, or a guest could say something by the other.
    rounded + 0.0
}

impl Aggregation {
    pub(super) fn finish(self, min_cell: u32) -> (Output, Evidence) {
        let keys = self.keys();
        let names: Vec<String> = self.printed_keys().iter().map(|k| k.name.clone()).collect();
        let strata = self.unprinted();
        let small = Small { hide: self.spec.suppress_small, min_cell };
        let (body, cell_patients) = match (self.state, &self.spec.kind) {
            (State::Count(cells), AggregateKind::Contingency) => {
                let made = contingency::tables(&self.spec.keys, &cells, u64::from(min_cell));
                (Body::Contingency(made), cells)
            }
            (State::Count(cells), _) => counts(&names, keys, &cells, small),
            (State::Sum(cells), AggregateKind::Sum { unit, .. }) => {
                sums(&names, unit, keys, &cells, small)
            }
            (State::Quantile(cells), AggregateKind::Quantile { unit, thousandths, .. }) => {
                quantiles(&names, unit, thousandths, keys.into_iter().zip(cells), small)
            }
            (State::Histogram(cells), AggregateKind::Histogram { unit, edges }) => {
                histogram(unit, edges, keys, cells)
            }
            (State::Survival(cells), AggregateKind::Survival { .. }) => {
                let stratum = self.spec.keys.get(names.len()).map(|key| key.name.clone());
                let groups = Groups::new(names, keys, cells, strata);
                groups.publish(&self.spec.kind, stratum, min_cell)
            }
            // `Aggregation::new` pairs each state with its own kind.
            _ => (Body::Table(Table::default()), Vec::new()),
        };
        let output = Output { name: self.name, title: self.title, body: Some(body) };
        let evidence =
            Evidence { host_verified: true, patients: self.patients, cell_patients, rows_read: 0 };
        (output, evidence)
    }

    /// Labels of every printed cell, in row-major order.
    fn keys(&self) -> Vec<Vec<String>> {
        self.printed_keys().iter().fold(vec![Vec::new()], |cells, key| {
            let extend = |cell: &Vec<String>, label: &String| {
                let mut longer = cell.clone();
                longer.push(label.clone());
                longer
            };
            cells.iter().flat_map(|c| key.labels().iter().map(move |l| extend(c, l))).collect()
        })
    }
}

/// Whether and below which count rows are withheld.
#[derive(Clone, Copy)]
struct Small {
    hide: bool,
    min_cell: u32,
}

impl Small {
    /// Nobody is not a small cell: a true zero stays and is weighed by the reviewer.
    fn hides(self, patients: u64) -> bool {
        self.hide && patients > 0 && patients < u64::from(self.min_cell)
    }
}

fn counts(
    names: &[String],
    keys: Vec<Vec<String>>,
    cells: &[u64],
    small: Small,
) -> (Body, Vec<u64>) {
    let mut columns = key_columns(names);
    columns.push(column("patients", "", ColumnRole::PatientCount));
    let rows = keys.into_iter().zip(cells).map(|(key, &n)| row(key, vec![patients(n, small)]));
    (Body::Table(Table { columns, rows: rows.collect() }), cells.to_vec())
}

fn sums(
    names: &[String],
    unit: &str,
    keys: Vec<Vec<String>>,
    cells: &[SumCell],
    small: Small,
) -> (Body, Vec<u64>) {
    let mut columns = key_columns(names);
    columns.push(column("patients", "", ColumnRole::PatientCount));
    for name in ["sum", "mean", "sd"] {
        columns.push(column(name, unit, ColumnRole::Statistic));
    }
    let rows = keys.into_iter().zip(cells).map(|(key, cell)| {
        let moments = cell.moments();
        let statistics =
            [moments.map(|m| m.sum), moments.map(|m| m.mean), moments.and_then(|m| m.deviation)];
        let mut values = vec![patients(cell.patients, small)];
        values.extend(statistics.map(|value| match value {
            Some(_) if small.hides(cell.patients) => withheld(),
            Some(value) => Cell { value: Some(Value::Number(round(value))) },
            None => Cell { value: None },
        }));
        row(key, values)
    });
    let rows = rows.collect();
    (Body::Table(Table { columns, rows }), cells.iter().map(|c| c.patients).collect())
}

fn histogram(
    unit: &str,
    edges: &[f64],
    keys: Vec<Vec<String>>,
    cells: Vec<BinCell>,
) -> (Body, Vec<u64>) {
    let evidence = cells.iter().map(|c| c.patients).collect();
    let series = keys.into_iter().zip(cells).map(|(key, mut cell)| {
        let above = cell.bins.pop().unwrap_or(0);
        let mut inside = cell.bins.into_iter();
        let below = inside.next().unwrap_or(0);
        HistogramSeries { key, patients: inside.collect(), below, above }
    });
    let series = series.collect();
    (Body::Histogram(Histogram { unit: unit.to_owned(), edges: edges.to_vec(), series }), evidence)
}

/// One column of means for each probability.
fn quantiles(
    names: &[String],
    unit: &str,
    thousandths: &[u32],
    cells: impl Iterator<Item = (Vec<String>, Values)>,
    small: Small,
) -> (Body, Vec<u64>) {
    let mut columns = key_columns(names);
    columns.push(column("patients", "", ColumnRole::PatientCount));
    for &probability in thousandths {
        columns.push(column(&percentile(probability), unit, ColumnRole::Statistic));
    }
    let mut evidence = Vec::new();
    let rows = cells.map(|(key, values)| {
        evidence.push(values.patients());
        let mut cells = vec![patients(values.patients(), small)];
        let quantiles = values.quantiles(thousandths, small.min_cell).into_iter();
        cells.extend(quantiles.map(|quantile| match quantile {
            Quantile::Given(value) => Cell { value: Some(Value::Number(round(value))) },
            Quantile::Few => withheld(),
            Quantile::Shared => {
                Cell { value: Some(Value::Suppressed(Suppression::Secondary.into())) }
            }
        }));
        row(key, cells)
    });
    let rows = rows.collect();
    (Body::Table(Table { columns, rows }), evidence)
}

/// `p50` for the median, `p97.5` for a probability of 0.975.
fn percentile(thousandths: u32) -> String {
    match (thousandths / 10, thousandths % 10) {
        (whole, 0) => format!("p{whole}"),
        (whole, tenth) => format!("p{whole}.{tenth}"),
    }
}

fn key_columns(names: &[String]) -> Vec<TableColumn> {
    names.iter().map(|name| column(name, "", ColumnRole::Key)).collect()
}

fn column(name: &str, unit: &str, role: ColumnRole) -> TableColumn {
    TableColumn { name: name.to_owned(), unit: unit.to_owned(), role: role.into() }
}

fn row(key: Vec<String>, values: Vec<Cell>) -> TableRow {
    let mut cells: Vec<Cell> =
        key.into_iter().map(|label| Cell { value: Some(Value::Label(label)) }).collect();
    cells.extend(values);
    TableRow { cells }
}

fn patients(count: u64, small: Small) -> Cell {
    if small.hides(count) {
        return withheld();
    }
    Cell { value: Some(Value::Count(i64::try_from(count).unwrap_or(i64::MAX))) }
}

fn withheld() -> Cell {
    Cell { value: Some(Value::Suppressed(Suppression::MinCell.into())) }
}
