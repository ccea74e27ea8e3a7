/// An estimate just after one time with events, or at the end of several such times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) time: f64,
    /// At risk at the first of the times.
    pub(super) at_risk: u64,
    pub(super) events: u64,
    pub(super) estimate: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Steps with at least `least` events each; what is left at the end goes into the last step.
/// Fewer than `least` events in all give no step.
pub(super) fn merge(curve: &[Point], least: u64) -> Vec<Point> {
    let mut steps: Vec<Point> = Vec::new();
    let mut open: Option<Point> = None;
    for point in curve {
        let step = open.map_or(*point, |before| joined(before, *point));
        if step.events >= least {
            steps.push(step);
            open = None;
        } else {
            open = Some(step);
        }
    }
    if let (Some(rest), Some(last)) = (open, steps.last_mut()) {
        *last = joined(*last, rest);
    }
    steps
}

/// The estimate is that at the end; the numbers are of both.
fn joined(first: Point, then: Point) -> Point {
    Point { at_risk: first.at_risk, events: first.events + then.events, ..then }
}
