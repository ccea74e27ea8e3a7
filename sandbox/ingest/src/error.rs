use std::fmt;
use std::path::{Path, PathBuf};

use sekisho_dataset::{DatasetError, ProfileErrors};
use sekisho_deployment::DeploymentError;
use sekisho_vault::VaultError;
use serde::Serialize;

/// One thing wrong in a source file. Says where and what is wrong, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceError {
    /// Stable code, such as `source.bad_number`.
    pub code: &'static str,
    /// Line in the file, counted from 1; 0 when the whole file is meant.
    pub line: u64,
    /// Header of the column; empty when the whole line is meant.
    pub column: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.column.is_empty() {
            write!(f, "column {}: ", self.column)?;
        }
        write!(f, "{} [{}]", self.reason, self.code)
    }
}

/// Why an ingest did not happen. Nothing was published then.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The profile is wrong.
    #[error(transparent)]
    Profile(#[from] ProfileErrors),
    /// A source file is wrong. Errors after the first twenty are not listed.
    #[error("{file}: {} error(s){}", .errors.len(), listed(.errors))]
    Source {
        /// The source file.
        file: PathBuf,
        /// What is wrong with it; never empty.
        errors: Vec<SourceError>,
    },
    /// A table of the profile has no file, or a file no table, or a table two files.
    #[error("table {table}: {reason}")]
    Tables {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// It was not said whether there is a list of persons who stay out (OP-1).
    #[error("give --{list} FILE, or say --no-{list}: who stays out is never left unsaid")]
    ListNotSaid {
        /// `notices` or `optouts`.
        list: &'static str,
    },
    /// The rows read are not all accounted for: a fault of this program.
    #[error("table {table}: the rows do not add up: {totals:?}")]
    Unbalanced {
        /// The table.
        table: String,
        /// Its totals.
        totals: crate::Totals,
    },
    /// More rows were wrong than `--max-rejected` allows.
    #[error(
        "table {table}: {rejected} of {read} rows were rejected, too many to go on{}",
        kept(.file.as_deref())
    )]
    TooManyRejected {
        /// The table.
        table: String,
        /// Rows rejected.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// The sealed file that holds those of all tables so far.
        file: Option<PathBuf>,
    },
    /// Persons who should have stayed out were found in the sealed version, which was removed.
    #[error("{persons} person(s) who stay out were found sealed; the version was removed")]
    Survivors {
        /// How many.
        persons: u64,
    },
    /// Another ingest of the data set runs in this zone, maybe into another folder.
    #[error("another ingest of {dataset} runs in this zone: wait for it to end")]
    Busy {
        /// The data set.
        dataset: String,
    },
    /// A deletion request was recorded after the ingest had joined them (OP-2).
    #[error("a deletion request was recorded meanwhile: run the ingest again, it joins them all")]
    DeletionsChanged,
    /// The zone's register of deletion requests is not there (OP-2).
    #[error(
        "{file} is missing: put the register of deletion requests back. For a zone that never \
         had one, `deletions init` makes an empty one"
    )]
    RegisterMissing {
        /// Where it should lie.
        file: PathBuf,
    },
    /// The register lacks requests that an earlier version was held against (OP-2).
    #[error(
        "the register of deletion requests does not begin with those that {report} names: put \
         the newer one back, or record them again in that order"
    )]
    RegisterRolledBack {
        /// The earlier version's report.
        report: PathBuf,
    },
    /// No source was taken in under this id space, so nothing could take effect in it.
    #[error(
        "the zone knows no id space {id_space}, only: {}. If it is to come, say --new-id-space",
        .known.join(", ")
    )]
    UnknownIdSpace {
        /// The id space.
        id_space: String,
        /// Those that are known.
        known: Vec<String>,
    },
    /// The person's id has another number of parts than those of its id space.
    #[error(
        "ids of {id_space} have {} part(s), one a line; the file holds {found}",
        .wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    )]
    IdParts {
        /// The id space.
        id_space: String,
        /// Parts of the ids in it.
        wanted: Vec<usize>,
        /// Parts of this one.
        found: usize,
    },
    /// The file with a person's id is not encoded as it was said to be.
    #[error("the file with the id is not {encoding}: say how it is encoded with --encoding")]
    IdEncoding {
        /// What it was to be.
        encoding: &'static str,
    },
    /// What is left was made of something else than what is given now.
    #[error(
        "what is left of the ingest does not fit: {what} differs. Without --resume it starts anew"
    )]
    ResumeDiffers {
        /// The input that differs.
        what: String,
    },
    /// What an ingest is to go on with was cut, changed or put there by somebody else.
    #[error("{file} is not as it was left. Without --resume the ingest starts anew")]
    ResumeTampered {
        /// The file.
        file: PathBuf,
    },
    /// The order is not the gateway's, or not one that may be answered.
    #[error("the order is refused: {0}")]
    Order(&'static str),
    /// The file with a person's id is empty.
    #[error("the file holds no id")]
    NoId,
    /// The zone may not lie where its deployment record says (CL-1, CL-2).
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// Two zones share a folder (requirement ZN-2).
    #[error("{one} and {other} must lie apart from each other")]
    ZonesOverlap {
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two ids of persons have the same token. Choose another secret.
    #[error("two persons of the source have the same token")]
    TokenCollision,
    /// Sealing failed.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A key or identity could not be made or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
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
}

impl IngestError {
    /// Whether the version that was sealed must never be published, so that nothing of it is to
    /// be gone on with. After another failure it may be.
    pub(crate) fn refuses_the_version(&self) -> bool {
        let empty = matches!(self, Self::Dataset(error) if error.code() == "dataset.empty");
        empty || matches!(self, Self::Survivors { .. } | Self::DeletionsChanged)
    }

    /// Stable code for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Profile(_) => "profile.invalid",
            Self::Source { errors, .. } => errors.first().map_or("source.bad", |error| error.code),
            Self::Tables { .. } => "ingest.tables",
            Self::ListNotSaid { .. } => "ingest.list_not_said",
            Self::Unbalanced { .. } => "ingest.unbalanced",
            Self::TooManyRejected { .. } => "ingest.too_many_rejected",
            Self::Survivors { .. } => "ingest.survivors",
            Self::Busy { .. } => "ingest.busy",
            Self::DeletionsChanged => "ingest.deletions_changed",
            Self::RegisterMissing { .. } => "ingest.register_missing",
            Self::RegisterRolledBack { .. } => "ingest.register_rolled_back",
            Self::UnknownIdSpace { .. } => "ingest.unknown_id_space",
            Self::IdParts { .. } => "ingest.id_parts",
            Self::IdEncoding { .. } => "ingest.id_encoding",
            Self::ResumeDiffers { .. } => "ingest.resume_differs",
            Self::ResumeTampered { .. } => "ingest.resume_tampered",
            Self::Order(_) => "ingest.order",
            Self::NoId => "ingest.no_id",
            Self::Deployment(error) => error.code(),
            Self::ZonesOverlap { .. } => "ingest.zones_overlap",
            Self::TokenCollision => "ingest.token_collision",
            Self::Dataset(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Io { .. } => "ingest.io",
        }
    }
}

fn kept(file: Option<&Path>) -> String {
    file.map(|file| format!("; they lie sealed in {}", file.display())).unwrap_or_default()
}

fn listed(errors: &[SourceError]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect()
}
