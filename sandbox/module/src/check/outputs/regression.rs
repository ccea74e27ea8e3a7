use crate::check::Errors;
use crate::manifest::{CoefficientScale, CoefficientsSpec};
use crate::raw::RawOutput;

const MAX_TERMS: usize = 256;

pub(super) fn coefficients(at: &str, raw: RawOutput, errors: &mut Errors) -> CoefficientsSpec {
    let model = raw.model.unwrap_or_default();
    errors.text(at, &model, 80);
    let name = raw.scale.unwrap_or_default();
    let scale = CoefficientScale::from_name(&name).unwrap_or_else(|| {
        let message = format!("`{name}` must be identity, log_odds or log_hazard");
        errors.add("scale", at, message);
        CoefficientScale::Identity
    });
    let terms = raw.terms.unwrap_or_default();
    if terms.is_empty() {
        errors.add("missing", at, "declare at least one of `terms`");
    }
    errors.at_most(at, "terms", terms.len(), MAX_TERMS);
    errors.labels(at, &terms);
    CoefficientsSpec { model, scale, terms, of: raw.of }
}
