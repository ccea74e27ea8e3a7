//! Follow-up as it is published: survival, with a comparison if asked for, or incidence.

use sekisho_module::AggregateKind;
use sekisho_proto::v1::output::Body;
use sekisho_proto::v1::survival_curve::Comparison;
use sekisho_proto::v1::{CumulativeIncidence, Suppression, SurvivalCurve};

use crate::survival::{Observation, by_time, estimate, incidence, log_rank};

/// Groups of patients, each in the strata of a comparison.
pub(super) struct Groups {
    key_names: Vec<String>,
    keys: Vec<Vec<String>>,
    /// Group by group and stratum by stratum; one stratum when there are none.
    observations: Vec<Vec<Vec<Observation>>>,
}

impl Groups {
    /// `cells` has the strata of each group next to each other.
    pub(super) fn new(
        key_names: Vec<String>,
        keys: Vec<Vec<String>>,
        cells: Vec<Vec<Observation>>,
        strata: usize,
    ) -> Self {
        let observations = cells.chunks(strata.max(1)).map(<[_]>::to_vec).collect();
        Self { key_names, keys, observations }
    }

    /// The body and the patients of each group.
    pub(super) fn publish(
        mut self,
        kind: &AggregateKind,
        stratum: Option<String>,
        min_cell: u32,
    ) -> (Body, Vec<u64>) {
        let AggregateKind::Survival { time_unit, causes, compare } = kind else {
            return (Body::Survival(SurvivalCurve::default()), Vec::new());
        };
        let patients = self.observations.iter().map(|group| patients(group)).collect();
        let time_unit = time_unit.clone();
        let body = if causes.is_empty() {
            let comparison = compare.then(|| self.comparison(u64::from(min_cell))).flatten();
            let groups = self.keys.into_iter().zip(self.observations);
            let groups = groups.map(|(key, group)| estimate(group.concat(), key, min_cell));
            Body::Survival(SurvivalCurve {
                time_unit,
                key_names: self.key_names,
                groups: groups.collect(),
                events_per_step: min_cell,
                stratum_name: stratum.unwrap_or_default(),
                comparison,
            })
        } else {
            let groups = self.keys.into_iter().zip(self.observations).map(|(key, group)| {
                incidence::estimate(group.concat(), key, causes.len(), min_cell)
            });
            Body::Incidence(CumulativeIncidence {
                time_unit,
                key_names: self.key_names,
                causes: causes.clone(),
                groups: groups.collect(),
                events_per_step: min_cell,
            })
        };
        (body, patients)
    }

    /// The test, withheld when it would tell of a group, or of events, of too few patients.
    fn comparison(&mut self, least: u64) -> Option<Comparison> {
        let small = |patients: u64| patients > 0 && patients < least;
        let all = self.observations.iter().flatten().flatten();
        let events = all.filter(|one| one.is_event()).count() as u64;
        if small(events) || self.observations.iter().any(|group| small(patients(group))) {
            return Some(Comparison::LogRankWithheld(Suppression::MinCell.into()));
        }
        self.observations.iter_mut().flatten().for_each(|stratum| stratum.sort_by(by_time));
        log_rank(&self.observations).map(Comparison::LogRank)
    }
}

fn patients(group: &[Vec<Observation>]) -> u64 {
    group.iter().map(|stratum| stratum.len() as u64).sum()
}
