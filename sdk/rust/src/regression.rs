/// A fitted regression. Limits, p values and ratios are made by the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    /// Distinct patients to whom the model was fitted.
    pub patients: u64,
    /// Those of them with the event, on the scales of odds and hazard; none on the identity.
    pub events: Option<u64>,
    /// The estimated terms, in any order; one left out is published as not estimated.
    pub coefficients: Vec<Coefficient>,
}

/// One term of a regression.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coefficient {
    /// Position in the declared terms.
    pub term: u32,
    /// The estimate, on the declared scale.
    pub estimate: f64,
    /// Its standard error, above 0.
    pub standard_error: f64,
}
