use sekisho_module::{OutputBody, SurvivalSpec};
use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::{SurvivalCurve, SurvivalGroup};

use super::{Emitted, another_kind, body, by_key, guest, label, labels};
use crate::aggregate::round;
use crate::failure::Failed;
use crate::run::Prepared;
use crate::survival::{Moment, estimate_moments};

/// Numbers of one step, and of one group beside its steps.
const CELLS: usize = 6;

impl Emitted {
    /// Estimates, limits and steps are made as in the per-patient world.
    pub(in crate::cohort) fn survival(
        &mut self,
        run: &mut Prepared,
        output: u32,
        groups: Vec<guest::Curve>,
    ) -> Result<(), Failed> {
        let Some(OutputBody::Survival(SurvivalSpec { time_unit, keys })) = body(run, output) else {
            return Err(another_kind(output, "survival curve"));
        };
        let min_cell = run.limits.min_cell;
        let labels = labels(run, keys.iter().map(|key| Some(key.domain.clone())))?;
        let groups = groups.into_iter().map(|one| {
            if one.keys.len() != keys.len() {
                return Err(Failed::contract("arity", "a group has other keys"));
            }
            let key = one.keys.iter().zip(&labels).map(|(&at, domain)| label(domain, at));
            let key = key.collect::<Result<_, Failed>>()?;
            let (patients, moments) = moments(&one.moments)?;
            Ok((one.keys, estimate_moments(&moments, patients, key, min_cell)))
        });
        let groups: Vec<SurvivalGroup> = by_key(groups)?;
        let steps: usize = groups.iter().map(|group| group.steps.len()).sum();
        self.spend((groups.len() + steps) * CELLS)?;
        let key_names = keys.into_iter().map(|key| key.name).collect();
        let curve = SurvivalCurve {
            time_unit,
            key_names,
            groups,
            events_per_step: min_cell,
            ..SurvivalCurve::default()
        };
        self.keep(run, output, Body::Survival(curve))
    }
}

/// The patients of a group and what happened to them, if the numbers agree with one another.
fn moments(given: &[guest::Moment]) -> Result<(u64, Vec<Moment>), Failed> {
    let patients = given.first().map_or(0, |first| first.at_risk);
    let mut left = patients;
    let mut before: Option<f64> = None;
    let mut made = Vec::with_capacity(given.len());
    for one in given {
        // As published; two that are the same then do not rise.
        let time = round(one.time);
        if !(time.is_finite() && time >= 0.0 && before.is_none_or(|t| t < time)) {
            let message = "times must be finite, not negative, and rise by six digits";
            return Err(Failed::contract("survival_time", message));
        }
        let gone = one.events.checked_add(one.censored);
        let after = gone.and_then(|gone| one.at_risk.checked_sub(gone));
        left = after.filter(|_| one.at_risk == left).ok_or_else(|| {
            let message = "at risk must be those who had neither event nor end of follow-up before";
            Failed::contract("survival_numbers", message)
        })?;
        before = Some(time);
        made.push(Moment { time, at_risk: one.at_risk, events: one.events });
    }
    Ok((patients, made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(rows: &[(f64, u64, u64, u64)]) -> Result<u64, &'static str> {
        let given: Vec<guest::Moment> = rows
            .iter()
            .map(|&(time, at_risk, events, censored)| guest::Moment {
                time,
                at_risk,
                events,
                censored,
            })
            .collect();
        moments(&given).map(|(patients, _)| patients).map_err(|failed| failed.code)
    }

    #[test]
    fn numbers_that_contradict_one_another_have_their_code() {
        assert_eq!(code(&[]), Ok(0));
        assert_eq!(code(&[(0.0, 9, 0, 2), (1.0, 7, 3, 1), (4.5, 3, 3, 0)]), Ok(9));
        for rows in [
            [(1.0, 9, 1, 0), (1.0, 8, 1, 0)],
            [(1.0, 9, 1, 0), (1.000_000_1, 8, 1, 0)],
            [(2.0, 9, 1, 0), (1.0, 8, 1, 0)],
            [(-1.0, 9, 1, 0), (1.0, 8, 1, 0)],
            [(1.0, 9, 1, 0), (f64::INFINITY, 8, 1, 0)],
            [(f64::NAN, 9, 1, 0), (1.0, 8, 1, 0)],
        ] {
            assert_eq!(code(&rows), Err("survival_time"), "{rows:?}");
        }
        for rows in [
            [(1.0, 9, 1, 0), (2.0, 9, 1, 0)],
            [(1.0, 9, 1, 0), (2.0, 7, 1, 0)],
            [(1.0, 9, 1, 0), (2.0, 8, 5, 4)],
            [(1.0, 9, u64::MAX, 1), (2.0, 8, 1, 0)],
        ] {
            assert_eq!(code(&rows), Err("survival_numbers"), "{rows:?}");
        }
    }
}
