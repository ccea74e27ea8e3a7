//! Measures what docs/performance.md tells: `make bench`, or one of them by name,
//! `cargo bench --workspace --bench figures -- cohort` (or `patients`, `data`, `overhead`, `calls`).
//! `--quick` takes less of everything, to see that it works; its figures mean nothing.
//!
//! Start at `report.rs` (how two things are held against each other), then one file for
//! each figure. Runs use the real runner in its jail; calls use the real gateway.
//!
//! Invariant: the two sides of a figure do the same work over the same rows on this machine
//! in this very run, turn by turn, and where both give a result it is compared.

mod calls;
mod client;
mod closing;
mod cohort;
mod data;
mod desk;
mod echo;
mod native;
mod overhead;
mod patients;
mod report;
mod run;
mod scale;
mod sealed;

use std::path::Path;

use anyhow::bail;

use report::Figure;

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Patients of the cohort figure; about 24 rows each.
    pub(crate) cohort: u64,
    /// Patients of the per-patient figure; 30 rows each.
    pub(crate) patients: u64,
    /// Rows of the largest ingest; the others have a tenth.
    pub(crate) ingest: u64,
    /// Turns of each pair.
    pub(crate) rounds: usize,
    /// Runs through the gateway.
    pub(crate) runs: usize,
    /// Seconds of calls in one turn.
    pub(crate) call_seconds: u64,
}

const FULL: Extent = Extent {
    cohort: 400_000,
    patients: 100_000,
    ingest: 10_000_000,
    rounds: 7,
    runs: 40,
    call_seconds: 5,
};
const QUICK: Extent =
    Extent { cohort: 4_000, patients: 500, ingest: 20_000, rounds: 2, runs: 3, call_seconds: 1 };

const NAMES: [&str; 5] = ["cohort", "patients", "data", "overhead", "calls"];

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench` to what the user gives.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [echo::WORD, site] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return echo::serve(Path::new(site));
    }
    let (quick, wanted): (Vec<_>, Vec<_>) = words.iter().partition(|word| *word == "--quick");
    if let Some(unknown) = wanted.iter().find(|word| !NAMES.contains(&word.as_str())) {
        bail!("{unknown} is none of {NAMES:?}");
    }
    let extent = if quick.is_empty() { FULL } else { QUICK };
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|word| *word == name);
    let mut figures = Vec::new();
    if chosen("cohort") {
        figures.extend(cohort::measure(extent)?);
    }
    if chosen("patients") {
        figures.extend(patients::measure(extent)?);
    }
    if chosen("data") {
        figures.extend(data::measure(extent)?);
    }
    if chosen("overhead") || chosen("calls") {
        figures.extend(at_the_gateway(extent, chosen("overhead"), chosen("calls"))?);
    }
    report::table(&figures);
    Ok(())
}

fn at_the_gateway(extent: Extent, overhead: bool, calls: bool) -> anyhow::Result<Vec<Figure>> {
    let desk = desk::Desk::open()?;
    let mut figures = Vec::new();
    if overhead {
        figures.extend(overhead::measure(&desk, extent)?);
        figures.push(closing::measure(&desk, overhead::WARM + extent.runs)?);
    }
    if calls {
        figures.extend(calls::measure(&desk, extent)?);
    }
    Ok(figures)
}
