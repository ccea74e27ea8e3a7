//! The log-rank test (Mantel 1966) between groups, stratified as R's `survdiff` does.

use sekisho_proto::v1::ChiSquareTest;

use super::{Observation, by_time};
use crate::statistics::{chi_square_test, count};

/// A pivot below this share of its variance is one of groups that were never at risk together.
const SINGULAR: f64 = 1e-9;

/// Compares groups, each given as its observations in every stratum, sorted by time. `None`
/// when there is nothing to compare. Times are taken in rising and groups in declared order, so
/// that the order of patients changes no bit.
pub(crate) fn log_rank(groups: &[Vec<Vec<Observation>>]) -> Option<ChiSquareTest> {
    let strata = groups.first()?.len();
    let mut sums = Sums::new(groups.len());
    for stratum in 0..strata {
        let of_stratum =
            groups.iter().map(|group| group.get(stratum).map_or(&[][..], Vec::as_slice));
        sums.add(&of_stratum.collect::<Vec<_>>());
    }
    sums.test()
}

/// What is summed over all times with events.
struct Sums {
    /// Events expected in each group, were there no difference.
    expected: Vec<f64>,
    /// Observed less expected.
    scores: Vec<f64>,
    /// Covariance of the scores.
    variance: Vec<Vec<f64>>,
}

impl Sums {
    fn new(groups: usize) -> Self {
        let zeros = vec![0.0; groups];
        Self { expected: zeros.clone(), scores: zeros.clone(), variance: vec![zeros; groups] }
    }

    fn add(&mut self, groups: &[&[Observation]]) {
        let mut at_risk: Vec<u64> = groups.iter().map(|group| group.len() as u64).collect();
        let all = groups.iter().enumerate();
        let mut all: Vec<(usize, Observation)> =
            all.flat_map(|(at, group)| group.iter().map(move |one| (at, *one))).collect();
        all.sort_by(|(_, a), (_, b)| by_time(a, b));
        for tied in all.chunk_by(|(_, a), (_, b)| a.time == b.time) {
            let mut events = vec![0_u64; groups.len()];
            for (group, _) in tied.iter().filter(|(_, one)| one.is_event()) {
                events.get_mut(*group).into_iter().for_each(|n| *n += 1);
            }
            self.add_time(&at_risk, &events);
            for (group, _) in tied {
                at_risk.get_mut(*group).into_iter().for_each(|n| *n -= 1);
            }
        }
    }

    /// The hypergeometric mean and covariance of the events at one time.
    fn add_time(&mut self, at_risk: &[u64], events: &[u64]) {
        let (all, died): (u64, u64) = (at_risk.iter().sum(), events.iter().sum());
        if died == 0 {
            return;
        }
        let (n, d) = (count(all), count(died));
        let spread = if all > 1 { d * (n - d) / (n - 1.0) } else { 0.0 };
        let shares: Vec<f64> = at_risk.iter().map(|here| count(*here) / n).collect();
        let sums = self.expected.iter_mut().zip(&mut self.scores).zip(&mut self.variance);
        let groups = shares.iter().zip(events).enumerate();
        for (((expected, score), row), (at, (share, events))) in sums.zip(groups) {
            *expected += d * share;
            *score += count(*events) - d * share;
            for (other, (cell, against)) in row.iter_mut().zip(&shares).enumerate() {
                let own = if other == at { 1.0 } else { 0.0 };
                *cell += spread * share * (own - against);
            }
        }
    }

    /// The scores of all groups but one, which follows from the others, against their variance.
    fn test(self) -> Option<ChiSquareTest> {
        let taken: Vec<bool> = self.expected.iter().map(|expected| *expected > 0.0).collect();
        let kept = |values: Vec<f64>| -> Vec<f64> {
            let kept = values.into_iter().zip(&taken).filter(|(_, kept)| **kept);
            kept.map(|(value, _)| value).collect()
        };
        let mut variance = kept_rows(self.variance, &taken);
        let mut scores = kept(self.scores);
        variance.pop();
        scores.pop();
        variance.iter_mut().for_each(|row| *row = kept(std::mem::take(row)));
        for row in &mut variance {
            row.pop();
        }
        let degrees_of_freedom = scores.len() as u64;
        chi_square_test(quadratic(variance, scores)?, degrees_of_freedom)
    }
}

fn kept_rows(rows: Vec<Vec<f64>>, taken: &[bool]) -> Vec<Vec<f64>> {
    rows.into_iter().zip(taken).filter(|(_, kept)| **kept).map(|(row, _)| row).collect()
}

/// `u' V⁻¹ u` of a symmetric positive definite matrix, by eliminating one row after another;
/// `None` when it is singular.
fn quadratic(mut matrix: Vec<Vec<f64>>, mut vector: Vec<f64>) -> Option<f64> {
    let mut diagonal: Vec<f64> =
        matrix.iter().enumerate().filter_map(|(at, row)| row.get(at).copied()).collect();
    let mut sum = 0.0;
    while let (Some(mut row), Some(last)) = (matrix.pop(), vector.pop()) {
        let pivot = row.pop()?;
        if pivot <= SINGULAR * diagonal.pop()? {
            return None;
        }
        sum += last * last / pivot;
        for ((other, value), by) in matrix.iter_mut().zip(&mut vector).zip(&row) {
            let factor = by / pivot;
            other.pop();
            other.iter_mut().zip(&row).for_each(|(to, from)| *to -= factor * from);
            *value -= factor * last;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rows: &[(f64, u32)]) -> Vec<Observation> {
        let mut made: Vec<_> = rows
            .iter()
            .map(|&(time, event)| Observation::new(time, f64::from(event), 1).unwrap())
            .collect();
        made.sort_by(by_time);
        made
    }

    // Freireich et al. 1963, remission of leukaemia: R's survdiff and every textbook give 16.8
    // on 1 degree of freedom, observed 9 and 21, expected 19.3 and 10.7 (Kleinbaum and Klein).
    fn leukaemia() -> [Vec<Observation>; 2] {
        let treated = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|t| (f64::from(t), 1));
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(|t| (f64::from(t), 0));
        let placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
            .map(|t| (f64::from(t), 1));
        [group(&[&treated[..], &censored].concat()), group(&placebo)]
    }

    #[test]
    fn the_textbook_test_comes_out() {
        let [treated, placebo] = leukaemia();
        let test = log_rank(&[vec![treated], vec![placebo]]).unwrap();
        assert!((test.chi_square - 16.793).abs() < 5e-4, "{test:?}");
        assert_eq!(test.degrees_of_freedom, 1);
        assert!((test.p_value - 4.17e-5).abs() < 5e-8, "{test:?}");
    }

    #[test]
    fn two_equal_strata_double_the_statistic() {
        let [treated, placebo] = leukaemia();
        let once = log_rank(&[vec![treated.clone()], vec![placebo.clone()]]).unwrap();
        let groups = [vec![treated.clone(), treated], vec![placebo.clone(), placebo]];
        let twice = log_rank(&groups).unwrap();
        assert!((twice.chi_square / once.chi_square - 2.0).abs() < 1e-5);
        assert_eq!(twice.degrees_of_freedom, 1);
    }

    #[test]
    fn groups_without_anybody_are_not_compared() {
        let [treated, placebo] = leukaemia();
        let two = log_rank(&[vec![treated.clone()], vec![placebo.clone()]]);
        assert_eq!(log_rank(&[vec![treated.clone()], vec![], vec![placebo]]), two);
        assert_eq!(log_rank(&[vec![treated]]), None);
        assert_eq!(log_rank(&[]), None);
    }

    #[test]
    fn three_groups_are_compared_whatever_their_order() {
        let [treated, placebo] = leukaemia();
        let third = group(&[(2.0, 1), (9.0, 1), (14.0, 0), (21.0, 1), (30.0, 0)]);
        let one = log_rank(&[vec![treated.clone()], vec![placebo.clone()], vec![third.clone()]]);
        let other = log_rank(&[vec![third], vec![treated], vec![placebo]]);
        assert_eq!(one.as_ref().unwrap().degrees_of_freedom, 2);
        assert_eq!(one, other, "equal once rounded");
    }

    #[test]
    fn a_quadratic_form_is_solved() {
        let matrix = vec![vec![4.0, 1.0], vec![1.0, 3.0]];
        // The inverse is [3 -1; -1 4] / 11.
        assert!((quadratic(matrix, vec![1.0, 2.0]).unwrap() - 15.0 / 11.0).abs() < 1e-12);
        assert_eq!(quadratic(vec![vec![1.0, 1.0], vec![1.0, 1.0]], vec![1.0, 2.0]), None);
    }
}
