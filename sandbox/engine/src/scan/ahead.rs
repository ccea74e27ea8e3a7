use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use arrow::record_batch::RecordBatch;

use super::Scan;
use super::order::{BATCH_ROWS, BLOCK_ROWS, Shuffled};
use crate::failure::Failed;

/// Batches that wait for the guest: those of one block, so that the next is made meanwhile.
/// More would only hold more memory.
const WAITING: usize = BLOCK_ROWS / BATCH_ROWS;

/// All rows of a pass in the project's order, deciphered and decoded on a thread of their own
/// while the guest computes on those before.
///
/// The order is the same whatever the threads do. The thread ends with the pass, or when this
/// is dropped.
pub(crate) struct ReadAhead(Receiver<Result<RecordBatch, Failed>>);

impl ReadAhead {
    pub(crate) fn over(scan: &Scan) -> Result<Self, Failed> {
        let (give, take) = mpsc::sync_channel(WAITING);
        let scan = scan.clone();
        thread::Builder::new()
            .name("scan".to_owned())
            .spawn(move || read(&scan, &give))
            .map_err(|e| Failed::environment("thread", e.to_string()))?;
        Ok(Self(take))
    }

    /// The next batch that has rows.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, Failed> {
        self.0.recv().ok().transpose()
    }
}

/// A panic here would look like the end of the rows, so it is told apart.
fn read(scan: &Scan, give: &SyncSender<Result<RecordBatch, Failed>>) {
    let all = std::panic::AssertUnwindSafe(|| give_all(scan, give));
    let ended = std::panic::catch_unwind(all)
        .unwrap_or_else(|_| Err(Failed::environment("host_panic", "the scan panicked")));
    if let Err(failed) = ended {
        // Nobody may be listening any more.
        let _ = give.send(Err(failed));
    }
}

fn give_all(scan: &Scan, give: &SyncSender<Result<RecordBatch, Failed>>) -> Result<(), Failed> {
    let mut rows = Shuffled::over(scan);
    while let Some(batch) = rows.next()? {
        if give.send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
