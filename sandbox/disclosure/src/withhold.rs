//! Which cells of a table with margins are withheld so that no small one can be derived
//! (二次秘匿, complementary suppression; Hundepool et al. 2012, Statistical Disclosure Control).

use std::collections::BTreeSet;

use sekisho_proto::v1::Suppression;

use crate::rules::{Judged, judge};

/// Says of each cell of a table, margins included, why it must be withheld, if it must. `counts`
/// are rows of distinct patients, each of whom is in one cell; what comes back has one row and
/// one column more, for the totals.
///
/// Cells and totals of at least one but fewer than `least` patients are withheld, and as many
/// more that in every row and column, that of the totals included, the withheld cells are not
/// one alone and, where the total is shown, together stand for at least `least`; and that no
/// withheld cell follows from several rows and columns together. A zero is never withheld, so
/// every withheld cell could hold one patient more or less. Bounds of a withheld cell may still
/// follow.
#[must_use]
pub fn withhold(counts: &[Vec<u64>], least: u64) -> Vec<Vec<Option<Suppression>>> {
    let mut table = Marginal::new(counts, least);
    while table.complement_lines() || table.complement_bridge() {}
    table.reasons()
}

/// Whether a withheld cell of a table with margins follows from the others exactly. Each pair
/// is the row and the column of a withheld cell, those of the totals being lines as others.
pub(crate) fn derivable(withheld: &[(usize, usize)]) -> bool {
    withheld.iter().any(|cell| !reached(withheld, *cell).1.contains(&cell.1))
}

/// Rows and columns that withheld cells join to a cell's row, the cell itself aside. Where its
/// own column is not among them, the cell is all that these lines share with the rest, so their
/// totals give it away (Gusfield 1988).
fn reached(
    withheld: &[(usize, usize)],
    cell: (usize, usize),
) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let (mut rows, mut columns) = (BTreeSet::from([cell.0]), BTreeSet::new());
    loop {
        let before = rows.len() + columns.len();
        for &(row, column) in withheld.iter().filter(|other| **other != cell) {
            if rows.contains(&row) {
                columns.insert(column);
            }
            if columns.contains(&column) {
                rows.insert(row);
            }
        }
        if rows.len() + columns.len() == before {
            return (rows, columns);
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    row: usize,
    column: usize,
    patients: u64,
    reason: Option<Suppression>,
}

/// A table with a row and a column of totals.
struct Marginal {
    entries: Vec<Entry>,
    /// Numbers of the row and the column of totals.
    totals: (usize, usize),
    least: u64,
}

/// A row or a column.
#[derive(Clone, Copy)]
enum Line {
    Row(usize),
    Column(usize),
}

impl Marginal {
    fn new(counts: &[Vec<u64>], least: u64) -> Self {
        let columns = counts.iter().map(Vec::len).max().unwrap_or(0);
        let mut bottom = vec![0; columns + 1];
        let mut rows: Vec<Vec<u64>> = counts.to_vec();
        for row in &mut rows {
            row.push(row.iter().sum());
            bottom.iter_mut().zip(&*row).for_each(|(total, count)| *total += count);
        }
        rows.push(bottom);
        let entries = rows.into_iter().enumerate().flat_map(|(row, counts)| {
            counts.into_iter().enumerate().map(move |(column, patients)| {
                let small = judge(patients, least) == Judged::Small;
                let reason = small.then_some(Suppression::MinCell);
                Entry { row, column, patients, reason }
            })
        });
        Self { entries: entries.collect(), totals: (counts.len(), columns), least }
    }

    /// Withholds one cell more in every line that needs it; false when none did.
    fn complement_lines(&mut self) -> bool {
        let rows = (0..=self.totals.0).map(Line::Row);
        let lines = rows.chain((0..=self.totals.1).map(Line::Column));
        // All of them, whatever the first one changes.
        let mut changed = false;
        for line in lines {
            changed |= self.is_weak(line) && self.hide_least(|entry| line.has(entry));
        }
        changed
    }

    fn is_weak(&self, line: Line) -> bool {
        let of_line = || self.entries.iter().filter(|entry| line.has(entry));
        let withheld = of_line().filter(|entry| entry.reason.is_some());
        let total_shown =
            of_line().any(|entry| line.has_total(entry, self.totals) && entry.reason.is_none());
        let (count, patients) =
            withheld.fold((0, 0), |(count, sum), entry| (count + 1, sum + entry.patients));
        count == 1 || (count > 1 && total_shown && patients < self.least)
    }

    /// Withholds a cell across the only link between two parts of the withheld cells.
    fn complement_bridge(&mut self) -> bool {
        let withheld: Vec<(usize, usize)> = self.withheld();
        let bridge = withheld.iter().find_map(|cell| {
            let (rows, columns) = reached(&withheld, *cell);
            (!columns.contains(&cell.1)).then_some((rows, columns))
        });
        let Some((rows, columns)) = bridge else { return false };
        let crosses = |entry: &Entry| rows.contains(&entry.row) != columns.contains(&entry.column);
        // Any other cell is nearer to a table in which nothing is left to derive from.
        self.hide_least(crosses) || self.hide_least(|_| true)
    }

    fn withheld(&self) -> Vec<(usize, usize)> {
        let withheld = self.entries.iter().filter(|entry| entry.reason.is_some());
        withheld.map(|entry| (entry.row, entry.column)).collect()
    }

    /// Withholds the shown cell with the fewest patients, but not without any, of those asked
    /// for; the total of all only when there is no other.
    fn hide_least(&mut self, of: impl Fn(&Entry) -> bool) -> bool {
        let totals = self.totals;
        let shown = self.entries.iter_mut();
        let shown = shown.filter(|entry| entry.reason.is_none() && entry.patients > 0 && of(entry));
        let least = shown.min_by_key(|entry| {
            let last = (entry.row, entry.column) == totals;
            (last, entry.patients, entry.row, entry.column)
        });
        least.map(|entry| entry.reason = Some(Suppression::Secondary)).is_some()
    }

    fn reasons(&self) -> Vec<Vec<Option<Suppression>>> {
        let rows = self.entries.chunk_by(|a, b| a.row == b.row);
        rows.map(|row| row.iter().map(|entry| entry.reason).collect()).collect()
    }
}

impl Line {
    fn has(self, entry: &Entry) -> bool {
        match self {
            Self::Row(row) => entry.row == row,
            Self::Column(column) => entry.column == column,
        }
    }

    fn has_total(self, entry: &Entry, totals: (usize, usize)) -> bool {
        match self {
            Self::Row(_) => entry.column == totals.1,
            Self::Column(_) => entry.row == totals.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(counts: &[Vec<u64>]) -> Vec<String> {
        let mark = |reason: &Option<Suppression>| match reason {
            None => '.',
            Some(Suppression::MinCell) => 'm',
            Some(_) => 's',
        };
        withhold(counts, 10).iter().map(|row| row.iter().map(mark).collect()).collect()
    }

    #[test]
    fn a_table_without_small_cells_is_shown_as_a_whole() {
        assert_eq!(shown(&[vec![10, 0], vec![30, 40]]), ["...", "...", "..."]);
    }

    #[test]
    fn a_small_cell_takes_three_others_with_it() {
        let counts = [vec![3, 40, 50], vec![20, 30, 60], vec![70, 80, 90]];
        assert_eq!(shown(&counts), ["ms..", "ss..", "....", "...."]);
    }

    #[test]
    fn withheld_cells_stand_for_enough_patients_together() {
        let counts = [vec![1, 2, 50], vec![4, 5, 60], vec![70, 80, 90]];
        let marks = shown(&counts);
        assert_eq!(marks[0].matches('.').count(), 1, "{marks:?}");
        assert!(marks[0].starts_with("mms"), "{marks:?}");
    }

    #[test]
    fn zeros_hide_nothing_so_the_total_goes_too() {
        assert_eq!(shown(&[vec![5, 0], vec![0, 50]]), ["m.m", ".ss", "ms."]);
    }

    #[test]
    fn a_link_between_two_blocks_gives_itself_away() {
        let block = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)];
        assert!(!derivable(&block));
        assert!(derivable(&[&block[..], &[(0, 2)]].concat()));
        assert!(!derivable(&[&block[..], &[(0, 2), (3, 0)]].concat()));
        assert!(derivable(&[(1, 1)]));
    }

    /// Whether linear algebra finds a withheld cell from sums that are known: a row of the
    /// reduced echelon form with one entry.
    fn solved(withheld: &[(usize, usize)]) -> bool {
        let lines = |of: fn(&(usize, usize)) -> usize| {
            let numbers: BTreeSet<usize> = withheld.iter().map(of).collect();
            numbers.into_iter().map(move |line| {
                withheld.iter().map(|cell| f64::from(u8::from(of(cell) == line))).collect()
            })
        };
        let mut matrix: Vec<Vec<f64>> = lines(|c| c.0).chain(lines(|c| c.1)).collect();
        let mut done = 0;
        for column in 0..withheld.len() {
            let Some(at) = (done..matrix.len()).find(|&row| matrix[row][column].abs() > 1e-9)
            else {
                continue;
            };
            matrix.swap(done, at);
            let pivot: Vec<f64> = matrix[done].iter().map(|v| v / matrix[done][column]).collect();
            for (row, values) in matrix.iter_mut().enumerate() {
                let factor = values[column];
                if row != done {
                    values.iter_mut().zip(&pivot).for_each(|(v, p)| *v -= factor * p);
                }
            }
            matrix[done] = pivot;
            done += 1;
        }
        matrix.iter().any(|row| row.iter().filter(|v| v.abs() > 1e-9).count() == 1)
    }

    proptest! {
        #[test]
        fn ou_1_no_small_cell_is_shown_or_derivable(
            counts in (2_usize..6, 2_usize..6).prop_flat_map(|(rows, columns)| {
                let count = prop_oneof![Just(0_u64), 1_u64..10, 10_u64..60];
                prop::collection::vec(prop::collection::vec(count, columns), rows)
            })
        ) {
            let table = Marginal::new(&counts, 10);
            let reasons: Vec<_> = withhold(&counts, 10).into_iter().flatten().collect();
            let mut withheld = Vec::new();
            for (entry, reason) in table.entries.iter().zip(reasons) {
                let small = entry.patients > 0 && entry.patients < 10;
                prop_assert_eq!(small, reason == Some(Suppression::MinCell));
                prop_assert!(reason.is_none() || entry.patients > 0);
                if reason.is_some() {
                    withheld.push((entry.row, entry.column));
                }
            }
            prop_assert!(!solved(&withheld), "{:?}", withheld);
            prop_assert!(!derivable(&withheld));
        }

        #[test]
        fn what_is_derivable_is_what_linear_algebra_finds(
            cells in prop::collection::btree_set((0_usize..5, 0_usize..5), 1..14)
        ) {
            let cells: Vec<_> = cells.into_iter().collect();
            prop_assert_eq!(derivable(&cells), solved(&cells));
        }
    }
}
