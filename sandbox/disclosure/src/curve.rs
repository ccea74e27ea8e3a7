use sekisho_proto::v1::survival_curve::Comparison;
use sekisho_proto::v1::{CumulativeIncidence, SurvivalCurve};

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
    let small = |patients| judge(patients, least) == Judged::Small;
    let compared = matches!(curve.comparison, Some(Comparison::LogRank(_)));
    if compared && curve.groups.iter().any(|group| small(group.patients)) {
        findings.add("small_statistic", "the log-rank test");
    }
}

pub(crate) fn incidence(curves: &CumulativeIncidence, least: u64, findings: &mut Findings) {
    for (at, group) in curves.groups.iter().enumerate() {
        let place = format!("group {}", at + 1);
        match judge(group.patients, least) {
            Judged::Zero => findings.add("zero_cell", &place),
            Judged::Small => findings.add("small_cell", &place),
            Judged::Enough => {}
        }
        for (cause, curve) in group.curves.iter().enumerate() {
            let place = format!("{place}, cause {}", cause + 1);
            if judge(curve.events, least) == Judged::Small {
                findings.add("few_events", &place);
            }
            for (step, _) in curve.steps.iter().enumerate().filter(|(_, s)| s.events < least) {
                findings.add("small_step", format!("{place}, step {}", step + 1));
            }
        }
    }
}
