use std::collections::BTreeMap;

use arrow::array::{Array, Date32Array};
use arrow::record_batch::RecordBatch;

use super::tokens;
use crate::{Coverage, TableSpec, rounded, year_month};

/// Counts what the catalogue tells of a table while its rows pass, by token. What it shows
/// obeys the minimum cell in persons, however many rows each of them has (CT-2).
pub(super) struct Facts {
    rows: u64,
    persons: Persons,
    /// By place of the column.
    columns: Vec<Filled>,
    /// Place of the column that says when a row happened.
    period: Option<usize>,
    years: BTreeMap<i16, Year>,
}

/// How a column is filled.
#[derive(Clone, Default)]
struct Filled {
    missing_rows: u64,
    /// Persons who have a row without a value.
    lacking: Persons,
    /// Persons who have a row with a value.
    having: Persons,
}

#[derive(Default)]
struct Year {
    rows: u64,
    persons: Persons,
}

/// Distinct persons; the rows of each follow one another.
#[derive(Clone, Default)]
struct Persons {
    count: u64,
    last: Option<u64>,
}

impl Persons {
    fn add(&mut self, token: u64) {
        self.count += u64::from(self.last.replace(token) != Some(token));
    }
}

impl Facts {
    pub(super) fn new(spec: &TableSpec) -> Self {
        let period = spec.period.as_ref();
        let period =
            period.and_then(|name| spec.columns.iter().position(|column| column.name == *name));
        let columns = vec![Filled::default(); spec.columns.len()];
        Self { rows: 0, persons: Persons::default(), columns, period, years: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let Some(tokens) = tokens(batch).map(|tokens| tokens.values()) else { return };
        for token in tokens.iter() {
            self.persons.add(*token);
        }
        for (filled, column) in self.columns.iter_mut().zip(batch.columns()) {
            filled.add(tokens, column.as_ref());
        }
        let days = self.period.and_then(|place| batch.columns().get(place));
        let days = days.and_then(|days| days.as_any().downcast_ref::<Date32Array>());
        for (day, token) in days.into_iter().flatten().zip(tokens) {
            let Some((year, _)) = day.and_then(year_month) else { continue };
            let year = self.years.entry(year).or_default();
            year.rows += 1;
            year.persons.add(*token);
        }
    }

    /// Rows and patients by year, rounded; years with fewer patients than the minimum cell
    /// are left without numbers, and where that would be one alone, the next smallest too:
    /// otherwise it could be had by subtraction.
    pub(super) fn coverage(&self, min_cell: u32) -> Vec<Coverage> {
        let least = u64::from(min_cell);
        let patients = || self.years.values().map(|year| year.persons.count);
        let hidden = patients().filter(|patients| *patients < least).count();
        let least = match (hidden, patients().filter(|patients| *patients >= least).min()) {
            (1, Some(smallest)) => smallest + 1,
            _ => least,
        };
        let years = self.years.iter();
        years
            .map(|(number, Year { rows, persons })| Coverage {
                year: *number,
                patients: (persons.count >= least).then(|| rounded(persons.count)),
                rows: (persons.count >= least).then(|| rounded(*rows)),
            })
            .collect()
    }

    /// Share of rows without a value, in percent, by place of the column. Fewer persons than
    /// the minimum cell count as none, on either side, and shares are rounded down to steps
    /// that are worth at least as many of the table's persons.
    pub(super) fn missing_percent(&self, min_cell: u32) -> Vec<u8> {
        let least = u64::from(min_cell);
        let step = (100 * least).div_ceil(self.persons.count.max(1)).clamp(1, 100);
        let percent = |column: &Filled| {
            if column.lacking.count < least {
                0
            } else if column.having.count < least {
                100
            } else {
                let exact = u128::from(column.missing_rows) * 100 / u128::from(self.rows.max(1));
                (exact as u64 / step * step) as u8
            }
        };
        self.columns.iter().map(percent).collect()
    }
}

impl Filled {
    fn add(&mut self, tokens: &[u64], column: &dyn Array) {
        self.missing_rows += column.null_count() as u64;
        let all_there = column.null_count() == 0;
        for (row, token) in tokens.iter().enumerate() {
            if all_there || column.is_valid(row) {
                self.having.add(*token);
            } else {
                self.lacking.add(*token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, UInt64Array};

    use super::*;

    const DAYS: [(i16, i32); 4] = [(2020, 18_262), (2021, 18_628), (2022, 18_993), (2023, 19_358)];

    /// Facts of rows by person, year and whether the second column has a value.
    fn facts(rows: &[(u64, i16, bool)]) -> Facts {
        let day = |year: i16| DAYS.iter().find(|(known, _)| *known == year).unwrap().1;
        let tokens: ArrayRef =
            Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt64Array>());
        let days: ArrayRef =
            Arc::new(rows.iter().map(|row| Some(day(row.1))).collect::<Date32Array>());
        let values = rows.iter().map(|row| row.2.then_some(1_u64)).collect::<UInt64Array>();
        let columns = [("patient", tokens), ("day", days), ("value", Arc::new(values) as ArrayRef)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut facts = Facts {
            rows: 0,
            persons: Persons::default(),
            columns: vec![Filled::default(); batch.num_columns()],
            period: Some(1),
            years: BTreeMap::new(),
        };
        facts.add(&batch);
        facts
    }

    fn shown(years: &[(i16, u64)]) -> Vec<Option<u64>> {
        let rows = years.iter().flat_map(|(year, patients)| {
            // Two rows each; nobody has rows in two years.
            let token = move |patient| u64::from(year.unsigned_abs()) << 32 | patient;
            (0..*patients).flat_map(move |patient| [(token(patient), *year, true); 2])
        });
        let coverage = facts(&rows.collect::<Vec<_>>()).coverage(10);
        assert!(coverage.iter().all(|year| year.patients.is_some() == year.rows.is_some()));
        coverage.into_iter().map(|year| year.patients).collect()
    }

    #[test]
    fn ct_2_a_small_year_is_hidden_and_never_alone() {
        assert_eq!(shown(&[(2020, 128), (2021, 10)]), [Some(120), Some(10)]);
        assert_eq!(shown(&[(2020, 128), (2021, 9), (2022, 55)]), [Some(120), None, None]);
        assert_eq!(shown(&[(2020, 1), (2021, 9), (2022, 55)]), [None, None, Some(50)]);
        assert_eq!(shown(&[(2021, 9)]), [None]);
    }

    /// Persons of whom the first have a row without a value, the last ones a row with one.
    fn missing(persons: u64, lacking: u64, having: u64, rows_each: usize) -> u8 {
        let rows = (0..persons).flat_map(|person| {
            let (lacks, has) = (person < lacking, person + having >= persons);
            let row = |filled| std::iter::repeat_n((person, 2020, filled), rows_each);
            row(false).take(if lacks { rows_each } else { 0 }).chain(row(true).take(if has {
                rows_each
            } else {
                0
            }))
        });
        facts(&rows.collect::<Vec<_>>()).missing_percent(10)[2]
    }

    #[test]
    fn ct_2_missing_values_of_a_few_persons_do_not_show_whatever_their_rows() {
        for rows_each in [1, 50] {
            assert_eq!(missing(1000, 9, 991, rows_each), 0);
            assert_eq!(missing(1000, 0, 1000, rows_each), 0);
            assert_eq!(missing(1000, 250, 750, rows_each), 25);
            assert_eq!(missing(1000, 991, 9, rows_each), 100);
        }
        // Nine persons with most of the rows.
        let few = (0..9).flat_map(|person| std::iter::repeat_n((person, 2020, false), 200));
        let rows = few.chain((9..109).map(|person| (person, 2020, true)));
        assert_eq!(facts(&rows.collect::<Vec<_>>()).missing_percent(10)[2], 0);
    }

    #[test]
    fn ct_2_a_step_of_a_share_is_worth_the_minimum_cell_of_persons() {
        // 10 of 228 persons are 4.4 %, so shares go by 5.
        for (lacking, shown) in [(11, 0), (12, 5), (22, 5), (23, 10), (47, 20)] {
            assert_eq!(missing(228, lacking, 228 - lacking, 1), shown, "{lacking}");
        }
        assert_eq!(missing(15, 8, 7, 1), 0);
    }
}
