use super::solve::Factor;
use super::{
    Coefficient, Step, Sums, centred, coefficient, constant, dot, filled, means, products, triangle,
};

/// Linear regression by least squares, with an intercept. Two rounds: the means, then the
/// normal equations of what differs from them, so that no digits are lost to a large mean. A
/// residual variance below 1e-9 of the outcome's is not to be told from none.
///
/// The terms are the intercept and the covariates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    covariates: usize,
}

impl Linear {
    /// A model of so many covariates beside the intercept.
    #[must_use]
    pub const fn new(covariates: usize) -> Self {
        Self { covariates }
    }

    /// The `length` of the vector that patients contribute, to be declared in the manifest.
    #[must_use]
    pub const fn length(&self) -> usize {
        triangle(self.covariates + 1)
    }

    /// What a patient adds: in the first round covariates and outcome, in the second products
    /// of how they differ from the means. Within the square of the largest of them.
    #[must_use]
    pub fn contribute(&self, state: &[f64], outcome: f64, covariates: &[f64]) -> Vec<f64> {
        let values: Vec<f64> = covariates.iter().copied().chain([outcome]).collect();
        if state.is_empty() {
            return filled(values, self.length());
        }
        filled(products(&centred(&values, state), 1.0), self.length())
    }

    /// The next state, or the estimates: none of a term that those before it determine.
    #[must_use]
    pub fn reduce(&self, state: &[f64], total: &Sums) -> Step<Vec<Coefficient>> {
        if state.is_empty() {
            return Step::Next(means(&total.sums, self.covariates + 1, total.patients));
        }
        let (of_covariates, of_outcome) =
            total.sums.split_at_checked(triangle(self.covariates)).unwrap_or_default();
        let (Some((outcome, mixed)), Some((mean, centre))) =
            (of_outcome.split_last(), state.split_last())
        else {
            return Step::Done(Vec::new());
        };
        #[allow(clippy::cast_precision_loss, reason = "numbers of patients are below 2^53")]
        let patients = total.patients as f64;
        let factor = Factor::new(of_covariates, &constant(centre, patients));
        let slopes = factor.solve(mixed);
        #[allow(clippy::cast_precision_loss, reason = "few terms")]
        let used = factor.rank() as f64 + 1.0;
        let variance = (outcome - dot(&slopes, mixed)).max(0.0) / (patients - used).max(0.0);
        let spread = patients.recip() + factor.quadratic(centre);
        let intercept = coefficient(0, mean - dot(&slopes, centre), variance * spread);
        let held = slopes.iter().enumerate().filter(|(term, _)| factor.holds(*term));
        let slopes = held.filter_map(|(term, slope)| {
            coefficient(term + 1, *slope, variance * factor.variance(term))
        });
        Step::Done(intercept.into_iter().chain(slopes).collect())
    }
}
