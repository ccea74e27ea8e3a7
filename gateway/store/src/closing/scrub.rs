//! What a database keeps of rows after they were deleted.

use std::time::Duration;

use sqlx::Row;

use crate::{Store, StoreError};

/// Snapshots that may see what was deleted before the transaction `$1`: of sessions, replicas
/// and prepared transactions.
const OLDER_SNAPSHOTS: &str = "
    SELECT count(*) FROM (
        SELECT backend_xmin AS seen FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        UNION ALL SELECT xmin FROM pg_replication_slots
        UNION ALL SELECT transaction FROM pg_prepared_xacts
    ) AS snapshot
    WHERE seen IS NOT NULL AND age(seen) >= age($1::text::xid8::xid)";
/// Short reads pass within this many looks; others leave the erasure to its next try.
const SNAPSHOT_TRIES: u32 = 20;
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Makes sure that what was overwritten is in no journal any more.
    pub(super) async fn scrub(&self) -> Result<(), StoreError> {
        if !self.sqlite {
            return self.scrub_server().await;
        }
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.pool).await?;
        match row.try_get::<i64, _>(0)? {
            0 => Ok(()),
            _ => Err(StoreError::conflict("JOURNAL_BUSY", "the journal is being read")),
        }
    }

    /// Rewrites PostgreSQL's table of keys without its dead rows, once nobody can see them any
    /// more: VACUUM keeps what an older snapshot still sees, and does not say so. The server's
    /// own journal and its backups are the operator's to expire. Snapshots of other roles are
    /// seen only with `pg_read_all_stats`.
    async fn scrub_server(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let row = sqlx::query("SELECT pg_current_xact_id()::text").fetch_one(&mut *connection);
        let after: String = row.await?.try_get(0)?;
        for _ in 0..SNAPSHOT_TRIES {
            let row = sqlx::query(OLDER_SNAPSHOTS).bind(&after).fetch_one(&mut *connection);
            if row.await?.try_get::<i64, _>(0)? == 0 {
                sqlx::query("SET lock_timeout = '5s'").execute(&mut *connection).await?;
                let vacuum = sqlx::query("VACUUM (FULL) wrapped_key");
                let done = vacuum.execute(&mut *connection).await;
                sqlx::query("RESET lock_timeout").execute(&mut *connection).await?;
                return Ok(done.map(|_| ())?);
            }
            tokio::time::sleep(SNAPSHOT_PAUSE).await;
        }
        let why = "a transaction that began before the erasure is still open";
        Err(StoreError::conflict("SNAPSHOT_HELD", why))
    }
}
