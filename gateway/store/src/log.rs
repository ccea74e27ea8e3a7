//! The log in the database: entries, checkpoints, proofs.

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use sekisho_access::{Guarded, Permit, Visible, action::ReadLog};
use sekisho_audit::{Checkpoint, CheckpointSigner, Event, EventKind, Hash, MerkleLog, leaf};
use sekisho_domain::Timestamp;
use sqlx::{Any, AnyConnection, Executor, Row, any::AnyRow};

use crate::{Store, StoreError};

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Index in the log.
    pub index: u64,
    /// Exact leaf bytes.
    pub leaf: Vec<u8>,
    /// Leaf hash as stored when the entry was written.
    pub leaf_hash: Vec<u8>,
    /// Checkpoint signed when this entry was the newest.
    pub checkpoint: Option<String>,
}

/// Entries as they are read.
pub type Entries = BoxStream<'static, Result<Entry, StoreError>>;

impl Store {
    /// Appends events that belong to no effect (calls, refusals, decisions).
    ///
    /// # Errors
    /// [`StoreError`] when they did not become durable.
    pub async fn append(&self, events: Vec<Event>) -> Result<u64, StoreError> {
        let done = self.writer.commit(move |_| Box::pin(async move { Ok(((), events)) })).await?;
        Ok(done.index)
    }

    /// Records that a permit is used to read, if the session it was given to is still
    /// live: what was decided before a cut must not be read after it either.
    pub(crate) async fn note<A: sekisho_access::Action>(
        &self,
        permit: &Permit<A>,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        let event = record(permit, kind);
        self.writer.effect(permit, move |_| Box::pin(async move { Ok(((), vec![event])) })).await?;
        Ok(())
    }

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] while the log is empty.
    pub async fn checkpoint(&self, _: &Permit<ReadLog>) -> Result<String, StoreError> {
        Ok(self.newest_checkpoint().await?.1)
    }

    pub(crate) async fn newest_checkpoint(&self) -> Result<(u64, String), StoreError> {
        newest_checkpoint(&self.pool).await?.ok_or(StoreError::NotFound("checkpoint"))
    }

    pub(crate) async fn entry(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        let found = chunk(&self.pool, index, index.saturating_add(1)).await?;
        found.into_iter().next().map(|entry| entry.leaf).ok_or(StoreError::NotFound("entry"))
    }

    /// Size of the log that the newest checkpoint covers.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn checkpoint_size(&self) -> Result<u64, StoreError> {
        Ok(newest_checkpoint(&self.pool).await?.map_or(0, |(size, _)| size))
    }

    /// Entries `start..end` in order, after recording that they were exported.
    ///
    /// # Errors
    /// [`StoreError`] when the export could not be recorded.
    pub async fn export(
        &self,
        permit: Permit<ReadLog>,
        start: u64,
        end: u64,
    ) -> Result<Visible<Entries>, StoreError> {
        self.note(&permit, EventKind::LogExported { start, end }).await?;
        Ok(permit.reveal(Guarded::new(self.entries(start, end))))
    }

    /// Events from `since` on, oldest first, so that the watch can catch up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recent_events(&self, since: Timestamp) -> Result<Vec<(u64, Event)>, StoreError> {
        let mut rows =
            sqlx::query("SELECT entry_index, leaf FROM log_entry ORDER BY entry_index DESC")
                .fetch(&self.pool);
        let mut events = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let bytes: Vec<u8> = row.try_get("leaf")?;
            let event = leaf::decode(&bytes).map_err(|error| StoreError::Log(error.to_string()))?;
            if event.at < since {
                break;
            }
            let index: i64 = row.try_get("entry_index")?;
            events.push((u64::try_from(index).unwrap_or(0), event));
        }
        events.reverse();
        Ok(events)
    }

    fn entries(&self, start: u64, end: u64) -> Entries {
        const CHUNK: u64 = 1000;
        let pool = self.pool.clone();
        let starts = (start..end).step_by(CHUNK as usize);
        futures::stream::iter(starts)
            .then(move |from| {
                let pool = pool.clone();
                async move { chunk(&pool, from, end.min(from + CHUNK)).await }
            })
            .map_ok(|entries| futures::stream::iter(entries.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    /// Audit path of an entry (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] outside the tree.
    pub fn inclusion_proof(
        &self,
        _: &Permit<ReadLog>,
        index: u64,
        size: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        self.inclusion(index, size)
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.writer
            .merkle(|tree| tree.inclusion_proof(index, size))
            .map_err(|_| StoreError::NotFound("entry"))
    }

    /// Proof that a tree extends an older one (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the sizes are not of this log.
    pub fn consistency_proof(
        &self,
        _: &Permit<ReadLog>,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        self.writer
            .merkle(|tree| tree.consistency_proof(old, new))
            .map_err(|_| StoreError::NotFound("tree"))
    }
}

#[async_trait::async_trait]
impl sekisho_access::DecisionLog for Store {
    async fn append(&self, events: Vec<Event>) -> Result<u64, sekisho_access::LogUnavailable> {
        Store::append(self, events)
            .await
            .map_err(|error| sekisho_access::LogUnavailable(error.to_string()))
    }
}

/// The event of an effect, by whoever holds its permit.
pub(crate) fn record<A: sekisho_access::Action>(permit: &Permit<A>, kind: EventKind) -> Event {
    Event { at: permit.at(), request_id: Some(permit.request_id()), actor: *permit.actor(), kind }
}

pub(crate) async fn insert_entry(
    connection: &mut AnyConnection,
    index: u64,
    leaf: Vec<u8>,
    hash: Hash,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO log_entry (entry_index, leaf, leaf_hash) VALUES ($1, $2, $3)")
        .bind(index_column(index)?)
        .bind(leaf)
        .bind(hash.as_bytes().to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

/// Index that the next event of this transaction gets.
pub(crate) async fn next_index(connection: &mut AnyConnection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT MAX(entry_index) AS newest FROM log_entry")
        .fetch_one(connection)
        .await?;
    let newest: Option<i64> = row.try_get("newest")?;
    Ok(newest.and_then(|index| u64::try_from(index + 1).ok()).unwrap_or(0))
}

pub(crate) async fn insert_checkpoint(
    connection: &mut AnyConnection,
    size: u64,
    note: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO checkpoint (tree_size, note) VALUES ($1, $2)")
        .bind(index_column(size)?)
        .bind(note)
        .execute(connection)
        .await?;
    Ok(())
}

/// Builds the tree from the stored entries and holds it against the newest checkpoint.
pub(crate) async fn load(
    connection: &mut AnyConnection,
    signer: &CheckpointSigner,
) -> Result<MerkleLog, StoreError> {
    let mut tree = MerkleLog::new();
    let mut rows =
        sqlx::query("SELECT entry_index, leaf, leaf_hash FROM log_entry ORDER BY entry_index")
            .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let index: i64 = row.try_get("entry_index")?;
        let leaf: Vec<u8> = row.try_get("leaf")?;
        let stored: Vec<u8> = row.try_get("leaf_hash")?;
        let hash = Hash::of_leaf(&leaf);
        let expected = tree.append_hash(hash);
        if index_column(expected)? != index || hash.as_bytes().as_slice() != stored {
            return Err(StoreError::LogTampered(format!("entry {expected}")));
        }
    }
    drop(rows);
    let Some((size, note)) = newest_checkpoint(connection).await? else {
        return if tree.size() == 0 {
            Ok(tree)
        } else {
            Err(StoreError::LogTampered("the checkpoints are gone".to_owned()))
        };
    };
    let signed = Checkpoint::verify(&note, signer.verifier())
        .map_err(|error| StoreError::LogTampered(error.to_string()))?;
    if size != tree.size() || signed.head != tree.head() {
        return Err(StoreError::LogTampered(format!("checkpoint of {size} entries")));
    }
    Ok(tree)
}

async fn newest_checkpoint<'e>(
    executor: impl Executor<'e, Database = Any>,
) -> Result<Option<(u64, String)>, StoreError> {
    let row = sqlx::query("SELECT tree_size, note FROM checkpoint ORDER BY tree_size DESC LIMIT 1")
        .fetch_optional(executor)
        .await?;
    row.map(|row| {
        let size: i64 = row.try_get("tree_size")?;
        Ok((u64::try_from(size).unwrap_or(0), row.try_get("note")?))
    })
    .transpose()
}

/// Entries `start..end`, in order.
pub(crate) async fn chunk<'e>(
    executor: impl Executor<'e, Database = Any>,
    start: u64,
    end: u64,
) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query(
        "SELECT entry_index, leaf, leaf_hash, note FROM log_entry
         LEFT JOIN checkpoint ON checkpoint.tree_size = log_entry.entry_index + 1
         WHERE entry_index >= $1 AND entry_index < $2 ORDER BY entry_index",
    )
    .bind(index_column(start)?)
    .bind(index_column(end)?)
    .fetch_all(executor)
    .await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &AnyRow) -> Result<Entry, StoreError> {
    let index: i64 = row.try_get("entry_index")?;
    Ok(Entry {
        index: u64::try_from(index).unwrap_or(0),
        leaf: row.try_get("leaf")?,
        leaf_hash: row.try_get("leaf_hash")?,
        checkpoint: row.try_get("note")?,
    })
}

fn index_column(index: u64) -> Result<i64, StoreError> {
    i64::try_from(index).map_err(|_| StoreError::Log("index out of range".to_owned()))
}
