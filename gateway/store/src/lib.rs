//! State: SQLite by default, PostgreSQL for a real site, one set of statements for both.
//!
//! Start with [`writer`], through which every change goes, then [`runs`], the busiest
//! of the tables.
//!
//! Invariants: an effect consumes its permit and commits in one transaction with its
//! record in the log (design invariant 5); the newest checkpoint always covers the
//! whole log; whatever is read for a person comes out guarded. Only this crate knows
//! SQL. Must never depend on `app` or a transport.

pub mod alerts;
mod body;
pub mod bring_ins;
pub mod closing;
pub mod error;
pub mod keys;
pub mod leases;
pub mod linkage;
pub mod log;
pub mod modules;
pub mod objects;
pub mod outputs;
mod overdue;
pub mod people;
pub mod projects;
pub mod reidentifications;
pub mod releases;
pub mod reviews;
pub mod runs;
mod seat;
pub mod sessions;
pub mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use sekisho_access::linkage::LinkageMatrix;
use sekisho_audit::{CheckpointSigner, Event};
use sekisho_vault::RotatingVault;
use sqlx::{AnyPool, any::AnyPoolOptions, migrate::Migrator};
use tokio::sync::mpsc;

pub use error::StoreError;
pub use releases::Withdrawal;
use seat::Seat;
use writer::Writer;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// An event as committed.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its index in the log.
    pub index: u64,
    /// The event.
    pub event: Arc<Event>,
}

/// Everything the gateway remembers.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    writer: Writer,
    objects: objects::Objects,
    keys: keys::Keys,
    linkage: Arc<LinkageMatrix>,
    sqlite: bool,
}

/// Where state lives and what signs it.
pub struct StoreConfig<'a> {
    /// `sqlite:///path/to/file` or `postgres://…`.
    pub database_url: &'a str,
    /// Folder of sealed objects.
    pub objects: &'a Path,
    /// The gateway's own key vault; never a dataset's.
    pub vault: Arc<dyn RotatingVault>,
    /// Which databases may be analysed together.
    pub linkage: LinkageMatrix,
    /// Signs a checkpoint in every transaction that grows the log.
    pub signer: CheckpointSigner,
    /// Receives every event after it was committed.
    pub tap: mpsc::UnboundedSender<Committed>,
}

impl Store {
    /// Takes the writer's seat, brings the schema up to date and checks that the log is
    /// the one its newest checkpoint signs.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::LogTampered`] when entries and checkpoint disagree,
    /// [`StoreError::Conflict`] `LOG_IN_USE` while another gateway writes the log.
    pub async fn open(config: StoreConfig<'_>) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let seat = Seat::take(config.database_url).await?;
        let connection = seat.connect().await?;
        let sqlite = seat.is_sqlite();
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| Box::pin(seat::prepare(connection, sqlite)))
            .connect_with(seat.options())
            .await?;
        let migrator = if sqlite { &SQLITE } else { &POSTGRES };
        migrator.run(&pool).await?;
        let keys = keys::Keys::new(pool.clone(), config.vault);
        let objects = objects::Objects::open(config.objects)?;
        let writer = Writer::start(seat, connection, config.signer, config.tap).await?;
        let linkage = Arc::new(config.linkage);
        Ok(Self { pool, writer, objects, keys, linkage, sqlite })
    }
}
