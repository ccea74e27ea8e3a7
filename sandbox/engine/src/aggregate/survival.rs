//! Kaplan-Meier estimate (Kaplan and Meier 1958) with Greenwood's variance and intervals on
//! the log scale, as R's `survfit` does by default.

use sekisho_proto::v1::{SurvivalGroup, SurvivalStep};

use super::round;
use crate::statistics::Z;

/// Products of fractions that should be one half may miss it by rounding.
const TOLERANCE: f64 = 1e-9;

/// One patient's follow-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Observation {
    time: f64,
    event: bool,
}

impl Observation {
    /// `None` unless time is finite and not negative, and event is 0 or 1. A curve shows times
    /// that patients contributed, so the time has no more digits than what is published.
    pub(super) fn new(time: f64, event: f64) -> Option<Self> {
        let valid = time.is_finite() && time >= 0.0 && (event == 0.0 || event == 1.0);
        valid.then(|| Self { time: round(time), event: event == 1.0 })
    }
}

/// The estimate just after one distinct event time.
struct Point {
    time: f64,
    at_risk: u64,
    events: u64,
    survival: f64,
    lower: f64,
    upper: f64,
}

/// Estimates one group and merges its curve into steps of at least `events_per_step` events.
pub(super) fn estimate(
    mut observations: Vec<Observation>,
    key: Vec<String>,
    events_per_step: u32,
) -> SurvivalGroup {
    observations.sort_by(|a, b| a.time.total_cmp(&b.time));
    let curve = curve(&observations);
    let first = |below: fn(&Point) -> f64| {
        curve.iter().find(|p| below(p) <= 0.5 + TOLERANCE).map(|p| p.time)
    };
    SurvivalGroup {
        key,
        patients: observations.len() as u64,
        events: curve.iter().map(|p| p.events).sum(),
        median: first(|p| p.survival),
        median_lower: first(|p| p.lower),
        median_upper: first(|p| p.upper),
        steps: merge(&curve, u64::from(events_per_step.max(1))),
    }
}

fn curve(sorted: &[Observation]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut at_risk = sorted.len() as u64;
    let (mut survival, mut variance) = (1.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.time == b.time) {
        let events = tied.iter().filter(|o| o.event).count() as u64;
        if let (true, Some(observation)) = (events > 0, tied.first()) {
            #[allow(clippy::cast_precision_loss, reason = "numbers of patients are below 2^53")]
            let (n, d) = (at_risk as f64, events as f64);
            survival *= (n - d) / n;
            variance += d / (n * (n - d));
            let (lower, upper) = interval(survival, variance, points.last());
            points.push(Point { time: observation.time, at_risk, events, survival, lower, upper });
        }
        at_risk -= tied.len() as u64;
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

/// Steps with at least `least` events each; what is left at the end goes into the last step.
/// Fewer than `least` events in all give no step.
fn merge(curve: &[Point], least: u64) -> Vec<SurvivalStep> {
    let mut steps: Vec<SurvivalStep> = Vec::new();
    let mut open: Option<SurvivalStep> = None;
    for point in curve {
        let (at_risk, events) =
            open.as_ref().map_or((point.at_risk, 0), |step| (step.at_risk, step.events));
        let step = step_at(point, at_risk, events + point.events);
        if step.events >= least {
            steps.push(step);
            open = None;
        } else {
            open = Some(step);
        }
    }
    if let (Some(rest), Some(last)) = (open, steps.last_mut()) {
        let (at_risk, events) = (last.at_risk, last.events + rest.events);
        *last = SurvivalStep { at_risk, events, ..rest };
    }
    steps
}

fn step_at(point: &Point, at_risk: u64, events: u64) -> SurvivalStep {
    SurvivalStep {
        time: point.time,
        survival: round(point.survival),
        lower: round(if point.survival <= 0.0 { 0.0 } else { point.lower }),
        upper: round(point.upper),
        at_risk,
        events,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(rows: &[(f64, u8)]) -> Vec<Observation> {
        rows.iter().map(|&(t, e)| Observation::new(t, f64::from(e)).unwrap()).collect()
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
        for (time, event) in [(-1.0, 1.0), (f64::INFINITY, 1.0), (1.0, 0.5), (1.0, f64::NAN)] {
            assert_eq!(Observation::new(time, event), None);
        }
    }
}
