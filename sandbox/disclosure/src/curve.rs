use sekisho_proto::v1::SurvivalCurve;

use crate::rules::{Findings, Judged, judge};

pub(crate) fn check(curve: &SurvivalCurve, least: u64, findings: &mut Findings) {
    for (at, group) in curve.groups.iter().enumerate() {
        let place = format!("group {}", at + 1);
        match judge(group.patients, least) {
            Judged::Zero => findings.add("zero_cell", place),
            Judged::Small => findings.add("small_cell", place),
            Judged::Enough => {
                let estimates = [group.median, group.median_lower, group.median_upper];
                let told = estimates.iter().any(Option::is_some);
                if told && group.events < least {
                    findings.add("few_events", place);
                }
            }
        }
        for (step, _) in group.steps.iter().enumerate().filter(|(_, s)| s.events < least) {
            findings.add("small_step", format!("group {}, step {}", at + 1, step + 1));
        }
    }
}
