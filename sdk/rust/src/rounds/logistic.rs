use super::newton::{Evaluated, Newton, Search, estimates};
use super::{
    Coefficient, Step, Sums, centred, coefficient, constant, dot, filled, means, products, triangle,
};

/// Logistic regression by maximum likelihood, with an intercept: Newton's method, which is
/// iteratively reweighted least squares here, after a round that finds the covariates' means.
/// Patients contribute under a key with two labels, without and with the event, so that the
/// host counts both.
///
/// The terms are the intercept and the covariates, on the scale of the log odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logistic {
    covariates: usize,
}

impl Logistic {
    /// A model of so many covariates beside the intercept.
    #[must_use]
    pub const fn new(covariates: usize) -> Self {
        Self { covariates }
    }

    /// The `length` of the vector that patients contribute, to be declared in the manifest.
    #[must_use]
    pub const fn length(&self) -> usize {
        1 + self.terms() + triangle(self.terms())
    }

    const fn terms(&self) -> usize {
        self.covariates + 1
    }

    /// What a patient adds who had the event or not: covariates in the first round, then log
    /// likelihood, score and information. Within the square of the largest covariate's
    /// distance from its mean.
    #[must_use]
    pub fn contribute(&self, state: &[f64], event: bool, covariates: &[f64]) -> Vec<f64> {
        let Some((centre, newton)) = self.read(state) else {
            return filled(covariates.iter().copied(), self.length());
        };
        let row: Vec<f64> = std::iter::once(1.0).chain(centred(covariates, centre)).collect();
        let odds = dot(&newton.at, &row);
        let against = if event { -odds } else { odds };
        let log_likelihood = -(against.max(0.0) + (-against.abs()).exp().ln_1p());
        let chance = (1.0 + (-odds).exp()).recip();
        let residual = f64::from(u8::from(event)) - chance;
        let score = row.iter().map(|value| value * residual);
        let information = products(&row, chance * (1.0 - chance));
        filled(std::iter::once(log_likelihood).chain(score).chain(information), self.length())
    }

    /// The next state, or the estimates, from the cells of both labels: none when the covariates
    /// separate the outcomes, and none of a term that those before it determine.
    #[must_use]
    pub fn reduce(&self, state: &[f64], total: &[Sums]) -> Step<Vec<Coefficient>> {
        let sums: Vec<f64> = (0..self.length())
            .map(|at| total.iter().filter_map(|cell| cell.sums.get(at)).sum())
            .collect();
        let Some((centre, newton)) = self.read(state) else {
            let patients = total.iter().map(|cell| cell.patients).sum();
            let centre = means(&sums, self.covariates, patients);
            return Step::Next(next(&centre, &Newton::new(self.terms())));
        };
        let (head, information) = sums.split_at_checked(1 + self.terms()).unwrap_or_default();
        let (log_likelihood, score) = head.split_first().unwrap_or((&f64::NAN, &[]));
        let weight = information.first().copied().unwrap_or_default();
        let zeros: Vec<f64> = std::iter::once(0.0).chain(constant(centre, weight)).collect();
        let found =
            Evaluated { log_likelihood: *log_likelihood, score, information, zeros: &zeros };
        match newton.step(&found) {
            Search::Next(newton) => Step::Next(next(centre, &newton)),
            Search::Lost => Step::Done(Vec::new()),
            Search::Found(at, information) => {
                // The intercept was that of patients whose covariates are the means.
                let back: Vec<f64> =
                    std::iter::once(1.0).chain(centre.iter().map(|mean| -mean)).collect();
                let intercept = coefficient(0, dot(&at, &back), information.quadratic(&back));
                let slopes = estimates(&at, &information).into_iter().filter(|one| one.term > 0);
                Step::Done(intercept.into_iter().chain(slopes).collect())
            }
        }
    }

    /// Means of the covariates and the search; nothing before the first round.
    fn read<'a>(&self, state: &'a [f64]) -> Option<(&'a [f64], Newton)> {
        let (centre, search) = state.split_at_checked(self.covariates)?;
        (!state.is_empty()).then(|| (centre, Newton::read(search, self.terms())))
    }
}

fn next(centre: &[f64], newton: &Newton) -> Vec<f64> {
    centre.iter().copied().chain(newton.state()).collect()
}
