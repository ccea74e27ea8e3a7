use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use super::Scan;
use super::order::{Block, Shuffled};
use crate::failure::Failed;

/// Blocks that wait for the guest while the next is made. More would only hold more memory.
const WAITING: usize = 1;

/// All rows of a pass in the project's order, deciphered and decoded on a thread of their own
/// while the guest computes on those before.
///
/// The order is the same whatever the threads do. The thread ends with the pass, or when this
/// is dropped.
pub(crate) struct ReadAhead(Receiver<Result<Block, Failed>>);

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

    /// The next block; it has rows.
    pub(crate) fn next(&mut self) -> Result<Option<Block>, Failed> {
        self.0.recv().ok().transpose()
    }
}

/// A panic here would look like the end of the rows, so it is told apart.
fn read(scan: &Scan, give: &SyncSender<Result<Block, Failed>>) {
    let all = std::panic::AssertUnwindSafe(|| give_all(scan, give));
    let ended = std::panic::catch_unwind(all)
        .unwrap_or_else(|_| Err(Failed::environment("host_panic", "the scan panicked")));
    if let Err(failed) = ended {
        // Nobody may be listening any more.
        let _ = give.send(Err(failed));
    }
}

fn give_all(scan: &Scan, give: &SyncSender<Result<Block, Failed>>) -> Result<(), Failed> {
    let mut rows = Shuffled::over(scan);
    while let Some(block) = rows.next()? {
        if give.send(Ok(block)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
