//! Two keys against each other: counts with margins, and how far the keys go together.

use sekisho_disclosure::withhold;
use sekisho_module::KeySpec;
use sekisho_proto::v1;
use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::contingency_stratum::Result as Shown;
use sekisho_proto::v1::{Association, Cell, ContingencyStratum, Suppression, TableRow};

use super::round;
use crate::statistics::{Z, chi_square_test, count};

/// One table for each stratum. `cells` are in row-major order of rows, columns and strata.
pub(super) fn tables(keys: &[KeySpec], cells: &[u64], least: u64) -> v1::Contingency {
    let labels = |at: usize| keys.get(at).map_or(&[][..], KeySpec::labels);
    let name = |at: usize| keys.get(at).map(|key| key.name.clone()).unwrap_or_default();
    let alone = [String::new()];
    let strata: &[String] = if keys.len() > 2 { labels(2) } else { &alone };
    let counts = |stratum: usize| {
        let mut of_stratum = cells.iter().skip(stratum).step_by(strata.len()).copied();
        let row = |_| of_stratum.by_ref().take(labels(1).len()).collect();
        labels(0).iter().map(row).collect::<Vec<Vec<u64>>>()
    };
    // Everybody's number is known from the evidence: one stratum alone could be derived.
    let all: Vec<u64> = (0..strata.len()).map(|at| counts(at).iter().flatten().sum()).collect();
    let hidden = withhold(&[all], least).into_iter().next().unwrap_or_default();
    let made = strata.iter().zip(hidden).enumerate();
    let made = made.map(|(at, (label, why))| stratum(label.clone(), &counts(at), least, why));
    v1::Contingency {
        row_name: name(0),
        row_labels: labels(0).to_vec(),
        column_name: name(1),
        column_labels: labels(1).to_vec(),
        stratum_name: name(2),
        strata: made.collect(),
    }
}

/// The table of one stratum. When `hidden` says why, nothing of it is shown.
fn stratum(
    label: String,
    counts: &[Vec<u64>],
    least: u64,
    hidden: Option<Suppression>,
) -> ContingencyStratum {
    let reasons = withhold(counts, least);
    let any = hidden.or_else(|| reasons.iter().flatten().flatten().next().copied());
    let rows = with_totals(counts).into_iter().zip(reasons).map(|(counts, reasons)| {
        let cells = counts.into_iter().zip(reasons).map(|(patients, reason)| {
            let value = match hidden.or(reason) {
                // One mark for all: which of them are small would narrow the sums of a line.
                Some(_) => Value::Suppressed(Suppression::Secondary.into()),
                None => Value::Count(i64::try_from(patients).unwrap_or(i64::MAX)),
            };
            Cell { value: Some(value) }
        });
        TableRow { cells: cells.collect() }
    });
    let result = match any {
        // Expected counts and the statistic would give the withheld cells away.
        Some(_) => Some(Shown::Withheld(Suppression::Secondary.into())),
        None => association(counts).map(Shown::Association),
    };
    ContingencyStratum { label, rows: rows.collect(), result }
}

fn with_totals(counts: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let mut rows: Vec<Vec<u64>> = counts.to_vec();
    let columns = counts.iter().map(Vec::len).max().unwrap_or(0);
    let mut bottom = vec![0; columns + 1];
    for row in &mut rows {
        row.push(row.iter().sum());
        bottom.iter_mut().zip(&*row).for_each(|(total, count)| *total += count);
    }
    rows.push(bottom);
    rows
}

/// Pearson's chi-square without a correction for continuity, over the rows and columns in which
/// there is anybody, and Cramér's V; `None` when fewer than two of either are left.
fn association(counts: &[Vec<u64>]) -> Option<Association> {
    let totals = with_totals(counts);
    let (rows, bottom) = (totals.get(..counts.len())?, totals.last()?);
    let all = count(*bottom.last()?);
    let mut chi_square = 0.0;
    for row in rows {
        let of_row = count(*row.last()?);
        for (observed, of_column) in row.iter().zip(bottom).take(row.len() - 1) {
            let expected = of_row * count(*of_column) / all;
            if expected > 0.0 {
                chi_square += (count(*observed) - expected).powi(2) / expected;
            }
        }
    }
    let used_rows = rows.iter().filter(|row| row.last() > Some(&0)).count() as u64;
    // The total of all is the last.
    let used_columns = bottom.iter().rev().skip(1).filter(|total| **total > 0).count() as u64;
    let smaller = used_rows.min(used_columns).checked_sub(1)?;
    let degrees_of_freedom = used_rows.checked_sub(1)? * used_columns.checked_sub(1)?;
    let test = chi_square_test(chi_square, degrees_of_freedom)?;
    let cramers_v = round((chi_square / (all * count(smaller))).sqrt());
    let odds = odds_ratio(counts);
    Some(Association {
        test: Some(test),
        cramers_v,
        odds_ratio: odds.map(|[odds, _, _]| odds),
        odds_ratio_lower: odds.map(|[_, lower, _]| lower),
        odds_ratio_upper: odds.map(|[_, _, upper]| upper),
    })
}

/// Odds ratio of a table of two by two with its limits (Woolf 1955); `None` when a cell is empty.
fn odds_ratio(counts: &[Vec<u64>]) -> Option<[f64; 3]> {
    let [first, second] = counts else { return None };
    let ([a, b], [c, d]) = (&first[..], &second[..]) else { return None };
    let cells = [*a, *b, *c, *d].map(count);
    if cells.contains(&0.0) {
        return None;
    }
    let [a, b, c, d] = cells;
    let odds = a * d / (b * c);
    let width = Z * cells.map(f64::recip).iter().sum::<f64>().sqrt();
    Some([odds, odds * (-width).exp(), odds * width.exp()].map(round))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(counts: &[Vec<u64>]) -> Association {
        match stratum(String::new(), counts, 10, None).result {
            Some(Shown::Association(association)) => association,
            other => panic!("{other:?}"),
        }
    }

    // R: chisq.test(HairEyeColor[, , "Female"] + HairEyeColor[, , "Male"]) gives 138.29 on 9.
    #[test]
    fn hair_and_eyes_go_together_as_r_has_it() {
        let counts =
            [vec![68, 20, 15, 5], vec![119, 84, 54, 29], vec![26, 17, 14, 14], vec![7, 94, 10, 16]];
        let association = association(&counts).unwrap();
        let test = association.test.unwrap();
        assert_eq!((test.chi_square, test.degrees_of_freedom), (138.29, 9));
        assert!(test.p_value < 2.2e-16);
        assert_eq!(association.cramers_v, 0.279_045);
        assert_eq!(association.odds_ratio, None);
    }

    // Aspirin against myocardial infarction, Physicians' Health Study 1989 (Agresti 2002,
    // 2.2.3): odds ratio 1.832, limits 1.440 to 2.331; chi-square 25.014.
    #[test]
    fn two_by_two_has_an_odds_ratio() {
        let association = shown(&[vec![189, 10_845], vec![104, 10_933]]);
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 6e-4, "{found:?} is not {expected}");
        };
        near(association.odds_ratio, 1.832);
        near(association.odds_ratio_lower, 1.440);
        near(association.odds_ratio_upper, 2.331);
        near(association.test.map(|test| test.chi_square), 25.014);
    }

    #[test]
    fn rows_and_columns_without_anybody_do_not_count() {
        let whole = shown(&[vec![20, 30], vec![40, 15]]);
        let padded = shown(&[vec![20, 0, 30], vec![0, 0, 0], vec![40, 0, 15]]);
        assert_eq!((whole.test, whole.cramers_v), (padded.test, padded.cramers_v));
        let one = stratum(String::new(), &[vec![20, 30], vec![0, 0]], 10, None);
        assert_eq!(one.result, None);
        assert_eq!(stratum(String::new(), &[vec![0, 0], vec![0, 0]], 10, None).result, None);
    }

    #[test]
    fn ou_1_with_a_withheld_cell_the_statistics_are_withheld_too() {
        let made = stratum(String::new(), &[vec![3, 30], vec![40, 15]], 10, None);
        assert!(matches!(made.result, Some(Shown::Withheld(_))), "{made:?}");
        let hidden = |row: &v1::TableRow| {
            let hidden = |cell: &Cell| matches!(cell.value, Some(Value::Suppressed(_)));
            row.cells.iter().filter(|cell| hidden(cell)).count()
        };
        assert_eq!(made.rows.iter().map(hidden).collect::<Vec<_>>(), [2, 2, 0]);
        let marks =
            made.rows.iter().flat_map(|row| &row.cells).filter_map(|cell| match cell.value {
                Some(Value::Suppressed(mark)) => Some(mark),
                _ => None,
            });
        assert_eq!(marks.collect::<std::collections::BTreeSet<_>>().len(), 1);
        let counts = [vec![20, 30], vec![40, 15]];
        let all = stratum(String::new(), &counts, 10, Some(Suppression::Secondary));
        assert_eq!(all.rows.iter().map(hidden).sum::<usize>(), 9);
    }
}
