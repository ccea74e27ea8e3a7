/// A regression whose estimates and standard errors a guest gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoefficientsSpec {
    /// Name of the model, shown to reviewers.
    pub model: String,
    /// What a unit of a term adds to.
    pub scale: CoefficientScale,
    /// Labels of the terms, in the order of the positions by which a guest names them.
    pub terms: Vec<String>,
    /// Rounds world: name of the total whose patients, and events, are the model's.
    pub of: Option<String>,
}

/// What a unit of a term adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoefficientScale {
    /// The mean, as in linear regression.
    Identity,
    /// The logarithm of the odds, as in logistic regression.
    LogOdds,
    /// The logarithm of the hazard, as in Cox regression.
    LogHazard,
}

impl CoefficientScale {
    /// The scale of this name in manifests.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::Identity),
            "log_odds" => Some(Self::LogOdds),
            "log_hazard" => Some(Self::LogHazard),
            _ => None,
        }
    }

    /// Whether the model tells patients with an event from those without.
    #[must_use]
    pub fn has_events(self) -> bool {
        self != Self::Identity
    }
}
