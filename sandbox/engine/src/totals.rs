//! What the patients of one round add up to: the only thing that a reducer is given of them.
//!
//! Vectors are summed in integers and risk sets in sorted order, so that a total is the same to
//! the bit whatever the order of the patients (design invariant 9).

mod likelihood;
mod vector;

use sekisho_module::{Contributed, TotalKind, TotalSpec};

use crate::bindings::types::{Contribution, Total};
use crate::failure::Failed;
use likelihood::Subjects;
use vector::Cell;

/// The totals of one round.
pub(crate) struct Totals<'a> {
    totals: Vec<Summed<'a>>,
}

/// How many patients stand behind a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) patients: u64,
    /// Those of them who had the event, where a total tells.
    pub(crate) events: Option<u64>,
}

impl Counted {
    /// The fewer of two rounds: a model is of no more patients than the round with fewest had.
    pub(crate) fn fewer(self, other: Self) -> Self {
        let events = self.events.zip(other.events).map(|(one, other)| one.min(other));
        Self { patients: self.patients.min(other.patients), events }
    }
}

/// Why a patient's answer is not taken; for the developer over dummy data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("total {0} is not declared")]
    Unknown(u32),
    #[error("total {0}: the keys are outside the declared domain")]
    Keys(String),
    #[error("total {0}: another number of values than it takes")]
    Arity(String),
    #[error("total {0}: time must be finite and not negative, event 0 or 1, the rest finite")]
    Subject(String),
    #[error("total {0}: more contributions than max_contributions")]
    TooMany(String),
    #[error("total {0}: two contributions to the same cell")]
    Twice(String),
}

impl<'a> Totals<'a> {
    pub(crate) fn new(specs: &'a [TotalSpec]) -> Self {
        Self { totals: specs.iter().map(Summed::new).collect() }
    }

    /// Takes one patient's answer as a whole, or nothing of it.
    pub(crate) fn accept(&mut self, answer: &[Contribution]) -> Result<(), Misfit> {
        let mut placed: Vec<Vec<Placed>> = vec![Vec::new(); self.totals.len()];
        for Contribution { output, keys, values } in answer {
            let at = *output as usize;
            let (Some(total), Some(places)) = (self.totals.get(at), placed.get_mut(at)) else {
                return Err(Misfit::Unknown(*output));
            };
            total.place(keys, values, places)?;
        }
        for (total, places) in self.totals.iter_mut().zip(placed) {
            total.add(places);
        }
        Ok(())
    }

    /// What stands in for a patient whose call failed: the declared defaults.
    pub(crate) fn accept_default(&mut self) {
        for total in &mut self.totals {
            let Some(Contributed { keys, values }) = &total.spec.default else { continue };
            let mut places = Vec::new();
            // The manifest checked the default against keys and arity.
            if total.place(keys, values, &mut places).is_ok() {
                total.add(places);
            }
        }
    }

    /// Whether the round may go on collecting.
    pub(crate) fn held(&self) -> Result<(), Failed> {
        let numbers: usize = self.totals.iter().map(Summed::numbers).sum();
        if numbers > MOST_NUMBERS {
            let message = "the risk sets take more memory than a run may";
            return Err(Failed::limit("round_memory", message));
        }
        Ok(())
    }

    /// The totals in declared order, with the patients behind each.
    ///
    /// # Errors
    /// `round_floor` when fewer than `least` patients stand behind a total, a cell that is not
    /// empty, or the events of a likelihood.
    pub(crate) fn finish(self, least: u64) -> Result<(Vec<Total>, Vec<Counted>), Failed> {
        let finished = self.totals.into_iter().map(|total| total.finish(least));
        let finished: Vec<_> = finished.collect::<Result<_, _>>()?;
        Ok(finished.into_iter().unzip())
    }
}

/// Numbers of all subjects that a round may hold: 512 MiB.
const MOST_NUMBERS: usize = 1 << 26;

struct Summed<'a> {
    spec: &'a TotalSpec,
    state: State,
    /// Distinct patients who contributed to any cell.
    patients: u64,
}

enum State {
    Vector(Vec<Cell>),
    Cox(Subjects),
}

/// A valid contribution, ready to be added.
#[derive(Clone, Debug, PartialEq)]
struct Placed {
    cell: usize,
    values: Vec<f64>,
}

impl<'a> Summed<'a> {
    fn new(spec: &'a TotalSpec) -> Self {
        let state = match spec.kind {
            TotalKind::Vector { length } => {
                State::Vector(vec![Cell::new(length, spec.low, spec.high); spec.cells()])
            }
            TotalKind::Cox { covariates, ties } => {
                State::Cox(Subjects::new(covariates, ties, spec.low, spec.high))
            }
        };
        Self { spec, state, patients: 0 }
    }

    /// Checks one contribution. One that holds a value which is not a number has a missing
    /// value: it adds nothing.
    fn place(&self, keys: &[u32], values: &[f64], to: &mut Vec<Placed>) -> Result<(), Misfit> {
        let name = || self.spec.name.clone();
        let cell = self.spec.cell(keys).ok_or_else(|| Misfit::Keys(name()))?;
        if values.len() != self.spec.arity() {
            return Err(Misfit::Arity(name()));
        }
        if values.iter().any(|value| value.is_nan()) {
            return Ok(());
        }
        if to.iter().any(|other| other.cell == cell) {
            return Err(Misfit::Twice(name()));
        }
        if to.len() >= self.spec.max_contributions as usize {
            return Err(Misfit::TooMany(name()));
        }
        let mut values = values.to_vec();
        let numbers = match self.spec.kind {
            TotalKind::Vector { .. } => &mut values[..],
            TotalKind::Cox { .. } => match &mut values[..] {
                [time, event, predictor, covariates @ ..]
                    if time.is_finite()
                        && *time >= 0.0
                        && (*event == 0.0 || *event == 1.0)
                        && predictor.is_finite() =>
                {
                    covariates
                }
                _ => return Err(Misfit::Subject(name())),
            },
        };
        for value in numbers {
            *value = value.clamp(self.spec.low, self.spec.high);
        }
        to.push(Placed { cell, values });
        Ok(())
    }

    /// Adds one patient's contributions.
    fn add(&mut self, places: Vec<Placed>) {
        self.patients += u64::from(!places.is_empty());
        match &mut self.state {
            State::Vector(cells) => {
                for Placed { cell, values } in places {
                    if let Some(cell) = cells.get_mut(cell) {
                        cell.add(&values);
                    }
                }
            }
            State::Cox(subjects) => {
                subjects.add(places.into_iter().map(|placed| (placed.cell, placed.values)));
            }
        }
    }

    fn numbers(&self) -> usize {
        match &self.state {
            State::Vector(_) => 0,
            State::Cox(subjects) => subjects.numbers(),
        }
    }

    fn finish(self, least: u64) -> Result<(Total, Counted), Failed> {
        let enough = |patients: u64, of: &str| {
            let message = format!("total {}: {patients} {of}, {least} wanted", self.spec.name);
            (patients >= least).then_some(()).ok_or_else(|| Failed::limit("round_floor", message))
        };
        enough(self.patients, "patients")?;
        let patients = self.patients;
        match self.state {
            State::Vector(cells) => {
                for cell in cells.iter().filter(|cell| cell.patients > 0) {
                    enough(cell.patients, "patients in a cell")?;
                }
                let with_event = cells.get(1).map(|cell| cell.patients);
                let events = with_event.filter(|_| self.spec.tells_events());
                let cells = cells.into_iter().map(Cell::finish).collect();
                Ok((Total::Vector(cells), Counted { patients, events }))
            }
            State::Cox(subjects) => {
                enough(subjects.events(), "events")?;
                let events = Some(subjects.events());
                let made = subjects.finish(patients);
                Ok((Total::Cox(made), Counted { patients, events }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
