use super::newton::{Evaluated, Newton, Search, estimates};
use super::{Coefficient, Likelihood, Step, dot};

/// Proportional hazards (Cox 1972). The host keeps the risk sets and breaks ties as the
/// manifest's `cox` total says, Efron's way or Breslow's, stratum by stratum; the model climbs
/// the partial likelihood by Newton's method. Takes five to eight rounds as a rule.
///
/// The terms are the covariates, on the scale of the log hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cox {
    covariates: usize,
}

impl Cox {
    /// A model of so many covariates, as many as the total declares.
    #[must_use]
    pub const fn new(covariates: usize) -> Self {
        Self { covariates }
    }

    /// What a patient adds who was followed up for `time` and had the event then or not: time,
    /// event, linear predictor, covariates. Patients of whom a covariate is missing are left
    /// out by not contributing.
    #[must_use]
    pub fn contribute(
        &self,
        state: &[f64],
        time: f64,
        event: bool,
        covariates: &[f64],
    ) -> Vec<f64> {
        let predictor = dot(&Newton::read(state, self.covariates).at, covariates);
        let head = [time, f64::from(u8::from(event)), predictor];
        head.iter().chain(covariates).copied().collect()
    }

    /// The next state, or the estimates: none when the likelihood has no maximum within reach,
    /// and none of a term that those before it determine.
    #[must_use]
    pub fn reduce(&self, state: &[f64], total: &Likelihood) -> Step<Vec<Coefficient>> {
        let found = Evaluated {
            log_likelihood: total.log_likelihood,
            score: &total.score,
            information: &total.information,
            // The host takes rounding for none.
            zeros: &vec![0.0; self.covariates],
        };
        match Newton::read(state, self.covariates).step(&found) {
            Search::Next(newton) => Step::Next(newton.state()),
            Search::Found(at, information) => Step::Done(estimates(&at, &information)),
            Search::Lost => Step::Done(Vec::new()),
        }
    }
}
