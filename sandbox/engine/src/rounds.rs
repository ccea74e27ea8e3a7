//! The rounds world: in every round each patient contributes in an instance of its own, knowing
//! the state; then the reducer, in another, makes the next state of the round's totals, or the
//! results. It is given no more than the totals, and nothing else passes from round to round
//! than the state, so what a patient contributes hangs on others only through sums over at
//! least the minimum number of patients.

use std::time::Instant;

use sekisho_module::{CoefficientsSpec, OutputBody};
use sekisho_proto::v1::output::Body;

use crate::ProgressSink;
use crate::bindings::cohort::sekisho::analysis::outputs;
use crate::bindings::rounds::RoundsPre;
use crate::bindings::types::{Coefficient, Outcome, Parameter, Step, Total};
use crate::cohort::Emitted;
use crate::failure::Failed;
use crate::fresh::Fresh;
use crate::merge::Patients;
use crate::run::{Made, Notes, Prepared};
use crate::sandbox::Bounds;
use crate::scan::Scan;
use crate::totals::{Counted, Totals};
use crate::view::TableView;

/// Numbers a state may hold.
const MOST_STATE: usize = 4096;

type Guest = Fresh<RoundsPre<Bounds>>;

/// Runs rounds until the reducer is done.
///
/// # Errors
/// `round_floor` when too few patients stand behind a total, `round_state` for a state too long
/// or not finite, `reduce_failed` when the reducer traps or exhausts what a call may use,
/// `rounds_exhausted` when it is not done after the declared number of rounds, and the codes of
/// the cohort world for results that do not fit the manifest.
pub(crate) fn run(
    mut run: Prepared,
    notes: &mut Notes,
    sink: &mut dyn ProgressSink,
) -> Result<Vec<Made>, Failed> {
    let guest = Guest::load(&mut run)?;
    let parameters = run.guest_parameters();
    let scans = run.scans()?;
    let views = std::mem::take(&mut run.views);
    let manifest = std::sync::Arc::clone(&run.manifest);
    let least = u64::from(run.limits.min_cell);
    let (mut state, mut fewest) = (Vec::new(), None);
    for round in 0..manifest.rounds {
        let mut totals = Totals::new(&manifest.totals);
        let mut pass = Pass { run: &mut run, views: &views, scans: &scans, guest: &guest };
        let seen = pass.collect(&parameters, &state, &mut totals, notes, sink)?;
        let (totals, counted) = totals.finish(least)?;
        let counted = fewer(fewest.take(), counted);
        match reduce(&guest, &parameters, round, &state, &totals, notes)? {
            Step::Next(next) => (state, fewest) = (checked(next)?, Some(counted)),
            Step::Done(outcomes) => return made(&mut run, outcomes, &counted, seen),
        }
    }
    let message = format!("the reducer was not done after {} rounds", manifest.rounds);
    Err(Failed::limit("rounds_exhausted", message))
}

/// One pass over all patients.
struct Pass<'a> {
    run: &'a mut Prepared,
    views: &'a [TableView],
    scans: &'a [Scan],
    guest: &'a Guest,
}

impl Pass<'_> {
    /// Collects everybody's contributions; says how many patients and rows there were.
    fn collect(
        &mut self,
        parameters: &[Parameter],
        state: &[f64],
        totals: &mut Totals<'_>,
        notes: &mut Notes,
        sink: &mut dyn ProgressSink,
    ) -> Result<(u64, u64), Failed> {
        let (mut people, mut rows) = (0, 0);
        for bucket in 0..self.run.buckets() {
            let mut patients = Patients::open(self.views, self.scans, bucket)?;
            while let Some((_, tables)) = patients.next()? {
                people += 1;
                // The same patients come in every round, their rows are given each time.
                let given = tables.iter().map(|t| u64::from(t.rows)).sum::<u64>();
                rows += given;
                notes.patients = notes.patients.max(people);
                notes.rows_read += given;
                self.run.limits.check_rows(notes.rows_read)?;
                let answered = self.guest.call(notes, |guest, store| {
                    guest.call_contribute(store, &tables, parameters, state)
                })?;
                let taken = answered
                    .and_then(|answer| totals.accept(&answer).map_err(|misfit| misfit.to_string()));
                if let Err(message) = taken {
                    notes.failed_patient(message);
                    totals.accept_default();
                }
                totals.held()?;
                if Instant::now() >= self.run.deadline {
                    return Err(Failed::limit("wall_time", "the deadline passed"));
                }
                // How many rounds there will be is the guest's choice: the first tells all.
                if let Some(tenths) = self.run.progress() {
                    sink.tenths(tenths);
                }
            }
        }
        Ok((people, rows))
    }
}

/// Those behind each total in the round that had fewest.
fn fewer(before: Option<Vec<Counted>>, now: Vec<Counted>) -> Vec<Counted> {
    match before {
        None => now,
        Some(before) => before.into_iter().zip(now).map(|(one, other)| one.fewer(other)).collect(),
    }
}

fn reduce(
    guest: &Guest,
    parameters: &[Parameter],
    round: u32,
    state: &[f64],
    totals: &[Total],
    notes: &mut Notes,
) -> Result<Step, Failed> {
    let answer = guest
        .call(notes, |guest, store| guest.call_reduce(store, parameters, round, state, totals))?;
    answer.map_err(|message| Failed::module("reduce_failed", message))
}

fn checked(state: Vec<f64>) -> Result<Vec<f64>, Failed> {
    if state.len() > MOST_STATE || !state.iter().all(|number| number.is_finite()) {
        let message = format!("a state holds at most {MOST_STATE} numbers, all finite");
        return Err(Failed::contract("round_state", message));
    }
    Ok(state)
}

/// The typed outputs. Patients and events of a model are those that the host counted in the
/// round that had fewest; everything else is the reducer's claim.
fn made(
    run: &mut Prepared,
    outcomes: Vec<Outcome>,
    counted: &[Counted],
    (patients, rows): (u64, u64),
) -> Result<Vec<Made>, Failed> {
    let mut emitted = Emitted::new(run);
    for (at, outcome) in (0_u32..).zip(outcomes) {
        match outcome {
            Outcome::Coefficients(terms) => {
                let fit = fit(run, at, counted, terms)?;
                emitted.coefficients(run, at, fit)?;
            }
            Outcome::Table(rows) => emitted.table(run, at, rows)?,
            Outcome::Text(text) => emitted.text(run, at, text)?,
        }
    }
    let mut made = emitted.finish(patients, rows)?;
    for Made { output, evidence } in &mut made {
        if let Some(Body::Coefficients(model)) = &output.body {
            evidence.host_verified = true;
            evidence.patients = model.patients;
        }
    }
    Ok(made)
}

/// What a reducer says of a model, with the host's counts of the total it was fitted to.
fn fit(
    run: &Prepared,
    output: u32,
    counted: &[Counted],
    coefficients: Vec<Coefficient>,
) -> Result<outputs::Fit, Failed> {
    let spec = run.manifest.outputs.get(output as usize).map(|spec| &spec.body);
    let Some(OutputBody::Coefficients(CoefficientsSpec { of: Some(of), scale, .. })) = spec else {
        return Err(Failed::contract("output_kind", format!("output {output} is no regression")));
    };
    // The manifest names a total that is declared.
    let at = run.manifest.totals.iter().position(|total| total.name == *of);
    let counted = at.and_then(|at| counted.get(at)).copied().unwrap_or_default();
    let events = counted.events.filter(|_| scale.has_events());
    Ok(outputs::Fit { patients: counted.patients, events, coefficients })
}
