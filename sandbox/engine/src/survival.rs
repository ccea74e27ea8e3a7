//! Kaplan-Meier estimate (Kaplan and Meier 1958) with Greenwood's variance and intervals on
//! the log scale, as R's `survfit` does by default.

pub(crate) mod incidence;
mod log_rank;
mod steps;

use std::cmp::Ordering;

use sekisho_proto::v1::{SurvivalGroup, SurvivalStep};

use crate::aggregate::round;
use crate::statistics::{Z, count};
pub(crate) use log_rank::log_rank;
use steps::{Point, merge};

/// Products of fractions that should be one half may miss it by rounding.
const TOLERANCE: f64 = 1e-9;

/// One patient's follow-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    time: f64,
    /// 0 when follow-up ended without an event.
    cause: u32,
}

impl Observation {
    /// `None` unless time is finite and not negative, and event is a whole number from 0 to
    /// `causes`. A curve shows times that patients contributed, so the time has no more digits
    /// than what is published.
    pub(crate) fn new(time: f64, event: f64, causes: u32) -> Option<Self> {
        let cause = (0..=causes).find(|cause| f64::from(*cause) == event)?;
        (time.is_finite() && time >= 0.0).then(|| Self { time: round(time), cause })
    }

    /// Whether follow-up ended with an event.
    pub(crate) fn is_event(&self) -> bool {
        self.cause > 0
    }
}

/// Order of follow-up times; what happened at one time has none.
pub(crate) fn by_time(a: &Observation, b: &Observation) -> Ordering {
    a.time.total_cmp(&b.time)
}

/// What happened in one group at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) time: f64,
    /// Patients whose follow-up had not ended before.
    pub(crate) at_risk: u64,
    /// Of them with the event at this time.
    pub(crate) events: u64,
}

/// Estimates one group and merges its curve into steps of at least `events_per_step` events.
pub(crate) fn estimate(
    mut observations: Vec<Observation>,
    key: Vec<String>,
    events_per_step: u32,
) -> SurvivalGroup {
    observations.sort_by(by_time);
    estimate_moments(&moments(&observations), observations.len() as u64, key, events_per_step)
}

/// The same of a group of whom only the numbers at each time are known, times rising.
pub(crate) fn estimate_moments(
    moments: &[Moment],
    patients: u64,
    key: Vec<String>,
    events_per_step: u32,
) -> SurvivalGroup {
    let curve = curve(moments);
    let first = |below: fn(&Point) -> f64| {
        curve.iter().find(|p| below(p) <= 0.5 + TOLERANCE).map(|p| p.time)
    };
    let steps = merge(&curve, u64::from(events_per_step.max(1)));
    SurvivalGroup {
        key,
        patients,
        events: curve.iter().map(|p| p.events).sum(),
        median: first(|p| p.estimate),
        median_lower: first(|p| p.lower),
        median_upper: first(|p| p.upper),
        steps: steps.into_iter().map(step).collect(),
    }
}

fn moments(sorted: &[Observation]) -> Vec<Moment> {
    let mut at_risk = sorted.len() as u64;
    let tied = sorted.chunk_by(|a, b| a.time == b.time);
    let moments = tied.filter_map(|tied| {
        let events = tied.iter().filter(|o| o.is_event()).count() as u64;
        let moment = Moment { time: tied.first()?.time, at_risk, events };
        at_risk -= tied.len() as u64;
        Some(moment)
    });
    moments.collect()
}

/// The estimate just after each time with events.
fn curve(moments: &[Moment]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let (mut survival, mut variance) = (1.0, 0.0);
    for &Moment { time, at_risk, events } in moments.iter().filter(|moment| moment.events > 0) {
        let (n, d) = (count(at_risk), count(events));
        survival *= (n - d) / n;
        variance += d / (n * (n - d));
        let (lower, upper) = interval(survival, variance, points.last());
        points.push(Point { time, at_risk, events, estimate: survival, lower, upper });
    }
    points
}

/// 95 % limits. Once nobody is left they are undefined (R gives NA): the last upper limit
/// still holds because the limits never rise, and 0 is the lowest there is.
fn interval(survival: f64, variance: f64, before: Option<&Point>) -> (f64, f64) {
    if survival <= 0.0 {
        let upper = before.map_or(1.0, |p| p.upper);
        return (before.map_or(1.0, |p| p.lower), upper);
    }
    let factor = (Z * variance.sqrt()).exp();
    (survival / factor, (survival * factor).min(1.0))
}

fn step(point: Point) -> SurvivalStep {
    let lower = if point.estimate <= 0.0 { 0.0 } else { point.lower };
    SurvivalStep {
        time: point.time,
        survival: round(point.estimate),
        lower: round(lower),
        upper: round(point.upper),
        at_risk: point.at_risk,
        events: point.events,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(rows: &[(f64, u8)]) -> Vec<Observation> {
        rows.iter().map(|&(t, e)| Observation::new(t, f64::from(e), 1).unwrap()).collect()
    }

    // The 6-MP arm of Freireich et al. 1963, the textbook example of the estimate.
    const TREATED: [(f64, u8); 21] = [
        (6.0, 1),
        (6.0, 1),
        (6.0, 1),
        (6.0, 0),
        (7.0, 1),
        (9.0, 0),
        (10.0, 1),
        (10.0, 0),
        (11.0, 0),
        (13.0, 1),
        (16.0, 1),
        (17.0, 0),
        (19.0, 0),
        (20.0, 0),
        (22.0, 1),
        (23.0, 1),
        (25.0, 0),
        (32.0, 0),
        (32.0, 0),
        (34.0, 0),
        (35.0, 0),
    ];

    #[test]
    fn the_textbook_estimate_comes_out() {
        let group = estimate(observed(&TREATED), Vec::new(), 1);
        let survival: Vec<f64> = group.steps.iter().map(|s| s.survival).collect();
        let expected = [0.857143, 0.806723, 0.752941, 0.690196, 0.627451, 0.537815, 0.448179];
        assert_eq!(survival, expected);
        assert_eq!((group.patients, group.events, group.median), (21, 9, Some(23.0)));
        // survfit: lower limit 16, upper limit never reached.
        assert_eq!((group.median_lower, group.median_upper), (Some(16.0), None));
        let first = &group.steps[0];
        assert_eq!((first.lower, first.upper), (0.719817, 1.0));
    }

    #[test]
    fn steps_hold_enough_events_and_lose_none() {
        let group = estimate(observed(&TREATED), Vec::new(), 4);
        let events: Vec<u64> = group.steps.iter().map(|s| s.events).collect();
        assert_eq!(events, [4, 5]);
        assert_eq!(group.steps[1].time, 23.0);
        assert_eq!(group.steps[1].at_risk, 15);
        assert_eq!(estimate(observed(&TREATED), Vec::new(), 10).steps, []);
    }

    #[test]
    fn order_does_not_matter() {
        let mut reversed = observed(&TREATED);
        reversed.reverse();
        let (a, b) = (observed(&TREATED), reversed);
        assert_eq!(estimate(a, Vec::new(), 2), estimate(b, Vec::new(), 2));
    }

    #[test]
    fn when_everyone_has_the_event_the_curve_ends_at_zero() {
        let group = estimate(observed(&[(1.0, 1), (2.0, 1)]), Vec::new(), 1);
        let last = group.steps.last().unwrap();
        assert_eq!((last.survival, last.lower), (0.0, 0.0));
        assert!(last.upper.is_finite());
        assert_eq!(group.median, Some(1.0));
    }

    #[test]
    fn nobody_gives_an_empty_group() {
        let group = estimate(Vec::new(), Vec::new(), 10);
        assert_eq!((group.patients, group.median, group.steps.len()), (0, None, 0));
    }

    #[test]
    fn impossible_follow_up_is_refused() {
        for (time, event) in
            [(-1.0, 1.0), (f64::INFINITY, 1.0), (1.0, 0.5), (1.0, 2.0), (1.0, f64::NAN)]
        {
            assert_eq!(Observation::new(time, event, 1), None);
        }
    }
}
