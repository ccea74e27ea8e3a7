//! The writer's seat: one gateway at a time may grow a log.
//!
//! On PostgreSQL it is an advisory lock of the writer's own connection, on SQLite a lock
//! on a file beside the database. The system gives either back when the process dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    AnyConnection, ConnectOptions, Executor, any::AnyConnectOptions, sqlite::SqliteConnectOptions,
};
use tokio::time::{sleep, timeout};

use crate::StoreError;

/// How long to wait for a gateway that is going away to leave its seat: a database may
/// notice a moment later than the process that its client was killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
const ADVISORY_LOCK: &str = "SELECT 1 WHERE pg_try_advisory_lock(7310593866311)";

/// The right to write one log, and the way to its database.
pub(crate) struct Seat {
    options: AnyConnectOptions,
    /// Held, never read: SQLite only.
    lock: Option<File>,
}

impl Seat {
    /// Takes the seat as far as it can be taken without a connection; makes a new SQLite
    /// file where there is none, for its owner alone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LOG_IN_USE` when another gateway has it.
    pub(crate) async fn take(url: &str) -> Result<Self, StoreError> {
        let options: AnyConnectOptions = url.parse()?;
        let lock = if url.starts_with("sqlite:") {
            let database: SqliteConnectOptions = url.parse()?;
            Some(lock_beside(database.get_filename()).await?)
        } else {
            None
        };
        Ok(Self { options, lock })
    }

    /// Where the database is.
    pub(crate) fn options(&self) -> AnyConnectOptions {
        self.options.clone()
    }

    /// Whether the database is a file.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.lock.is_some()
    }

    /// Begins a transaction that writes.
    pub(crate) fn begin(&self) -> &'static str {
        if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }
    }

    /// A connection that may write the log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `LOG_IN_USE` when another gateway has the seat.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, StoreError> {
        let sqlite = self.is_sqlite();
        let mut connection = timeout(CONNECT, async {
            let mut connection = self.options.connect().await?;
            prepare(&mut connection, sqlite).await?;
            Ok::<_, sqlx::Error>(connection)
        })
        .await
        .map_err(|_| sqlx::Error::Io(io::ErrorKind::TimedOut.into()))??;
        if !sqlite {
            let patience = Patience::start();
            while sqlx::query(ADVISORY_LOCK).fetch_optional(&mut connection).await?.is_none() {
                patience.wait().await?;
            }
        }
        Ok(connection)
    }
}

/// What every connection starts with.
pub(crate) async fn prepare(
    connection: &mut AnyConnection,
    sqlite: bool,
) -> Result<(), sqlx::Error> {
    if sqlite {
        // Overwritten content must not linger in free pages (SV-3).
        connection
            .execute(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA busy_timeout = 10000; PRAGMA secure_delete = ON;",
            )
            .await?;
    }
    Ok(())
}

async fn lock_beside(database: &Path) -> Result<File, StoreError> {
    let mut beside = database.as_os_str().to_owned();
    beside.push(".lock");
    open_private(database)?;
    let file = open_private(Path::new(&beside))?;
    let patience = Patience::start();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => patience.wait().await?,
            Err(TryLockError::Error(error)) => return Err(sqlx::Error::Io(error).into()),
        }
    }
}

fn open_private(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    Ok(options.open(path).map_err(sqlx::Error::Io)?)
}

struct Patience(Instant);

impl Patience {
    fn start() -> Self {
        Self(Instant::now())
    }

    async fn wait(&self) -> Result<(), StoreError> {
        if self.0.elapsed() > PATIENCE {
            let message = "another gateway writes this log; stop it first";
            return Err(StoreError::conflict("LOG_IN_USE", message));
        }
        sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}
