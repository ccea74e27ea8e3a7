//! Models that are fitted in rounds (`world = "rounds"`): in every round each patient adds a few
//! numbers that hang on the state, and the reducer makes the next state, or the result, from
//! the host's sums alone.
//!
//! A model is a small state machine with two halves, both plain functions: `contribute` says
//! what one patient adds, `reduce` what follows from the sums. The state before the first round
//! is empty.

mod cox;
mod linear;
mod logistic;
mod newton;
mod solve;

use crate::Coefficient;
pub use cox::Cox;
pub use linear::Linear;
pub use logistic::Logistic;

/// Host-made sums of one cell of a `vector`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Distinct patients who contributed; none, or at least the minimum of the agreement.
    pub patients: u64,
    /// One sum for each component.
    pub sums: Vec<f64>,
}

/// A host-made partial likelihood (Cox 1972) over all strata, at the linear predictors that the
/// patients gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likelihood {
    /// Distinct patients at risk at any time.
    pub patients: u64,
    /// Those of them who had the event.
    pub events: u64,
    /// Logarithm of the partial likelihood.
    pub log_likelihood: f64,
    /// Its first derivatives, one for each covariate.
    pub score: Vec<f64>,
    /// Its second derivatives with the sign changed: the lower triangle, row by row.
    pub information: Vec<f64>,
}

/// What a reducer answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// Another round with this state: finite numbers, 4,096 at most.
    Next(Vec<f64>),
    /// The result.
    Done(T),
}

impl<T> Step<T> {
    /// Makes something else of the result.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Next(state) => Step::Next(state),
            Self::Done(result) => Step::Done(make(result)),
        }
    }
}

/// A term's estimate; nothing when there is none.
fn coefficient(term: usize, estimate: f64, variance: f64) -> Option<Coefficient> {
    let (term, standard_error) = (u32::try_from(term).ok()?, variance.sqrt());
    let estimated = estimate.is_finite() && standard_error.is_finite() && standard_error > 0.0;
    estimated.then_some(Coefficient { term, estimate, standard_error })
}

/// Elements of a lower triangle with so many rows.
const fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

/// The lower triangle of the products of a vector with itself.
fn products(of: &[f64], weight: f64) -> impl Iterator<Item = f64> + '_ {
    let rows = of.iter().enumerate();
    rows.flat_map(move |(row, a)| of.iter().take(row + 1).map(move |b| weight * a * b))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Values less their means.
fn centred(values: &[f64], means: &[f64]) -> Vec<f64> {
    values.iter().zip(means).map(|(value, mean)| value - mean).collect()
}

/// Means of the first so many components.
fn means(sums: &[f64], count: usize, patients: u64) -> Vec<f64> {
    #[allow(clippy::cast_precision_loss, reason = "numbers of patients are below 2^53")]
    let patients = patients.max(1) as f64;
    sums.iter().take(count).map(|sum| sum / patients).collect()
}

/// Sums of squares, each as many times as the weight says, of a covariate that differs from its
/// mean by no more than a ten-millionth of it: it is the same for all.
fn constant(means: &[f64], weight: f64) -> Vec<f64> {
    means.iter().map(|mean| weight * (1e-7 * mean).powi(2)).collect()
}

/// A contribution of so many components that begins with these.
fn filled(begins: impl IntoIterator<Item = f64>, length: usize) -> Vec<f64> {
    begins.into_iter().chain(std::iter::repeat(0.0)).take(length).collect()
}

#[cfg(test)]
mod tests;
