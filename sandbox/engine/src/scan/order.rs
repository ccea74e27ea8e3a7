//! The order in which a project sees the patients of its view. Rows rest by token, the same
//! for every project; a guest that counted along would give its patients places that guests
//! of other projects know too. So buckets are read in an order of the project's own, and the
//! patients of each block of rows are put into one: shuffled with random numbers from a seed
//! under the project's key.
//!
//! The rows of a block stay where they are; what is made is the order in which they are to be
//! copied to the guest, patient by patient, so that no row is copied for it.
//!
//! The blocks themselves follow the tokens within a bucket, for more would have to be held in
//! memory: a view of several blocks is not one shuffle.

use std::ops::Range;

use arrow::record_batch::RecordBatch;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use sekisho_vault::{Context, Key};

use super::{BucketRows, Scan};
use crate::failure::Failed;
use crate::keyed::Keyed;
use crate::merge::tokens;

/// Rows that are put in order together, and held for it.
pub(crate) const BLOCK_ROWS: usize = 131_072;

/// A keyed order.
#[derive(Clone)]
pub(super) struct Order(Keyed);

impl Order {
    pub(super) fn new(key: &Key) -> Self {
        Self(Keyed::new(key))
    }

    fn buckets(&self, buckets: u32) -> Vec<u32> {
        let mut all: Vec<u32> = (0..buckets).collect();
        all.sort_by_cached_key(|bucket| self.value("bucket", u64::from(*bucket)));
        all
    }

    /// Puts the patients of a block into an order that hangs on the key and the first of them.
    fn shuffle(&self, patients: &mut [Patient]) {
        let Some(first) = patients.first() else { return };
        let mut random = ChaCha20Rng::from_seed(self.value("block", first.token));
        // Fisher and Yates; of 2^64 numbers a few are too many, which nobody can tell.
        for place in (1..patients.len()).rev() {
            let other = random.next_u64() % (place as u64 + 1);
            patients.swap(place, other as usize);
        }
    }

    fn value(&self, what: &str, number: u64) -> [u8; 32] {
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
    held: Vec<RecordBatch>,
    /// A patient of more rows than a block has, some of which are handed on.
    open: Option<u64>,
    ended: bool,
}

impl<'a> Shuffled<'a> {
    pub(super) fn over(scan: &'a Scan) -> Self {
        let buckets = scan.order.buckets(scan.buckets).into_iter();
        Self { scan, buckets, rows: None, held: Vec::new(), open: None, ended: false }
    }

    /// The next block; it has rows.
    pub(super) fn next(&mut self) -> Result<Option<Block>, Failed> {
        let mut parts = std::mem::take(&mut self.held);
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
        let (runs, mut patients) = patients(&parts)?;
        if !self.ended {
            if let [only] = patients.as_slice() {
                self.open = Some(only.token);
                return Ok(Some(Block::new(parts, runs, &patients)));
            }
            let last = patients.pop().map_or(0..0, |last| last.runs);
            let held = runs.get(last).unwrap_or_default().iter();
            self.held = held.filter_map(|run| run.slice(&parts)).collect();
        }
        // A patient who is open already goes on first.
        let open = self.open.take();
        let of_open = usize::from(patients.first().is_some_and(|first| open == Some(first.token)));
        self.scan.order.shuffle(patients.get_mut(of_open..).unwrap_or_default());
        Ok((!patients.is_empty()).then(|| Block::new(parts, runs, &patients)))
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
}

/// Rows of some patients, each one's together, to be taken in the project's order.
pub(crate) struct Block {
    parts: Vec<RecordBatch>,
    /// What is left of it, the next at the end.
    left: Vec<Run>,
}

/// Rows of one patient that stand together in one part of a block.
pub(crate) struct Run {
    pub(crate) token: u64,
    pub(crate) part: usize,
    pub(crate) from: usize,
    pub(crate) rows: usize,
}

impl Block {
    fn new(parts: Vec<RecordBatch>, runs: Vec<Run>, patients: &[Patient]) -> Self {
        let mut places: Vec<Option<Run>> = runs.into_iter().map(Some).collect();
        let order = patients.iter().rev().flat_map(|patient| patient.runs.clone().rev());
        let left = order.filter_map(|at| places.get_mut(at)?.take()).collect();
        Self { parts, left }
    }

    /// Takes the next rows, at most `most` of them; empty at the end.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Run> {
        let (mut taken, mut room) = (Vec::new(), most);
        while let Some(mut run) = self.left.pop_if(|_| room > 0) {
            if run.rows > room {
                let Run { token, part, from, rows } = run;
                self.left.push(Run { token, part, from: from + room, rows: rows - room });
                run.rows = room;
            }
            room -= run.rows;
            taken.push(run);
        }
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// What runs name as their parts.
    pub(crate) fn parts(&self) -> &[RecordBatch] {
        &self.parts
    }
}

impl Run {
    fn slice(&self, parts: &[RecordBatch]) -> Option<RecordBatch> {
        Some(parts.get(self.part)?.slice(self.from, self.rows))
    }
}

/// A patient of a block.
struct Patient {
    token: u64,
    /// Positions of the runs.
    runs: Range<usize>,
}

/// Who stands in a block, and where; rows of one patient follow each other.
fn patients(parts: &[RecordBatch]) -> Result<(Vec<Run>, Vec<Patient>), Failed> {
    let (mut runs, mut patients) = (Vec::new(), Vec::<Patient>::new());
    for (part, batch) in parts.iter().enumerate() {
        let mut from = 0;
        for same in tokens(batch)?.values().chunk_by(|one, other| one == other) {
            let Some(&token) = same.first() else { continue };
            let at = runs.len();
            runs.push(Run { token, part, from, rows: same.len() });
            from += same.len();
            match patients.last_mut().filter(|last| last.token == token) {
                Some(last) => last.runs.end = at + 1,
                None => patients.push(Patient { token, runs: at..at + 1 }),
            }
        }
    }
    Ok((runs, patients))
}

#[cfg(test)]
mod tests;
