//! The one writer. Changes queue up, run one after the other inside one transaction
//! and become durable together, so that many calls share one flush to disk; each runs
//! under a savepoint, so that one that fails takes nothing else with it.
//!
//! When a transaction fails for whatever reason, what the writer believes is worth
//! nothing: it connects anew, takes its seat again and reads the log back. That also
//! tells whether a commit happened whose answer was lost. Until it succeeds, nothing is
//! recorded, and so nothing is permitted.

use futures::future::BoxFuture;
use sekisho_access::{Action, Permit};
use sekisho_audit::{Actor, CheckpointSigner, Event, Hash, MerkleLog, TreeHead, leaf};
use sqlx::{AnyConnection, Executor};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

use crate::{Committed, StoreError, log, seat::Seat, sessions::check_live};

/// Most changes of one transaction.
const BATCH: usize = 256;
/// Changes that may wait before callers do.
const QUEUE: usize = 4096;

/// What a change does: its value for the caller, and the events that record it.
pub type Outcome<T> = Result<(T, Vec<Event>), StoreError>;

/// A change's value and the index of its last event.
#[derive(Debug)]
pub struct Done<T> {
    /// What the change returned.
    pub value: T,
    /// Index of its last event; the log's size minus one when it recorded none.
    pub index: u64,
}

#[async_trait::async_trait]
trait Change: Send {
    async fn run(&mut self, connection: &mut AnyConnection) -> Result<Vec<Event>, StoreError>;
    fn finish(self: Box<Self>, outcome: Result<u64, StoreError>);
}

/// Handle to the writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Change>>,
    merkle: Arc<std::sync::RwLock<MerkleLog>>,
}

impl Writer {
    pub(crate) async fn start(
        seat: Seat,
        mut connection: AnyConnection,
        signer: CheckpointSigner,
        tap: mpsc::UnboundedSender<Committed>,
    ) -> Result<Self, StoreError> {
        let tree = log::load(&mut connection, &signer).await?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let merkle = Arc::new(std::sync::RwLock::new(tree));
        let connection = Some(connection);
        let task = Task { connection, seat, merkle: Arc::clone(&merkle), signer, tap };
        tokio::spawn(task.serve(jobs));
        Ok(Self { queue, merkle })
    }

    /// Runs the effect of a permit, if the session it was given to is still live.
    ///
    /// # Errors
    /// As [`Writer::commit`], and [`StoreError::SessionEnded`].
    pub async fn effect<A, T, F>(&self, permit: &Permit<A>, work: F) -> Result<Done<T>, StoreError>
    where
        A: Action,
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Outcome<T>> + Send + 'static,
    {
        let actor = *permit.actor();
        self.commit(move |connection| {
            Box::pin(async move {
                if let Actor::Person { session_id, .. } = actor {
                    check_live(connection, session_id).await?;
                }
                work(connection).await
            })
        })
        .await
    }

    /// Runs `work` in a transaction and returns once it is durable.
    ///
    /// # Errors
    /// What `work` returned, or why the transaction did not commit; then nothing of it
    /// happened.
    pub async fn commit<T, F>(&self, work: F) -> Result<Done<T>, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Outcome<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let change = Typed { work: Some(work), value: None, reply };
        self.queue.send(Box::new(change)).await.map_err(|_| StoreError::WriterGone)?;
        answer.await.map_err(|_| StoreError::WriterGone)?
    }

    /// Reads the tree of the committed log.
    pub(crate) fn merkle<R>(&self, read: impl FnOnce(&MerkleLog) -> R) -> R {
        read(&self.merkle.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

struct Typed<T, F> {
    work: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<Done<T>, StoreError>>,
}

#[async_trait::async_trait]
impl<T, F> Change for Typed<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Outcome<T>> + Send + 'static,
{
    async fn run(&mut self, connection: &mut AnyConnection) -> Result<Vec<Event>, StoreError> {
        let work = self.work.take().ok_or(StoreError::WriterGone)?;
        let (value, events) = work(connection).await?;
        self.value = Some(value);
        Ok(events)
    }

    fn finish(self: Box<Self>, outcome: Result<u64, StoreError>) {
        let Self { value, reply, .. } = *self;
        let done = outcome.and_then(|index| {
            value.map(|value| Done { value, index }).ok_or(StoreError::WriterGone)
        });
        // A caller that went away does not undo what was committed.
        let _ = reply.send(done);
    }
}

struct Task {
    /// `None` while the database is out of reach.
    connection: Option<AnyConnection>,
    seat: Seat,
    merkle: Arc<std::sync::RwLock<MerkleLog>>,
    signer: CheckpointSigner,
    tap: mpsc::UnboundedSender<Committed>,
}

/// A change and what came of it, waiting for the commit.
struct Ran {
    change: Box<dyn Change>,
    outcome: Result<Vec<Event>, StoreError>,
    last_index: u64,
}

impl Task {
    async fn serve(mut self, mut jobs: mpsc::Receiver<Box<dyn Change>>) {
        while let Some(first) = jobs.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            self.batch(batch).await;
        }
    }

    async fn batch(&mut self, changes: Vec<Box<dyn Change>>) {
        let ran = |change| Ran { change, outcome: Ok(vec![]), last_index: 0 };
        let mut ran: Vec<Ran> = changes.into_iter().map(ran).collect();
        if let Err(error) = self.begin().await {
            return refuse(ran, &error, "nothing was changed");
        }
        let base = self.tree(MerkleLog::size);
        let mut signed = None;
        match self.transact(&mut ran, base, &mut signed).await {
            Ok(()) => self.publish(base, ran),
            Err(error) => {
                self.tree_mut(|tree| tree.truncate_to(base));
                self.settle(ran, &error, signed).await;
            }
        }
    }

    /// Answers the changes of a transaction that failed, once the database has told
    /// whether it did.
    async fn settle(&mut self, ran: Vec<Ran>, error: &StoreError, signed: Option<TreeHead>) {
        match self.connect().await {
            Ok(()) if signed == Some(self.tree(MerkleLog::head)) => {
                for Ran { change, outcome, last_index } in ran {
                    change.finish(outcome.map(|_| last_index));
                }
            }
            Ok(()) => refuse(ran, error, "nothing was changed"),
            Err(lost) => refuse(ran, &lost, "the change may have been made"),
        }
    }

    async fn transact(
        &mut self,
        ran: &mut [Ran],
        base: u64,
        signed: &mut Option<TreeHead>,
    ) -> Result<(), StoreError> {
        let Self { connection, merkle, signer, .. } = self;
        let connection = connection.as_mut().ok_or(StoreError::WriterGone)?;
        for Ran { change, outcome, last_index } in ran {
            connection.execute("SAVEPOINT change").await?;
            *outcome = perform(change.as_mut(), connection, merkle).await;
            let end = if outcome.is_ok() { "RELEASE SAVEPOINT change" } else { UNDO };
            connection.execute(end).await?;
            *last_index = merkle_size(merkle).saturating_sub(1);
        }
        let head = {
            let tree = merkle.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            (tree.size() > base).then(|| tree.head())
        };
        if let Some(head) = head {
            let note = signer.sign(&head).map_err(|error| StoreError::Log(error.to_string()))?;
            log::insert_checkpoint(connection, head.size, &note).await?;
        }
        *signed = head;
        connection.execute("COMMIT").await?;
        Ok(())
    }

    /// Begins a transaction, on a new connection if the old one is gone.
    async fn begin(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            match connection.execute(self.seat.begin()).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "connection lost");
                }
            }
        }
        self.connect().await?;
        let connection = self.connection.as_mut().ok_or(StoreError::WriterGone)?;
        connection.execute(self.seat.begin()).await?;
        Ok(())
    }

    /// Connects anew and reads the log back. What was committed without an answer
    /// becomes known here, to the tap as well.
    async fn connect(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        let mut connection = self.seat.connect().await?;
        let tree = log::load(&mut connection, &self.signer).await?;
        let known = self.tree(MerkleLog::head);
        if tree.root_at(known.size).ok() != Some(known.root) {
            let message = format!("it no longer begins with the {} known entries", known.size);
            return Err(StoreError::LogTampered(message));
        }
        for entry in log::chunk(&mut connection, known.size, tree.size()).await? {
            let event =
                leaf::decode(&entry.leaf).map_err(|error| StoreError::Log(error.to_string()))?;
            self.tell(entry.index, event);
        }
        self.tree_mut(|old| *old = tree);
        self.connection = Some(connection);
        Ok(())
    }

    fn publish(&self, base: u64, ran: Vec<Ran>) {
        let mut index = base;
        for Ran { change, outcome, last_index } in ran {
            match outcome {
                Ok(events) => {
                    for event in events {
                        self.tell(index, event);
                        index += 1;
                    }
                    change.finish(Ok(last_index));
                }
                Err(error) => change.finish(Err(error)),
            }
        }
    }

    fn tell(&self, index: u64, event: Event) {
        // Nobody listens while the gateway shuts down.
        let _ = self.tap.send(Committed { index, event: Arc::new(event) });
    }

    fn tree<R>(&self, read: impl FnOnce(&MerkleLog) -> R) -> R {
        read(&self.merkle.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn tree_mut<R>(&self, change: impl FnOnce(&mut MerkleLog) -> R) -> R {
        change(&mut self.merkle.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Answers changes of which nothing can be said but this.
fn refuse(ran: Vec<Ran>, error: &StoreError, consequence: &str) {
    tracing::error!(error = error as &dyn std::error::Error, consequence, "no transaction");
    for Ran { change, .. } in ran {
        change.finish(Err(StoreError::Log(format!("{error}; {consequence}"))));
    }
}

const UNDO: &str = "ROLLBACK TO SAVEPOINT change";

fn merkle_size(merkle: &std::sync::RwLock<MerkleLog>) -> u64 {
    merkle.read().unwrap_or_else(std::sync::PoisonError::into_inner).size()
}

/// Runs one change and appends its events; on an error the tree is as it was.
async fn perform(
    change: &mut dyn Change,
    connection: &mut AnyConnection,
    merkle: &std::sync::RwLock<MerkleLog>,
) -> Result<Vec<Event>, StoreError> {
    let before = merkle_size(merkle);
    let result = async {
        let events = change.run(connection).await?;
        for event in &events {
            let bytes = leaf::encode(event).map_err(|error| StoreError::Log(error.to_string()))?;
            let hash = Hash::of_leaf(&bytes);
            let index =
                merkle.write().unwrap_or_else(std::sync::PoisonError::into_inner).append_hash(hash);
            log::insert_entry(connection, index, bytes, hash).await?;
        }
        Ok(events)
    }
    .await;
    if result.is_err() {
        merkle.write().unwrap_or_else(std::sync::PoisonError::into_inner).truncate_to(before);
    }
    result
}
