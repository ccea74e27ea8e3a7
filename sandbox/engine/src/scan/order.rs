//! The order in which a project sees the patients of its view. Rows rest by token, the same
//! for every project; a guest that counted along would give its patients places that guests
//! of other projects know too. So buckets are read in an order of the project's own, and the
//! patients of each block of rows are put into one.
//!
//! The blocks themselves follow the tokens within a bucket, for more would have to be held in
//! memory: a view of several blocks is not one shuffle.

use std::collections::VecDeque;

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use sekisho_vault::{Context, Key};

use super::{BucketRows, Scan};
use crate::failure::Failed;
use crate::keyed::Keyed;
use crate::merge::tokens;

/// Rows that are put in order together, and held for it.
pub(super) const BLOCK_ROWS: usize = 131_072;
/// Rows of a batch that is handed on.
pub(super) const BATCH_ROWS: usize = 8_192;

/// A keyed order: places are keyed values of what is placed.
#[derive(Clone)]
pub(super) struct Order(Keyed);

impl Order {
    pub(super) fn new(key: &Key) -> Self {
        Self(Keyed::new(key))
    }

    fn buckets(&self, buckets: u32) -> Vec<u32> {
        let mut all: Vec<u32> = (0..buckets).collect();
        all.sort_by_cached_key(|bucket| self.place("bucket", u64::from(*bucket)));
        all
    }

    fn place(&self, what: &str, number: u64) -> [u8; 32] {
        self.0.value(&Context::new(what).number(number))
    }
}

/// All rows of a scan, in the project's order. Rows of one patient stand together, in the
/// order they rest in.
pub(super) struct Shuffled<'a> {
    scan: &'a Scan,
    buckets: std::vec::IntoIter<u32>,
    rows: Option<BucketRows>,
    /// Rows of the last patient of a block, of whom more may come.
    held: Option<RecordBatch>,
    /// A patient of more rows than a block has, some of which are handed on.
    open: Option<u64>,
    ready: VecDeque<RecordBatch>,
    ended: bool,
}

impl<'a> Shuffled<'a> {
    pub(super) fn over(scan: &'a Scan) -> Self {
        let buckets = scan.order.buckets(scan.buckets).into_iter();
        let (rows, held, open, ready) = (None, None, None, VecDeque::new());
        Self { scan, buckets, rows, held, open, ready, ended: false }
    }

    /// The next batch that has rows.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, Failed> {
        while self.ready.is_empty() && !self.ended {
            self.block()?;
        }
        Ok(self.ready.pop_front())
    }

    fn block(&mut self) -> Result<(), Failed> {
        let mut parts: Vec<RecordBatch> = self.held.take().into_iter().collect();
        let mut rows: usize = parts.iter().map(RecordBatch::num_rows).sum();
        while rows < BLOCK_ROWS && !self.ended {
            match self.read()? {
                Some(batch) => {
                    rows += batch.num_rows();
                    parts.push(batch);
                }
                None => self.ended = true,
            }
        }
        let Some(first) = parts.first() else { return Ok(()) };
        let all = concat_batches(&first.schema(), &parts).map_err(arrow)?;
        drop(parts);
        let mut patients = patients(&all)?;
        if !self.ended {
            match patients.as_slice() {
                [only] => {
                    self.open = Some(only.token);
                    self.hand_on(&all);
                    return Ok(());
                }
                _ => self.held = patients.pop().map(|last| all.slice(last.from, last.rows)),
            }
        }
        let open = self.open.take();
        let order = &self.scan.order;
        patients.sort_by_cached_key(|patient| {
            (open != Some(patient.token), order.place("patient", patient.token))
        });
        let rows = patients.iter().flat_map(|patient| patient.from..patient.from + patient.rows);
        // A block has far fewer than 2^32 rows.
        let rows = UInt32Array::from_iter_values(rows.map(|row| row as u32));
        self.hand_on(&take_record_batch(&all, &rows).map_err(arrow)?);
        Ok(())
    }

    /// The next batch as it rests, bucket after bucket.
    fn read(&mut self) -> Result<Option<RecordBatch>, Failed> {
        loop {
            let rows = match &mut self.rows {
                Some(rows) => rows,
                none => match self.buckets.next() {
                    Some(bucket) => none.insert(self.scan.bucket(bucket)?),
                    None => return Ok(None),
                },
            };
            match rows.next()? {
                Some(batch) => return Ok(Some(batch)),
                None => self.rows = None,
            }
        }
    }

    fn hand_on(&mut self, rows: &RecordBatch) {
        for from in (0..rows.num_rows()).step_by(BATCH_ROWS) {
            self.ready.push_back(rows.slice(from, BATCH_ROWS.min(rows.num_rows() - from)));
        }
    }
}

struct Patient {
    token: u64,
    from: usize,
    rows: usize,
}

/// Where each patient's rows stand; they stand together.
fn patients(all: &RecordBatch) -> Result<Vec<Patient>, Failed> {
    let mut patients = Vec::new();
    let mut from = 0;
    for same in tokens(all)?.values().chunk_by(|one, other| one == other) {
        let Some(token) = same.first() else { continue };
        patients.push(Patient { token: *token, from, rows: same.len() });
        from += same.len();
    }
    Ok(patients)
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn arrow(error: ArrowError) -> Failed {
    Failed::environment("data_type", error.to_string())
}

#[cfg(test)]
mod tests;
