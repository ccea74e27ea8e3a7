use super::{Contributed, KeySpec};

/// Rounds world: what patients contribute to in every round, and the reducer is given.
#[derive(Clone, Debug, PartialEq)]
pub struct TotalSpec {
    /// Unique name among the totals.
    pub name: String,
    /// How the host puts contributions together.
    pub kind: TotalKind,
    /// Least number of a component or covariate; smaller ones are raised to it.
    pub low: f64,
    /// Greatest number of a component or covariate; larger ones are lowered to it.
    pub high: f64,
    /// Finite keys: cells of a vector, strata of a likelihood.
    pub keys: Vec<KeySpec>,
    /// Most contributions one patient may make in a round; at least 1.
    pub max_contributions: u32,
    /// What a patient contributes whose call failed; nothing when unset.
    pub default: Option<Contributed>,
}

/// How the host puts contributions to a total together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalKind {
    /// Sums of as many components, cell by cell.
    Vector {
        /// Number of components.
        length: usize,
    },
    /// A Cox partial likelihood with its derivatives, over all strata.
    Cox {
        /// Number of covariates.
        covariates: usize,
        /// How events at the same time are treated.
        ties: Ties,
    },
}

/// Approximations of a partial likelihood with tied events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// Efron 1977.
    Efron,
    /// Breslow 1974.
    Breslow,
}

impl TotalSpec {
    /// Number of cells: the product of the key domains, 1 without keys.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.keys.iter().map(|k| k.labels().len()).product()
    }

    /// Number of values a contribution carries.
    #[must_use]
    pub fn arity(&self) -> usize {
        match self.kind {
            TotalKind::Vector { length } => length,
            // Time, event, linear predictor.
            TotalKind::Cox { covariates, .. } => 3 + covariates,
        }
    }

    /// Position of a cell, keys in row-major order; `None` outside the declared domains.
    #[must_use]
    pub fn cell(&self, keys: &[u32]) -> Option<usize> {
        if keys.len() != self.keys.len() {
            return None;
        }
        self.keys.iter().zip(keys).try_fold(0_usize, |cell, (key, &position)| {
            let size = key.labels().len();
            let position = position as usize;
            (position < size).then(|| cell * size + position)
        })
    }

    /// Whether the cells are two: without and with an event.
    #[must_use]
    pub fn tells_events(&self) -> bool {
        self.keys.len() == 1 && self.cells() == 2
    }
}
