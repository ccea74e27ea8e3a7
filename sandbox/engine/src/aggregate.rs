//! The host's own aggregation of contributions: every patient count in what comes out was
//! counted here.
//!
//! Sums are kept in scaled integers, values and survival times are sorted, so results do not depend
//! on the order in which patients come.

mod cells;
mod contingency;
mod curves;
mod output;
mod quantile;

use sekisho_module::{
    Aggregate, AggregateKind, Contributed, KeySpec, Manifest, OutputBody, OutputSpec,
};
use sekisho_proto::v1;

use crate::bindings::types::Contribution;
use crate::survival::Observation;
use cells::{BinCell, SumCell};
pub(crate) use output::round;
use quantile::Values;

/// All outputs of a per-patient run.
pub(crate) struct Aggregates {
    outputs: Vec<Aggregation>,
    /// Output and cell whose contributors are asked for.
    watched: Option<(usize, usize)>,
}

/// Why a patient's answer is not taken; for the developer over dummy data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("output {0} is not declared")]
    UnknownOutput(u32),
    #[error("output {0}: the keys are outside the declared domain")]
    Keys(String),
    #[error("output {0}: another number of values than its kind takes")]
    Arity(String),
    #[error("output {0}: time must be finite and not negative, event 0 or that of a cause")]
    Event(String),
    #[error("output {0}: more contributions than max_contributions")]
    TooMany(String),
    #[error("output {0}: two contributions to the same cell")]
    Twice(String),
}

impl Aggregates {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        let made = manifest.outputs.iter().filter_map(|output| match &output.body {
            OutputBody::Aggregate(spec) => Some(Aggregation::new(output, spec)),
            _ => None,
        });
        Self { outputs: made.collect(), watched: None }
    }

    /// From now on says of each patient whether they contributed to this cell.
    pub(crate) fn watch(&mut self, output: &str, key: &[String]) -> Result<(), Malformed> {
        let missing = || Malformed::Keys(output.to_owned());
        let at = self.outputs.iter().position(|one| one.name == output).ok_or_else(missing)?;
        let cell = self.outputs.get(at).and_then(|one| one.cell_of(key)).ok_or_else(missing)?;
        self.watched = Some((at, cell));
        Ok(())
    }

    /// Position of the watched output and of its cell.
    pub(crate) fn watched(&self) -> Option<(usize, usize)> {
        self.watched
    }

    fn hits(&self, output: usize, places: &[Placed]) -> bool {
        let strata = self.outputs.get(output).map_or(1, Aggregation::unprinted);
        self.watched.is_some_and(|(watched, cell)| {
            watched == output && places.iter().any(|placed| placed.cell / strata == cell)
        })
    }

    /// Takes one patient's answer as a whole, or nothing of it; says whether it contributed to
    /// the watched cell.
    pub(crate) fn accept(&mut self, answer: &[Contribution]) -> Result<bool, Malformed> {
        let mut placed: Vec<Vec<Placed>> = vec![Vec::new(); self.outputs.len()];
        for contribution in answer {
            let at = contribution.output as usize;
            let (Some(aggregation), Some(places)) = (self.outputs.get(at), placed.get_mut(at))
            else {
                return Err(Malformed::UnknownOutput(contribution.output));
            };
            aggregation.place(&contribution.keys, &contribution.values, places)?;
        }
        for (aggregation, places) in self.outputs.iter().zip(&placed) {
            if places.len() > aggregation.spec.max_contributions as usize {
                return Err(Malformed::TooMany(aggregation.name.clone()));
            }
        }
        let hit = placed.iter().enumerate().any(|(at, places)| self.hits(at, places));
        for (aggregation, places) in self.outputs.iter_mut().zip(&placed) {
            aggregation.add(places);
        }
        Ok(hit)
    }

    /// What stands in for a patient whose call failed: the declared defaults.
    /// Says whether one of them contributed to the watched cell.
    pub(crate) fn accept_default(&mut self) -> bool {
        let mut hit = false;
        for at in 0..self.outputs.len() {
            let Some(aggregation) = self.outputs.get_mut(at) else { continue };
            let Some(Contributed { keys, values }) = aggregation.spec.default.clone() else {
                continue;
            };
            let mut places = Vec::new();
            // The manifest checked the default against keys and arity.
            if aggregation.place(&keys, &values, &mut places).is_ok() {
                aggregation.add(&places);
                hit |= self.hits(at, &places);
            }
        }
        hit
    }

    /// Publishes, with evidence, in declared order.
    pub(crate) fn finish(self, min_cell: u32) -> Vec<(v1::Output, v1::Evidence)> {
        self.outputs.into_iter().map(|aggregation| aggregation.finish(min_cell)).collect()
    }
}

struct Aggregation {
    name: String,
    title: String,
    spec: Aggregate,
    state: State,
    /// Distinct patients who contributed to any cell.
    patients: u64,
}

enum State {
    Count(Vec<u64>),
    Sum(Vec<SumCell>),
    Histogram(Vec<BinCell>),
    Quantile(Vec<Values>),
    Survival(Vec<Vec<Observation>>),
}

/// A valid contribution, ready to be added.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed {
    cell: usize,
    amount: Amount,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Amount {
    One,
    Value(f64),
    Bin(usize),
    Observed(Observation),
}

impl Aggregation {
    fn new(output: &OutputSpec, spec: &Aggregate) -> Self {
        let cells = spec.cells();
        let state = match &spec.kind {
            AggregateKind::Count | AggregateKind::Contingency => State::Count(vec![0; cells]),
            AggregateKind::Sum { low, high, .. } => {
                State::Sum(vec![SumCell::new(*low, *high); cells])
            }
            AggregateKind::Histogram { edges, .. } => {
                State::Histogram(vec![BinCell::new(edges.len() + 1); cells])
            }
            AggregateKind::Quantile { low, high, .. } => {
                State::Quantile(vec![Values::new(*low, *high); cells])
            }
            AggregateKind::Survival { .. } => State::Survival(vec![Vec::new(); cells]),
        };
        Self {
            name: output.name.clone(),
            title: output.title.clone(),
            spec: spec.clone(),
            state,
            patients: 0,
        }
    }

    /// Checks one contribution. A value that is not a number is a missing value: it adds
    /// nothing. The same patient twice in one cell (or bin) of a count counts once.
    fn place(&self, keys: &[u32], values: &[f64], to: &mut Vec<Placed>) -> Result<(), Malformed> {
        let cell = self.cell(keys).ok_or_else(|| Malformed::Keys(self.name.clone()))?;
        let amount = match (&self.spec.kind, values) {
            (AggregateKind::Count | AggregateKind::Contingency, []) => Amount::One,
            (
                AggregateKind::Sum { .. }
                | AggregateKind::Histogram { .. }
                | AggregateKind::Quantile { .. },
                [value],
            ) if value.is_nan() => return Ok(()),
            (AggregateKind::Survival { .. }, [time, _]) if time.is_nan() => return Ok(()),
            (
                AggregateKind::Sum { low, high, .. } | AggregateKind::Quantile { low, high, .. },
                [value],
            ) => Amount::Value(value.clamp(*low, *high)),
            (AggregateKind::Histogram { edges, .. }, [value]) => {
                Amount::Bin(edges.partition_point(|edge| edge <= value))
            }
            (AggregateKind::Survival { .. }, [time, event]) => Amount::Observed(
                Observation::new(*time, *event, self.spec.kind.events())
                    .ok_or_else(|| Malformed::Event(self.name.clone()))?,
            ),
            _ => return Err(Malformed::Arity(self.name.clone())),
        };
        let idempotent = matches!(amount, Amount::One | Amount::Bin(_));
        let placed = Placed { cell, amount };
        if idempotent && to.contains(&placed) {
            return Ok(());
        }
        if !idempotent && to.iter().any(|other| other.cell == cell) {
            return Err(Malformed::Twice(self.name.clone()));
        }
        to.push(placed);
        Ok(())
    }

    /// Position of a cell, keys in row-major order.
    fn cell(&self, keys: &[u32]) -> Option<usize> {
        position(&self.spec.keys, keys)
    }

    /// Position of the printed cell with these labels.
    fn cell_of(&self, labels: &[String]) -> Option<usize> {
        let positions = self.printed_keys().iter().zip(labels).map(|(key, label)| {
            let at = key.labels().iter().position(|known| known == label)?;
            u32::try_from(at).ok()
        });
        let positions: Vec<u32> = positions.collect::<Option<_>>()?;
        // A label too many is a cell of another output.
        (labels.len() == positions.len()).then_some(())?;
        position(self.printed_keys(), &positions)
    }

    /// The keys under which cells are printed: the strata of a comparison are not.
    fn printed_keys(&self) -> &[KeySpec] {
        match (&self.spec.kind, self.spec.keys.split_last()) {
            (AggregateKind::Survival { .. }, Some((_, groups))) if self.spec.stratified => groups,
            _ => &self.spec.keys,
        }
    }

    /// Cells that are printed as one.
    fn unprinted(&self) -> usize {
        let strata = self.spec.keys.get(self.printed_keys().len());
        strata.map_or(1, |key| key.labels().len().max(1))
    }

    /// Adds one patient's contributions.
    fn add(&mut self, places: &[Placed]) {
        if !places.is_empty() {
            self.patients += 1;
        }
        let mut seen: Vec<usize> = Vec::new();
        for Placed { cell, amount } in places {
            let first = !seen.contains(cell);
            seen.push(*cell);
            match (&mut self.state, amount) {
                (State::Count(cells), Amount::One) => {
                    if let Some(count) = cells.get_mut(*cell) {
                        *count += 1;
                    }
                }
                (State::Sum(cells), Amount::Value(value)) => {
                    if let Some(sum) = cells.get_mut(*cell) {
                        sum.add(*value);
                    }
                }
                (State::Quantile(cells), Amount::Value(value)) => {
                    if let Some(values) = cells.get_mut(*cell) {
                        values.add(*value);
                    }
                }
                (State::Histogram(cells), Amount::Bin(bin)) => {
                    if let Some(bins) = cells.get_mut(*cell) {
                        bins.add(*bin, first);
                    }
                }
                (State::Survival(groups), Amount::Observed(observation)) => {
                    if let Some(group) = groups.get_mut(*cell) {
                        group.push(*observation);
                    }
                }
                // `place` pairs each state with its own kind of amount.
                _ => {}
            }
        }
    }
}

/// Position of a cell in row-major order of its keys.
fn position(of: &[KeySpec], keys: &[u32]) -> Option<usize> {
    if keys.len() != of.len() {
        return None;
    }
    of.iter().zip(keys).try_fold(0_usize, |cell, (key, &position)| {
        let size = key.labels().len();
        let position = position as usize;
        (position < size).then(|| cell * size + position)
    })
}

#[cfg(test)]
mod tests;
