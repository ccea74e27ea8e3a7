//! The same work as the guests do, as a loop of plain Rust over plain Parquet: one thread,
//! no runtime, nothing checked, nobody's data protected.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, UInt32Type, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows of a batch; larger ones were slower, smaller ones not faster.
pub(crate) const BATCH_ROWS: usize = 8_192;

/// What `by-site` counts of one site.
#[derive(Clone, Default)]
pub(crate) struct Site {
    last: Option<u64>,
    /// Distinct patients.
    pub(crate) patients: i64,
    weights: i64,
    sum: f64,
}

impl Site {
    /// Mean weight, if anybody was weighed.
    pub(crate) fn weight(&self) -> Option<f64> {
        (self.weights > 0).then(|| self.sum / self.weights as f64)
    }
}

/// What the guest `by-site` does.
pub(crate) fn by_site(file: &Path, sites: usize) -> anyhow::Result<Vec<Site>> {
    let mut groups = vec![Site::default(); sites];
    for batch in open(file, &["patient", "site", "weight"])? {
        let batch = batch?;
        let patients = column::<UInt64Type>(&batch, 0)?;
        let codes = column::<UInt32Type>(&batch, 1)?;
        let weights = column::<Float64Type>(&batch, 2)?;
        let rows = patients.values().iter().zip(codes.values()).zip(weights.values());
        for (row, ((patient, code), weight)) in rows.enumerate() {
            let site = groups.get_mut(*code as usize).context("a site")?;
            site.patients += i64::from(site.last != Some(*patient));
            site.last = Some(*patient);
            if weights.is_valid(row) {
                site.weights += 1;
                site.sum += weight;
            }
        }
    }
    Ok(groups)
}

/// What the guest `four-columns` and its host do: patients with a mean, and the sum of means.
pub(crate) fn means(file: &Path) -> anyhow::Result<(u64, f64)> {
    let (mut patients, mut total) = (0, 0.0);
    let (mut current, mut sum, mut count) = (None, 0.0, 0_u32);
    let mut close = |sum: f64, count: u32| {
        if count > 0 {
            patients += 1;
            total += sum / f64::from(count);
        }
    };
    for batch in open(file, &["patient", "site", "weight", "day", "days"])? {
        let batch = batch?;
        let tokens = column::<UInt64Type>(&batch, 0)?;
        let weights = column::<Float64Type>(&batch, 2)?;
        for (row, (token, weight)) in tokens.values().iter().zip(weights.values()).enumerate() {
            if current != Some(*token) {
                close(sum, count);
                (current, sum, count) = (Some(*token), 0.0, 0);
            }
            if weights.is_valid(row) {
                sum += weight;
                count += 1;
            }
        }
    }
    close(sum, count);
    Ok((patients, total))
}

/// Rows of these columns, decoded and dropped.
pub(crate) fn scan(file: &Path, columns: &[&str]) -> anyhow::Result<u64> {
    let mut rows = 0;
    for batch in open(file, columns)? {
        rows += batch?.num_rows() as u64;
    }
    Ok(rows)
}

fn open(
    file: &Path,
    columns: &[&str],
) -> anyhow::Result<impl Iterator<Item = Result<RecordBatch, arrow::error::ArrowError>>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    Ok(builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?)
}

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &RecordBatch,
    at: usize,
) -> anyhow::Result<&arrow::array::PrimitiveArray<T>> {
    let column = batch.columns().get(at).context("a column")?;
    column.as_primitive_opt::<T>().context("a column of another type")
}
