use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use arrow::array::{Array as _, UInt64Array};
use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;

use super::run::Rows;
use super::tokens;
use crate::DatasetError;

/// Rows of one batch of the merge, at most.
const BATCH_ROWS: usize = 8_192;

/// The rows of several sorted runs as one, by token; rows of a patient keep the order of
/// runs and, within one, their own.
pub(super) struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    /// The next row of each run that has one.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Cursor<'a> {
    rest: Rows<'a>,
    batch: RecordBatch,
    tokens: UInt64Array,
    at: usize,
}

impl<'a> Merge<'a> {
    pub(super) fn new(runs: Vec<Rows<'a>>) -> Result<Self, DatasetError> {
        let mut merge = Self { cursors: Vec::new(), next: BinaryHeap::new() };
        for mut rest in runs {
            if let Some((batch, tokens)) = part(&mut rest)? {
                let cursor = Cursor { rest, batch, tokens, at: 0 };
                merge.next.push(Reverse((cursor.token(), merge.cursors.len())));
                merge.cursors.push(cursor);
            }
        }
        Ok(merge)
    }

    /// The next rows; `None` when there are no more.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, DatasetError> {
        if let [only] = self.cursors.as_mut_slice() {
            return only.whole();
        }
        let (mut picked, mut used_up) = (Vec::with_capacity(BATCH_ROWS), None);
        while picked.len() < BATCH_ROWS && used_up.is_none() {
            let Some(mut first) = self.next.peek_mut() else { break };
            let run = first.0.1;
            let Some(cursor) = self.cursors.get_mut(run) else { break };
            picked.push((run, cursor.at));
            cursor.at += 1;
            if cursor.at < cursor.tokens.len() {
                first.0.0 = cursor.token();
            } else {
                PeekMut::pop(first);
                used_up = Some(run);
            }
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = self.cursors.iter().map(|cursor| &cursor.batch).collect();
        let merged = interleave_record_batch(&batches, &picked)?;
        // Only now: the rows just merged lay in the part that is left behind.
        if let Some(run) = used_up
            && let Some(cursor) = self.cursors.get_mut(run)
            && cursor.advance()?
        {
            self.next.push(Reverse((cursor.token(), run)));
        }
        Ok(Some(merged))
    }
}

impl Cursor<'_> {
    fn token(&self) -> u64 {
        self.tokens.values().get(self.at).copied().unwrap_or(u64::MAX)
    }

    /// Goes on to the next part; `false` when there is none.
    fn advance(&mut self) -> Result<bool, DatasetError> {
        let Some((batch, tokens)) = part(&mut self.rest)? else { return Ok(false) };
        (self.batch, self.tokens, self.at) = (batch, tokens, 0);
        Ok(true)
    }

    /// The part it stands in, untouched.
    fn whole(&mut self) -> Result<Option<RecordBatch>, DatasetError> {
        if self.at > 0 && !self.advance()? {
            return Ok(None);
        }
        self.at = self.tokens.len();
        Ok(Some(self.batch.clone()))
    }
}

/// The next part that has rows, and its tokens.
fn part(rest: &mut Rows<'_>) -> Result<Option<(RecordBatch, UInt64Array)>, DatasetError> {
    for batch in rest {
        let batch = batch?;
        if let Some(tokens) = tokens(&batch).filter(|tokens| !tokens.is_empty()) {
            let tokens = tokens.clone();
            return Ok(Some((batch, tokens)));
        }
    }
    Ok(None)
}
