use sekisho_module::OutputBody;
use sekisho_proto::v1::output::Body;

use super::{Emitted, another_kind, body, guest};
use crate::failure::Failed;
use crate::regression::Fit;
use crate::run::Prepared;

/// Numbers published of one term, from the estimate to the limits of its ratio.
const CELLS_PER_TERM: usize = 8;

impl Emitted {
    pub(crate) fn coefficients(
        &mut self,
        run: &Prepared,
        output: u32,
        given: guest::Fit,
    ) -> Result<(), Failed> {
        let Some(OutputBody::Coefficients(spec)) = body(run, output) else {
            return Err(another_kind(output, "regression"));
        };
        self.spend(spec.terms.len() * CELLS_PER_TERM)?;
        let mut fit = Fit::new(&spec, given.patients, given.events)?;
        for one in given.coefficients {
            fit.term(one.term, one.estimate, one.standard_error)?;
        }
        self.keep(run, output, Body::Coefficients(fit.publish(&spec)))
    }
}
