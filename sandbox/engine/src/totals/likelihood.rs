//! The partial likelihood of proportional hazards (Cox 1972) with its first two derivatives,
//! at linear predictors that the patients give. Covariates are centred and weights taken
//! relative to the largest of their stratum, neither of which changes the result but in the
//! digits it keeps.

use std::cmp::Ordering;

use sekisho_module::Ties;

use super::vector::Cell;
use crate::bindings::types::Likelihood;

/// Time, event and linear predictor, which stand before the covariates.
const HEAD: usize = 3;
/// A difference that is smaller against what it is taken from is rounding.
const NOISE: f64 = 1e-12;

/// Everybody at risk, as they came.
pub(super) struct Subjects {
    covariates: usize,
    ties: Ties,
    strata: Vec<usize>,
    /// Rows of time, event, linear predictor and covariates, one after the other.
    rows: Vec<f64>,
    /// Sums of the covariates.
    sums: Cell,
    events: u64,
}

/// One of them.
#[derive(Clone, Copy)]
struct Subject<'a> {
    stratum: usize,
    row: &'a [f64],
}

impl Subjects {
    /// Of so many covariates, which the caller clamps to this range.
    pub(super) fn new(covariates: usize, ties: Ties, low: f64, high: f64) -> Self {
        let sums = Cell::new(covariates, low, high);
        Self { covariates, ties, strata: Vec::new(), rows: Vec::new(), sums, events: 0 }
    }

    /// Adds one patient, who may be at risk in several strata.
    pub(super) fn add(&mut self, patient: impl Iterator<Item = (usize, Vec<f64>)>) {
        let mut event = false;
        for (stratum, row) in patient {
            event |= row.get(1) == Some(&1.0);
            self.sums.add(row.get(HEAD..).unwrap_or_default());
            self.strata.push(stratum);
            self.rows.extend(row);
        }
        self.events += u64::from(event);
    }

    /// Patients who had the event.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Numbers it holds.
    pub(super) fn numbers(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn finish(mut self, patients: u64) -> Likelihood {
        let width = HEAD + self.covariates;
        self.centre(width);
        let rows = self.strata.iter().zip(self.rows.chunks_exact(width));
        let mut subjects: Vec<_> = rows.map(|(&stratum, row)| Subject { stratum, row }).collect();
        subjects.sort_unstable_by(Subject::order);
        let mut sums = Derivatives::new(self.covariates);
        for stratum in subjects.chunk_by(|a, b| a.stratum == b.stratum) {
            sums.stratum(stratum, self.ties);
        }
        Likelihood {
            patients,
            events: self.events,
            log_likelihood: sums.log_likelihood,
            score: sums.score,
            information: sums.information,
        }
    }

    /// Takes its mean from every covariate.
    fn centre(&mut self, width: usize) {
        #[allow(clippy::cast_precision_loss, reason = "numbers of patients are below 2^53")]
        let subjects = self.strata.len() as f64;
        for (column, sum) in self.sums.sums().enumerate() {
            let values = self.rows.iter_mut().skip(HEAD + column).step_by(width);
            values.for_each(|value| *value -= sum / subjects);
        }
    }
}

impl<'a> Subject<'a> {
    fn head(&self, at: usize) -> f64 {
        self.row.get(at).copied().unwrap_or_default()
    }

    fn time(&self) -> f64 {
        self.head(0)
    }

    fn event(&self) -> bool {
        self.head(1) == 1.0
    }

    fn predictor(&self) -> f64 {
        self.head(2)
    }

    fn covariates(&self) -> &'a [f64] {
        self.row.get(HEAD..).unwrap_or_default()
    }

    /// By stratum, the latest first; those who tie in all their numbers are alike.
    fn order(&self, other: &Self) -> Ordering {
        let numbers = || {
            let pairs = self.row.iter().zip(other.row);
            pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne())
        };
        let times = self.stratum.cmp(&other.stratum).then(other.time().total_cmp(&self.time()));
        times.then_with(|| numbers().unwrap_or(Ordering::Equal))
    }
}

/// Sums over subjects of their weight, of weight times covariates, and of weight times products
/// of covariates: a lower triangle, row by row.
#[derive(Clone)]
struct Moments {
    weight: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Moments {
    fn new(covariates: usize) -> Self {
        let second = vec![0.0; covariates * (covariates + 1) / 2];
        Self { weight: 0.0, first: vec![0.0; covariates], second }
    }

    fn add(&mut self, weight: f64, covariates: &[f64]) {
        self.weight += weight;
        for (sum, value) in self.first.iter_mut().zip(covariates) {
            *sum += weight * value;
        }
        for (sum, product) in self.second.iter_mut().zip(products(covariates)) {
            *sum += weight * product;
        }
    }

    /// What is left when a part of others is taken away.
    fn less(&self, part: f64, others: &Self) -> Self {
        let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - part * b).collect();
        Self {
            weight: self.weight - part * others.weight,
            first: less(&self.first, &others.first),
            second: less(&self.second, &others.second),
        }
    }
}

struct Derivatives {
    log_likelihood: f64,
    score: Vec<f64>,
    information: Vec<f64>,
}

impl Derivatives {
    fn new(covariates: usize) -> Self {
        let Moments { first, second, .. } = Moments::new(covariates);
        Self { log_likelihood: 0.0, score: first, information: second }
    }

    /// Adds a stratum, whose subjects come with the latest time first.
    fn stratum(&mut self, subjects: &[Subject<'_>], ties: Ties) {
        let largest = subjects.iter().map(Subject::predictor).fold(f64::MIN, f64::max);
        let mut at_risk = Moments::new(self.score.len());
        for tied in subjects.chunk_by(|a, b| a.time() == b.time()) {
            let mut died = Moments::new(self.score.len());
            let mut deaths = 0.0;
            for subject in tied {
                let predictor = subject.predictor() - largest;
                at_risk.add(predictor.exp(), subject.covariates());
                if subject.event() {
                    died.add(predictor.exp(), subject.covariates());
                    self.died(predictor, subject.covariates());
                    deaths += 1.0;
                }
            }
            let mut before = 0.0;
            while before < deaths {
                let part = if ties == Ties::Efron { before / deaths } else { 0.0 };
                self.survived(&at_risk.less(part, &died));
                before += 1.0;
            }
        }
    }

    /// The numerator of one event's factor.
    fn died(&mut self, predictor: f64, covariates: &[f64]) {
        self.log_likelihood += predictor;
        self.score.iter_mut().zip(covariates).for_each(|(score, value)| *score += value);
    }

    /// The denominator of one event's factor.
    fn survived(&mut self, risk: &Moments) {
        self.log_likelihood -= risk.weight.ln();
        let mean: Vec<f64> = risk.first.iter().map(|sum| sum / risk.weight).collect();
        self.score.iter_mut().zip(&mean).for_each(|(score, mean)| *score -= mean);
        let squares = risk.second.iter().zip(products(&mean));
        for (sum, (second, square)) in self.information.iter_mut().zip(squares) {
            let second = second / risk.weight;
            // What a covariate that is the same for everybody at risk leaves is no variance.
            let left = second - square;
            *sum += if left.abs() > NOISE * second.abs() { left } else { 0.0 };
        }
    }
}

/// The lower triangle of the products of a vector with itself.
fn products(of: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let rows = of.iter().enumerate();
    rows.flat_map(move |(row, a)| of.iter().take(row + 1).map(move |b| a * b))
}
