//! Coefficients as they are published. Who fitted the model gives estimates and standard errors;
//! degrees of freedom, limits, p values and ratios are made here, from those two as rounded for
//! publication, so that nothing beside them tells more digits.

use sekisho_module::{CoefficientScale, CoefficientsSpec};
use sekisho_proto::v1;

use crate::aggregate::round;
use crate::failure::Failed;
use crate::statistics::{Z, normal_two_sided, student};

/// A fitted model that fits its declaration.
#[derive(Debug)]
pub(crate) struct Fit {
    patients: u64,
    events: Option<u64>,
    /// One per declared term.
    terms: Vec<Option<Estimate>>,
}

/// One term, with six significant digits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    value: f64,
    standard_error: f64,
}

impl Fit {
    /// A model without estimates, fitted to `patients` of whom `events` had the event.
    ///
    /// # Errors
    /// `fit_events` unless the scales of odds and hazard, and they alone, have events, and no
    /// more of them than patients.
    pub(crate) fn new(
        spec: &CoefficientsSpec,
        patients: u64,
        events: Option<u64>,
    ) -> Result<Self, Failed> {
        if events.is_some() != spec.scale.has_events() || events.is_some_and(|e| e > patients) {
            let message = "events are for the scales of odds and hazard, no more than patients";
            return Err(Failed::contract("fit_events", message));
        }
        Ok(Self { patients, events, terms: vec![None; spec.terms.len()] })
    }

    /// Adds the estimate of the term at a position.
    ///
    /// # Errors
    /// `fit_term` for a position that is not declared or was given before, `fit_estimate`
    /// unless the estimate is finite and the standard error finite and above 0.
    pub(crate) fn term(&mut self, at: u32, value: f64, standard_error: f64) -> Result<(), Failed> {
        let Some(slot @ None) = self.terms.get_mut(at as usize) else {
            let message = format!("term {at} is not declared, or given twice");
            return Err(Failed::contract("fit_term", message));
        };
        if !(value.is_finite() && standard_error.is_finite() && standard_error > 0.0) {
            let message = format!(
                "term {at}: estimate and standard error must be finite, the latter above 0"
            );
            return Err(Failed::contract("fit_estimate", message));
        }
        *slot = Some(Estimate { value: round(value), standard_error: round(standard_error) });
        Ok(())
    }

    /// The typed output.
    pub(crate) fn publish(self, spec: &CoefficientsSpec) -> v1::Coefficients {
        let estimated = self.terms.iter().flatten().count() as u64;
        let basis = match spec.scale {
            CoefficientScale::LogHazard => self.events.unwrap_or(0),
            CoefficientScale::LogOdds | CoefficientScale::Identity => self.patients,
        };
        let residual = basis.saturating_sub(estimated);
        let coefficients = spec.terms.iter().zip(self.terms).map(|(label, estimate)| {
            let term = label.clone();
            match estimate {
                Some(estimate) => estimate.publish(term, spec.scale, residual),
                None => v1::Coefficient { term, ..v1::Coefficient::default() },
            }
        });
        v1::Coefficients {
            model: spec.model.clone(),
            scale: scale(spec.scale).into(),
            patients: self.patients,
            events: self.events,
            residual_degrees_of_freedom: residual,
            coefficients: coefficients.collect(),
        }
    }
}

impl Estimate {
    fn publish(self, term: String, scale: CoefficientScale, residual: u64) -> v1::Coefficient {
        let Self { value, standard_error } = self;
        let statistic = value / standard_error;
        let (p, width) = match scale {
            CoefficientScale::Identity => student(statistic, residual).unzip(),
            CoefficientScale::LogOdds | CoefficientScale::LogHazard => {
                (Some(normal_two_sided(statistic)), Some(Z))
            }
        };
        let limits = width.map(|width| [-width, width].map(|w| value + w * standard_error));
        let finite = |of: Option<f64>| of.filter(|number| number.is_finite()).map(round);
        let ratio = |of: Option<f64>| finite(of.filter(|_| scale.has_events()).map(f64::exp));
        let [lower, upper] = [limits.map(|[lower, _]| lower), limits.map(|[_, upper]| upper)];
        v1::Coefficient {
            term,
            estimate: Some(value),
            standard_error: Some(standard_error),
            lower: finite(lower),
            upper: finite(upper),
            p_value: finite(p),
            ratio: ratio(Some(value)),
            ratio_lower: ratio(lower),
            ratio_upper: ratio(upper),
        }
    }
}

fn scale(scale: CoefficientScale) -> v1::CoefficientScale {
    match scale {
        CoefficientScale::Identity => v1::CoefficientScale::Identity,
        CoefficientScale::LogOdds => v1::CoefficientScale::LogOdds,
        CoefficientScale::LogHazard => v1::CoefficientScale::LogHazard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(scale: CoefficientScale) -> CoefficientsSpec {
        let terms = ["age", "sex", "ph.ecog"].map(str::to_owned).to_vec();
        CoefficientsSpec { model: "M".to_owned(), scale, terms, of: None }
    }

    // R: coxph(Surv(time, status) ~ age + sex + ph.ecog, lung), of which summary() prints
    // 0.01107, 1.0111, 0.00927, p 0.232416; -0.55261, 0.5754, 0.16774, p 0.000986, 0.4142 to
    // 0.7994; 0.46373, 1.5900, 0.11358, p 4.45e-05.
    #[test]
    fn a_cox_model_is_published_as_r_prints_it() {
        let spec = spec(CoefficientScale::LogHazard);
        let mut fit = Fit::new(&spec, 227, Some(164)).unwrap();
        fit.term(2, 0.463_728_142_679_380_56, 0.113_577_274_035_803_94).unwrap();
        fit.term(0, 0.011_066_726_726_023_813, 0.009_267_410_335_634_522).unwrap();
        fit.term(1, -0.552_610_408_384_655, 0.167_738_996_102_241_66).unwrap();
        let made = fit.publish(&spec);
        assert_eq!((made.events, made.residual_degrees_of_freedom), (Some(164), 161));
        let [age, sex, ecog] = &made.coefficients[..] else { panic!("three terms") };
        assert_eq!((age.estimate, age.ratio), (Some(0.011_066_7), Some(1.011_13)));
        let near = |found: Option<f64>, expected: f64, by: f64| {
            assert!((found.unwrap() - expected).abs() <= by, "{found:?} is not {expected}");
        };
        // From six digits of estimate and standard error.
        near(age.p_value, 0.232_416, 5e-6);
        near(sex.p_value, 0.000_986, 5e-7);
        near(sex.ratio, 0.575_4, 5e-5);
        near(sex.ratio_lower, 0.414_2, 5e-5);
        near(sex.ratio_upper, 0.799_4, 5e-5);
        near(ecog.p_value, 4.45e-5, 5e-8);
    }

    // R: lm(dist ~ speed, cars) has 48 degrees of freedom; confint gives 3.096964 to 4.767853.
    #[test]
    fn a_linear_model_has_the_limits_of_student() {
        let spec = spec(CoefficientScale::Identity);
        let mut fit = Fit::new(&spec, 50, None).unwrap();
        fit.term(0, -17.579_095, 6.758_440).unwrap();
        fit.term(1, 3.932_409, 0.415_513).unwrap();
        let made = fit.publish(&spec);
        assert_eq!(made.residual_degrees_of_freedom, 48);
        let slope = &made.coefficients[1];
        assert_eq!((slope.lower, slope.upper), (Some(3.096_97), Some(4.767_85)));
        assert!((made.coefficients[0].p_value.unwrap() - 0.012_3).abs() < 5e-5);
        assert_eq!(slope.ratio, None);
        assert_eq!(made.coefficients[2].estimate, None);
    }

    #[test]
    fn what_does_not_fit_has_its_code() {
        let (line, odds) = (spec(CoefficientScale::Identity), spec(CoefficientScale::LogOdds));
        for (spec, events) in [(&line, Some(3)), (&odds, None), (&odds, Some(21))] {
            assert_eq!(Fit::new(spec, 20, events).unwrap_err().code, "fit_events");
        }
        let mut fit = Fit::new(&line, 20, None).unwrap();
        fit.term(0, 1.0, 1.0).unwrap();
        for (term, value, error, code) in [
            (0, 1.0, 1.0, "fit_term"),
            (3, 1.0, 1.0, "fit_term"),
            (1, f64::NAN, 1.0, "fit_estimate"),
            (1, 1.0, 0.0, "fit_estimate"),
            (1, 1.0, f64::INFINITY, "fit_estimate"),
        ] {
            assert_eq!(fit.term(term, value, error).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_saturated_model_has_no_degrees_of_freedom_left() {
        let spec = spec(CoefficientScale::Identity);
        let mut fit = Fit::new(&spec, 1, None).unwrap();
        fit.term(0, 1.0, 1.0).unwrap();
        fit.term(1, 1.0, 1.0).unwrap();
        let made = fit.publish(&spec);
        assert_eq!(made.residual_degrees_of_freedom, 0);
        assert_eq!((made.coefficients[0].p_value, made.coefficients[0].lower), (None, None));
    }
}
