//! Newton's method for a concave log likelihood, one evaluation a round, with steps halved
//! until the likelihood does not fall.

use super::solve::Factor;
use super::{Coefficient, coefficient, dot};

/// Squared length of a step in standard errors below which the fit has converged; what is left
/// after it is of the order of this number.
const CONVERGED: f64 = 1e-16;
/// Noise of a log likelihood, relative to it.
const NOISE: f64 = 1e-12;
/// Evaluations after which a fit is given up.
const MOST_EVALUATIONS: f64 = 30.0;
/// Numbers of the state besides two points.
const HEAD: usize = 2;

/// Where the search is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Newton {
    /// Where the likelihood is being evaluated.
    pub(super) at: Vec<f64>,
    /// The best point so far, and the logarithm of the likelihood there.
    best: Vec<f64>,
    highest: f64,
    evaluations: f64,
}

/// A log likelihood with its derivatives at one point.
pub(super) struct Evaluated<'a> {
    pub(super) log_likelihood: f64,
    pub(super) score: &'a [f64],
    /// Lower triangle, row by row.
    pub(super) information: &'a [f64],
    /// Up to which a term's information is taken for none.
    pub(super) zeros: &'a [f64],
}

/// What follows from an evaluation.
pub(super) enum Search {
    Next(Newton),
    /// The maximum and the factored information there.
    Found(Vec<f64>, Factor),
    /// There is no maximum within reach.
    Lost,
}

impl Newton {
    /// Before the first evaluation: all zero.
    pub(super) fn new(terms: usize) -> Self {
        let zero = vec![0.0; terms];
        Self { at: zero.clone(), best: zero, highest: f64::MIN, evaluations: 0.0 }
    }

    /// Reads what [`Newton::state`] wrote; an empty state is the beginning.
    pub(super) fn read(state: &[f64], terms: usize) -> Self {
        let (head, points) = state.split_at_checked(HEAD).unwrap_or_default();
        match (head, points.split_at_checked(terms)) {
            (&[highest, evaluations], Some((at, best))) => {
                Self { at: at.to_vec(), best: best.to_vec(), highest, evaluations }
            }
            _ => Self::new(terms),
        }
    }

    pub(super) fn state(&self) -> Vec<f64> {
        let head = [self.highest, self.evaluations];
        head.iter().chain(&self.at).chain(&self.best).copied().collect()
    }

    pub(super) fn step(mut self, found: &Evaluated<'_>) -> Search {
        self.evaluations += 1.0;
        if self.evaluations > MOST_EVALUATIONS {
            return Search::Lost;
        }
        let fallen = self.highest - found.log_likelihood > NOISE * (1.0 + self.highest.abs());
        if !found.log_likelihood.is_finite() || fallen {
            self.at = self.at.iter().zip(&self.best).map(|(a, b)| f64::midpoint(*a, *b)).collect();
            return Search::Next(self);
        }
        let factor = Factor::new(found.information, found.zeros);
        let step = factor.solve(found.score);
        let moved: Vec<f64> = self.at.iter().zip(&step).map(|(at, step)| at + step).collect();
        let length = dot(&step, found.score);
        if length <= CONVERGED {
            return Search::Found(moved, factor);
        }
        if moved.iter().any(|value| !value.is_finite()) {
            return Search::Lost;
        }
        self.highest = found.log_likelihood;
        self.best = std::mem::replace(&mut self.at, moved);
        Search::Next(self)
    }
}

/// The estimates at a maximum.
pub(super) fn estimates(at: &[f64], information: &Factor) -> Vec<Coefficient> {
    let held = at.iter().enumerate().filter(|(term, _)| information.holds(*term));
    held.filter_map(|(term, value)| coefficient(term, *value, information.variance(term))).collect()
}
