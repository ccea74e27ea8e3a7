//! Cumulative incidence of competing events (Aalen and Johansen 1978). The variance is that of
//! the delta method (Marubini and Valsecchi 1995, 10.4.2), which with one cause is Greenwood's
//! and without censoring the binomial; limits are on the log scale, as R's `survfit` has them.

use sekisho_proto::v1::{IncidenceCurve, IncidenceGroup, IncidenceStep};

use super::steps::{Point, merge};
use super::{Observation, by_time};
use crate::aggregate::round;
use crate::statistics::{Z, count};

/// What happened at one time.
struct Moment {
    time: f64,
    at_risk: u64,
    /// Events of each cause.
    events: Vec<u64>,
}

/// Estimates one group for causes 1 to `causes`; steps hold `events_per_step` events of their
/// cause.
pub(crate) fn estimate(
    mut observations: Vec<Observation>,
    key: Vec<String>,
    causes: usize,
    events_per_step: u32,
) -> IncidenceGroup {
    observations.sort_by(by_time);
    let moments = moments(&observations, causes);
    let least = u64::from(events_per_step.max(1));
    let curves = (0..causes).map(|cause| {
        let curve = curve(&moments, cause);
        IncidenceCurve {
            events: curve.iter().map(|point| point.events).sum(),
            steps: merge(&curve, least).into_iter().map(step).collect(),
        }
    });
    IncidenceGroup { key, patients: observations.len() as u64, curves: curves.collect() }
}

fn moments(sorted: &[Observation], causes: usize) -> Vec<Moment> {
    let mut at_risk = sorted.len() as u64;
    let tied = sorted.chunk_by(|a, b| a.time == b.time);
    let moments = tied.filter_map(|tied| {
        let mut events = vec![0; causes];
        for cause in tied.iter().filter_map(|one| (one.cause as usize).checked_sub(1)) {
            events.get_mut(cause).into_iter().for_each(|n| *n += 1);
        }
        let moment = Moment { time: tied.first()?.time, at_risk, events };
        at_risk -= tied.len() as u64;
        Some(moment)
    });
    moments.collect()
}

/// The incidence of one cause just after each time with events of it.
fn curve(moments: &[Moment], cause: usize) -> Vec<Point> {
    let mut points = Vec::new();
    let mut sums = Sums::default();
    let (mut survival, mut incidence) = (1.0, 0.0);
    for Moment { time, at_risk, events } in moments {
        let of_cause = events.get(cause).copied().unwrap_or(0);
        let (n, d, k) = (count(*at_risk), count(events.iter().sum()), count(of_cause));
        incidence += survival * k / n;
        sums.add(n, d, k, survival, incidence);
        survival *= (n - d) / n;
        if of_cause > 0 {
            let width = Z * sums.variance(incidence).max(0.0).sqrt() / incidence;
            points.push(Point {
                time: *time,
                at_risk: *at_risk,
                events: of_cause,
                estimate: incidence,
                lower: incidence * (-width).exp(),
                upper: (incidence * width.exp()).min(1.0),
            });
        }
    }
    points
}

/// Sums over the times up to now, F the incidence at each and G now, of which the variance
/// consists: of (G - F)² a - 2 (G - F) e + v.
#[derive(Default)]
struct Sums {
    a: f64,
    fa: f64,
    ffa: f64,
    e: f64,
    fe: f64,
    v: f64,
}

impl Sums {
    /// `survival` is that just before, `incidence` that just after the time.
    fn add(&mut self, n: f64, d: f64, k: f64, survival: f64, incidence: f64) {
        // Once everyone has had an event no later time has a share in G - F.
        let a = if d < n { d / (n * (n - d)) } else { 0.0 };
        let e = survival * k / (n * n);
        self.a += a;
        self.fa += incidence * a;
        self.ffa += incidence * incidence * a;
        self.e += e;
        self.fe += incidence * e;
        self.v += survival * survival * k * (n - k) / (n * n * n);
    }

    fn variance(&self, now: f64) -> f64 {
        let squares = now * now * self.a - 2.0 * now * self.fa + self.ffa;
        squares - 2.0 * (now * self.e - self.fe) + self.v
    }
}

fn step(point: Point) -> IncidenceStep {
    IncidenceStep {
        time: point.time,
        incidence: round(point.estimate),
        lower: round(point.lower),
        upper: round(point.upper),
        at_risk: point.at_risk,
        events: point.events,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(rows: &[(f64, u32)]) -> Vec<Observation> {
        let one = |&(time, cause): &(f64, u32)| Observation::new(time, f64::from(cause), 2);
        rows.iter().map(|row| one(row).unwrap()).collect()
    }

    /// Follow-up of 60 patients: censored, two causes, many ties.
    fn mixed() -> Vec<(f64, u32)> {
        (0..60_u32).map(|i| (f64::from(i * 37 % 23 + 1), i * i % 7 % 3)).collect()
    }

    fn close(found: f64, expected: f64) {
        // Both may be rounded.
        assert!((found - expected).abs() < 2e-6, "{found} is not {expected}");
    }

    /// The same estimate another way: each event weighted by the inverse of the probability of
    /// not being censored before (Satten and Datta 2001).
    fn weighted(rows: &[(f64, u32)], cause: u32, until: f64) -> f64 {
        let free = |before: f64| {
            let mut times: Vec<f64> = rows.iter().map(|r| r.0).filter(|t| *t < before).collect();
            times.sort_by(f64::total_cmp);
            times.dedup();
            let factor = |time: f64| {
                let left = rows.iter().filter(|r| r.0 == time && r.1 == 0).count() as f64;
                // At one time events come before the ends of follow-up.
                let at_risk = rows.iter().filter(|r| r.0 > time || (r.0 == time && r.1 == 0));
                1.0 - left / (at_risk.count().max(1) as f64)
            };
            times.into_iter().map(factor).product::<f64>()
        };
        let events = rows.iter().filter(|r| r.1 == cause && r.0 <= until);
        events.map(|r| 1.0 / free(r.0)).sum::<f64>() / rows.len() as f64
    }

    #[test]
    fn incidences_are_those_of_weighted_events() {
        let rows = mixed();
        let group = estimate(observed(&rows), Vec::new(), 2, 1);
        assert_eq!(group.patients, 60);
        for (cause, curve) in group.curves.iter().enumerate() {
            assert!(curve.steps.len() > 10);
            for step in &curve.steps {
                close(step.incidence, weighted(&rows, cause as u32 + 1, step.time));
                assert!(step.lower <= step.incidence && step.incidence <= step.upper);
            }
        }
    }

    #[test]
    fn one_cause_is_the_complement_of_kaplan_and_meier() {
        let rows: Vec<_> = mixed().into_iter().map(|(t, cause)| (t, cause.min(1))).collect();
        let survival = super::super::estimate(observed(&rows), Vec::new(), 1);
        let group = estimate(observed(&rows), Vec::new(), 2, 1);
        assert_eq!(group.curves[1].steps, []);
        let Some(incidence) = group.curves.first() else { panic!() };
        for (step, survival) in incidence.steps.iter().zip(&survival.steps).take(15) {
            close(step.incidence, 1.0 - survival.survival);
            // Both limits give the standard error back: the lower is never cut.
            let of = |estimate: f64, lower: f64| estimate * (estimate / lower).ln() / Z;
            let greenwood = of(survival.survival, survival.lower);
            assert!((of(step.incidence, step.lower) - greenwood).abs() < 1e-5);
        }
    }

    #[test]
    fn without_censoring_it_is_a_share_with_the_binomial_variance() {
        let rows: Vec<_> = mixed().into_iter().map(|(t, cause)| (t, cause.max(1))).collect();
        let group = estimate(observed(&rows), Vec::new(), 2, 1);
        for step in &group.curves[1].steps {
            let share = rows.iter().filter(|r| r.1 == 2 && r.0 <= step.time).count() as f64 / 60.0;
            let error = (share * (1.0 - share) / 60.0).sqrt();
            close(step.incidence, share);
            assert!((step.lower - share * (-Z * error / share).exp()).abs() < 2e-6);
        }
    }

    #[test]
    fn steps_hold_enough_events_of_their_cause() {
        let group = estimate(observed(&mixed()), Vec::new(), 2, 10);
        for curve in group.curves {
            assert_eq!(curve.steps.iter().map(|step| step.events).sum::<u64>(), curve.events);
            assert!(curve.steps.iter().all(|step| step.events >= 10));
        }
    }
}
