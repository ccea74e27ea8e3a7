use sekisho_dataset::DatasetError;
use sekisho_deployment::DeploymentError;
use sekisho_vault::VaultError;

/// Why a leased run is not started. The gateway hears only that the environment failed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The ticket's signature is not the gateway's.
    #[error("the ticket's signature does not fit")]
    Signature,
    /// The lease or ticket lacks a part, or cannot be read.
    #[error("the lease cannot be read: {0}")]
    Unreadable(&'static str),
    /// The ticket's life is over.
    #[error("the ticket has expired")]
    Expired,
    /// The ticket is from the future: a clock is wrong.
    #[error("the ticket was issued in the future")]
    NotYet,
    /// The sealed module does not open.
    #[error("the sealed module does not open")]
    Module(#[source] VaultError),
    /// The module is not the one the ticket names.
    #[error("the module's SHA-256 is not the ticket's")]
    ModuleHash,
    /// The manifest is not the one the ticket names.
    #[error("the manifest's SHA-256 is not the ticket's")]
    ManifestHash,
    /// A sealed brought-in table does not open.
    #[error("a brought-in table does not open")]
    BringIn(#[source] VaultError),
    /// A brought-in table is not the one the ticket names.
    #[error("a brought-in table's SHA-256 is not the ticket's")]
    BringInHash,
    /// The data set or version is no plain name.
    #[error("the ticket names no data set version")]
    DatasetName,
    /// The data set version here is not the one the catalogue registered.
    #[error("the data set's manifest is not the ticket's")]
    DatasetHash,
    /// The catalogue decided on linkage by something else than the signed profile says (LK-1).
    #[error("the data set's kind, database or token space is not the ticket's")]
    DatasetFacts,
    /// A trace, and no receiver to seal its tokens for.
    #[error("no reidentification_receiver is configured")]
    NoReceiver,
    /// What the deployment record rests on is out of date (CL-2).
    #[error("the deployment record")]
    Deployment(#[from] DeploymentError),
    /// The data set version or a granted key cannot be opened.
    #[error("the data set cannot be opened")]
    Dataset(#[from] DatasetError),
}

impl Refusal {
    /// Stable code for the log.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Signature => "ticket.signature",
            Self::Unreadable(_) => "ticket.unreadable",
            Self::Expired => "ticket.expired",
            Self::NotYet => "ticket.not_yet",
            Self::Module(_) => "module.sealed",
            Self::ModuleHash => "module.hash",
            Self::ManifestHash => "manifest.hash",
            Self::BringIn(_) => "bring_in.sealed",
            Self::BringInHash => "bring_in.hash",
            Self::DatasetName => "dataset.name",
            Self::DatasetHash => "dataset.hash",
            Self::DatasetFacts => "dataset.facts",
            Self::NoReceiver => "trace.no_receiver",
            Self::Deployment(error) => error.code(),
            Self::Dataset(error) => error.code(),
        }
    }
}
