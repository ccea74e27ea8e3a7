use std::collections::BTreeMap;

use arrow::array::{Array as _, Date32Array, UInt64Array};
use arrow::record_batch::RecordBatch;
use jiff::{Span, civil::date};

use crate::{Coverage, TableSpec, rounded};

/// Counts what the catalogue tells of a table while its rows pass, by token.
pub(super) struct Facts {
    rows: u64,
    /// Rows without a value, by place of the column.
    missing: Vec<u64>,
    /// Place of the column that says when a row happened.
    period: Option<usize>,
    years: BTreeMap<i16, Year>,
}

#[derive(Default)]
struct Year {
    rows: u64,
    patients: u64,
    last: Option<u64>,
}

impl Facts {
    pub(super) fn new(spec: &TableSpec) -> Self {
        let period = spec.period.as_ref();
        let period =
            period.and_then(|name| spec.columns.iter().position(|column| column.name == *name));
        let missing = vec![0; spec.columns.len()];
        Self { rows: 0, missing, period, years: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (missing, column) in self.missing.iter_mut().zip(batch.columns()) {
            *missing += column.null_count() as u64;
        }
        let days = self.period.and_then(|place| batch.columns().get(place));
        let days = days.and_then(|days| days.as_any().downcast_ref::<Date32Array>());
        let tokens = batch.columns().first();
        let tokens = tokens.and_then(|tokens| tokens.as_any().downcast_ref::<UInt64Array>());
        let (Some(days), Some(tokens)) = (days, tokens) else { return };
        for (day, token) in days.iter().zip(tokens.values()) {
            let Some(year) = day.and_then(year_of) else { continue };
            let year = self.years.entry(year).or_default();
            year.rows += 1;
            // Rows of a patient follow each other.
            year.patients += u64::from(year.last.replace(*token) != Some(*token));
        }
    }

    /// Rows and patients by year, rounded; years with fewer patients than the minimum cell
    /// are left without numbers, and where that would be one alone, the next smallest too:
    /// otherwise it could be had by subtraction.
    pub(super) fn coverage(&self, min_cell: u32) -> Vec<Coverage> {
        let least = u64::from(min_cell);
        let hidden = self.years.values().filter(|year| year.patients < least).count();
        let shown = self.years.values().filter(|year| year.patients >= least);
        let least = match (hidden, shown.map(|year| year.patients).min()) {
            (1, Some(smallest)) => smallest + 1,
            _ => least,
        };
        let years = self.years.iter();
        years
            .map(|(number, year)| Coverage {
                year: *number,
                patients: (year.patients >= least).then(|| rounded(year.patients)),
                rows: (year.patients >= least).then(|| rounded(year.rows)),
            })
            .collect()
    }

    /// Share of rows without a value, in whole percent, by place of the column. Fewer rows
    /// than the minimum cell count as none.
    pub(super) fn missing_percent(&self, min_cell: u32) -> Vec<u8> {
        let least = u64::from(min_cell);
        let percent = |missing: &u64| match (*missing, self.rows - *missing) {
            (missing, _) if missing < least => 0,
            (_, present) if present < least => 100,
            (missing, _) => (u128::from(missing) * 100 / u128::from(self.rows)) as u8,
        };
        self.missing.iter().map(percent).collect()
    }
}

fn year_of(days: i32) -> Option<i16> {
    let day = date(1970, 1, 1).checked_add(Span::new().try_days(days).ok()?).ok()?;
    Some(day.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(years: &[(i16, u64)]) -> Facts {
        let year = |patients| Year { rows: patients * 2, patients, last: None };
        let years = years.iter().map(|(number, patients)| (*number, year(*patients)));
        Facts { rows: 1000, missing: vec![0, 9, 250, 995], period: Some(1), years: years.collect() }
    }

    fn shown(years: &[(i16, u64)]) -> Vec<Option<u64>> {
        facts(years).coverage(10).into_iter().map(|year| year.patients).collect()
    }

    #[test]
    fn ct_2_a_small_year_is_hidden_and_never_alone() {
        assert_eq!(shown(&[(2020, 128), (2021, 10)]), [Some(120), Some(10)]);
        assert_eq!(shown(&[(2020, 128), (2021, 9), (2022, 55)]), [Some(120), None, None]);
        assert_eq!(shown(&[(2020, 1), (2021, 9), (2022, 55)]), [None, None, Some(50)]);
        assert_eq!(shown(&[(2021, 9)]), [None]);
    }

    #[test]
    fn a_few_missing_or_present_rows_do_not_show() {
        assert_eq!(facts(&[]).missing_percent(10), [0, 0, 25, 100]);
    }

    #[test]
    fn years_are_those_of_the_calendar() {
        assert_eq!(year_of(0), Some(1970));
        assert_eq!(year_of(-1), Some(1969));
        assert_eq!(year_of(18_262), Some(2020));
        assert_eq!(year_of(i32::MAX), None);
    }
}
