//! Turns, medians, and the table.
#![allow(clippy::print_stdout, reason = "what a bench is for")]

use std::time::Instant;

/// One line of the table.
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// Ours, with its unit.
    pub(crate) ours: String,
    /// What it is held against, with its unit.
    pub(crate) against: String,
    /// How much worse ours is; below 1 it is better.
    pub(crate) ratio: Option<f64>,
    /// What it should be.
    pub(crate) wanted: &'static str,
}

/// Times of two things that took turns, in the unit of what was measured.
pub(crate) struct Turns {
    ours: Vec<f64>,
    other: Vec<f64>,
}

impl Turns {
    /// Lets the two take turns, the first turn of each being thrown away, and prints all.
    pub(crate) fn take(
        name: &str,
        rounds: usize,
        mut ours: impl FnMut() -> anyhow::Result<f64>,
        mut other: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<Self> {
        let mut turns = Self { ours: Vec::new(), other: Vec::new() };
        for round in 0..=rounds {
            let pair = (ours()?, other()?);
            let warm = if round == 0 { " (not counted)" } else { "" };
            println!("{name} turn {round}: {:.5} against {:.5}{warm}", pair.0, pair.1);
            if round > 0 {
                turns.ours.push(pair.0);
                turns.other.push(pair.1);
            }
        }
        Ok(turns)
    }

    pub(crate) fn ours(&self) -> f64 {
        median(&self.ours)
    }

    pub(crate) fn other(&self) -> f64 {
        median(&self.other)
    }

    /// Median over the turns of ours / other: what both sides of a turn suffer cancels out.
    pub(crate) fn ratio(&self) -> f64 {
        let pairs = self.ours.iter().zip(&self.other);
        median(&pairs.map(|(ours, other)| ours / other).collect::<Vec<_>>())
    }
}

/// Seconds that something takes.
pub(crate) fn seconds<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(f64, T)> {
    let started = Instant::now();
    let result = work()?;
    Ok((started.elapsed().as_secs_f64(), result))
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of all values does not exceed; 0 of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * share).round();
    sorted.get(at as usize).copied().unwrap_or_default()
}

/// Prints one line while measuring.
pub(crate) fn note(line: &str) {
    println!("{line}");
}

/// Prints the table, as Markdown.
pub(crate) fn table(figures: &[Figure]) {
    println!("\n| measure | ours | against | ratio | wanted |\n|---|---|---|---|---|");
    for Figure { what, ours, against, ratio, wanted } in figures {
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        println!("| {what} | {ours} | {against} | {ratio} | {wanted} |");
    }
}
