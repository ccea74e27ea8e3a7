use std::path::{Path, PathBuf};

use sekisho_vault::VaultError;

use crate::ProfileErrors;

/// What can go wrong while sealing, opening or reading a data set version.
///
/// No variant carries a value from the data.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The profile is wrong.
    #[error(transparent)]
    Profile(#[from] ProfileErrors),
    /// The version's name is no plain name such as `v1`.
    #[error("`{0}` is no version name: wanted `v` and a number")]
    VersionName(String),
    /// The number of buckets is no power of two from 1 to 4096.
    #[error("{0} buckets: wanted a power of two from 1 to 4096")]
    Buckets(u32),
    /// The version exists already; versions never change.
    #[error("version {version} of {dataset} exists already")]
    DuplicateVersion {
        /// The data set.
        dataset: String,
        /// The version asked for.
        version: String,
    },
    /// Another process is sealing a version of this data set.
    #[error("another process is sealing a version of {dataset}")]
    Busy {
        /// The data set.
        dataset: String,
    },
    /// A batch does not have the shape its table's profile asks for.
    #[error("table {table}: {reason}")]
    Shape {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// No table of the version has a row.
    #[error("no table of {dataset} has a row")]
    Empty {
        /// The data set.
        dataset: String,
    },
    /// The profile is not the newest version's, and its revision is not higher.
    #[error(
        "the profile differs from that of {dataset} {version}: wanted a revision above {revision}"
    )]
    Revision {
        /// The data set.
        dataset: String,
        /// Its newest version.
        version: String,
        /// The revision of that one's profile.
        revision: u32,
    },
    /// A required value is missing.
    #[error("table {table}, row {row}: column {column} may not be missing")]
    MissingValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Row within the pushed batch, counted from 0.
        row: usize,
    },
    /// A column has more distinct codes than its dictionary may hold.
    #[error(
        "table {table}: the codes of column {column} take {bytes} bytes, at most {most} are \
         sealed. A column of free text or of ids has no place among codes: leave it out or make \
         it coarser"
    )]
    TooManyCodes {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Size of its sealed dictionary.
        bytes: u64,
        /// The most that is sealed.
        most: u64,
    },
    /// A file of a version is missing, changed, truncated, renamed or swapped.
    #[error("{file}: {reason}")]
    Tampered {
        /// Path inside the version's folder.
        file: String,
        /// What does not fit.
        reason: String,
    },
    /// The data set, version, table or column asked for is not there.
    #[error("no {0} in this version")]
    Unknown(String),
    /// Persons or tables of two versions cannot meet in one run.
    #[error("these versions cannot be joined: {0}")]
    Unjoinable(&'static str),
    /// The keys do not open this table or column.
    #[error("no key is granted for {0}")]
    NotGranted(String),
    /// The bytes are no granted keys.
    #[error("not granted keys")]
    NotGrantedKeys,
    /// A key could not be unwrapped or an envelope opened.
    #[error("cannot open {what}")]
    Sealed {
        /// The key or file that failed.
        what: String,
        /// Why.
        source: VaultError,
    },
    /// Parquet could not be written or read.
    #[error("{file}: Parquet failed")]
    Parquet {
        /// Path inside the version's folder.
        file: String,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// An Arrow operation failed.
    #[error("Arrow failed")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file operation failed.
    #[error("{path}: {doing} failed")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// No random bytes or no usable signing key.
    #[error("cryptography failed")]
    Vault(#[from] VaultError),
}

impl DatasetError {
    /// Stable code for scripts and clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Profile(_) => "profile.invalid",
            Self::VersionName(_) => "dataset.version_name",
            Self::Buckets(_) => "dataset.buckets",
            Self::DuplicateVersion { .. } => "dataset.duplicate_version",
            Self::Busy { .. } => "dataset.busy",
            Self::Shape { .. } => "dataset.shape",
            Self::Empty { .. } => "dataset.empty",
            Self::Revision { .. } => "profile.revision",
            Self::MissingValue { .. } => "dataset.missing_value",
            Self::TooManyCodes { .. } => "dataset.too_many_codes",
            Self::Tampered { .. } => "dataset.tampered",
            Self::Unknown(_) => "dataset.unknown",
            Self::Unjoinable(_) => "dataset.unjoinable",
            Self::NotGranted(_) => "dataset.not_granted",
            Self::NotGrantedKeys => "dataset.not_granted_keys",
            Self::Sealed { .. } => "dataset.sealed",
            Self::Parquet { .. } => "dataset.parquet",
            Self::Arrow(_) => "dataset.arrow",
            Self::Io { .. } => "dataset.io",
            Self::Vault(error) => error.code(),
        }
    }

    pub(crate) fn io(
        path: &Path,
        doing: &'static str,
    ) -> impl FnOnce(std::io::Error) -> DatasetError {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    pub(crate) fn tampered(file: &str, reason: impl Into<String>) -> Self {
        Self::Tampered { file: file.to_owned(), reason: reason.into() }
    }
}
