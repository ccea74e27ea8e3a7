//! Brings one patient's rows of all tables together, bucket by bucket. All tables are split
//! and sorted the same way, so this is a merge, never a shuffle.

use arrow::array::{AsArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;

use crate::bindings::types::Table;
use crate::columns::ColumnBuffer;
use crate::failure::Failed;
use crate::scan::{BucketRows, Scan};
use crate::view::TableView;

/// The patients of one bucket, in the order of their tokens.
pub(crate) struct Patients<'a> {
    tables: Vec<Cursor<'a>>,
}

impl<'a> Patients<'a> {
    pub(crate) fn open(
        views: &'a [TableView],
        scans: &[Scan],
        bucket: u32,
    ) -> Result<Self, Failed> {
        let tables = views.iter().zip(scans).map(|(view, scan)| {
            let rows = scan.bucket(bucket)?;
            Ok(Cursor { view, rows, batch: None, at: 0, last: 0 })
        });
        Ok(Self { tables: tables.collect::<Result<_, Failed>>()? })
    }

    /// Token and rows of the next patient who has any, one table per declared table. The token
    /// stays with the host: a per-patient guest never sees it.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Vec<Table>)>, Failed> {
        let mut next: Option<u64> = None;
        for table in &mut self.tables {
            if let Some(token) = table.peek()? {
                next = Some(next.map_or(token, |least| least.min(token)));
            }
        }
        let Some(token) = next else { return Ok(None) };
        let tables = self.tables.iter_mut().map(|t| t.take(token)).collect::<Result<_, _>>()?;
        Ok(Some((token, tables)))
    }
}

/// The unread rows of one table in one bucket.
struct Cursor<'a> {
    view: &'a TableView,
    rows: BucketRows,
    batch: Option<(RecordBatch, UInt64Array)>,
    at: usize,
    last: u64,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Result<Option<u64>, Failed> {
        loop {
            match &self.batch {
                Some((_, tokens)) if self.at < tokens.len() => {
                    return Ok(tokens.values().get(self.at).copied());
                }
                _ => match self.rows.next()? {
                    Some(batch) => {
                        let tokens = tokens(&batch)?.clone();
                        if !sorted_after(self.last, &tokens) {
                            let message = "rows are not sorted by patient";
                            return Err(Failed::environment("data_unsorted", message));
                        }
                        self.last = tokens.values().last().copied().unwrap_or(self.last);
                        self.batch = Some((batch, tokens));
                        self.at = 0;
                    }
                    None => return Ok(None),
                },
            }
        }
    }

    fn take(&mut self, token: u64) -> Result<Table, Failed> {
        let mut rows = 0;
        let mut buffers: Vec<ColumnBuffer> =
            self.view.columns.iter().map(|c| ColumnBuffer::new(c.kind, 0)).collect();
        while self.peek()? == Some(token) {
            let Some((batch, tokens)) = &self.batch else { break };
            let left = tokens.values().get(self.at..).unwrap_or_default();
            let len = left.iter().take_while(|t| **t == token).count();
            let columns = self.view.columns.iter().zip(batch.columns().iter().skip(1));
            for (buffer, (view, array)) in buffers.iter_mut().zip(columns) {
                buffer.append(view, array, self.at, len)?;
            }
            self.at += len;
            rows += len;
        }
        Ok(Table {
            rows: u32::try_from(rows)
                .map_err(|_| Failed::limit("patient_rows", "one patient has too many rows"))?,
            columns: buffers.into_iter().map(ColumnBuffer::finish).collect(),
        })
    }
}

/// The patient tokens of a batch; the scan puts them first.
pub(crate) fn tokens(batch: &RecordBatch) -> Result<&UInt64Array, Failed> {
    let first = batch.columns().first();
    first
        .and_then(|c| c.as_primitive_opt::<UInt64Type>())
        .ok_or_else(|| Failed::environment("data_type", "the patient column is not u64"))
}

fn sorted_after(last: u64, tokens: &UInt64Array) -> bool {
    tokens.values().first().is_none_or(|first| *first >= last) && tokens.values().is_sorted()
}
