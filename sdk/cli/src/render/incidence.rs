//! Cumulative incidence: a line for each step of each cause and group.

use sekisho_proto::v1::CumulativeIncidence;

use super::{key, number, printable};
use crate::screen::table;

/// The steps of each group and cause, the patients first.
pub(super) fn draw(body: &CumulativeIncidence) -> String {
    let names = key(&body.key_names);
    let until = format!("until [{}]", printable(&body.time_unit));
    let header = [&names, "cause", &until, "incidence", "95 % interval", "at risk", "events"];
    let mut rows = table(&header, &[2, 3, 5, 6]);
    let mut totals = Vec::new();
    for group in &body.groups {
        let group_key = key(&group.key);
        for (cause, curve) in body.causes.iter().zip(&group.curves) {
            for step in &curve.steps {
                rows.add_row([
                    group_key.clone(),
                    printable(cause),
                    number(step.time),
                    number(step.incidence),
                    format!("{} – {}", number(step.lower), number(step.upper)),
                    step.at_risk.to_string(),
                    step.events.to_string(),
                ]);
            }
        }
        let events = body.causes.iter().zip(&group.curves);
        let events = events.map(|(cause, curve)| format!("{} {}", curve.events, printable(cause)));
        let events: Vec<String> = events.collect();
        totals.push(format!("{group_key}: {} patients, {}", group.patients, events.join(", ")));
    }
    let steps = format!("each step holds at least {} events of its cause", body.events_per_step);
    format!("{}\n{}\n{steps}", rows.trim_fmt(), totals.join("\n"))
}

#[cfg(test)]
mod tests {
    use sekisho_proto::v1::{IncidenceCurve, IncidenceGroup, IncidenceStep};

    use super::*;

    #[test]
    fn every_cause_has_its_steps_and_its_events() {
        let step = IncidenceStep {
            time: 365.0,
            incidence: 0.25,
            lower: 0.2,
            upper: 0.3125,
            at_risk: 120,
            events: 30,
        };
        let text = draw(&CumulativeIncidence {
            time_unit: "day".to_owned(),
            key_names: vec!["sex".to_owned()],
            causes: vec!["death".to_owned(), "transplant".to_owned()],
            groups: vec![IncidenceGroup {
                key: vec!["female".to_owned()],
                patients: 120,
                curves: vec![
                    IncidenceCurve { events: 30, steps: vec![step] },
                    IncidenceCurve { events: 4, steps: vec![] },
                ],
            }],
            events_per_step: 10,
        });
        for part in ["until [day]", "0.25", "0.2 – 0.3125", "at least 10 events of its cause"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("female: 120 patients, 30 death, 4 transplant"), "{text}");
    }
}
