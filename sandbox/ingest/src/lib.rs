//! The one-way door from the identified zone: source records in, a sealed data set version
//! of pseudonymised records out.
//!
//! Start at [`Ingest`] (what one run needs), then `source` and [`ehr`] (where rows come
//! from), `intake` (who may come in at all), `process` (what the rules of a profile make of
//! a row), `table` (where every row went) and [`PatientTokens`] (what becomes of a person's
//! id).
//!
//! Invariants
//! - A person's id in the source never reaches a sealed table: only a keyed one-way token
//!   does, whose key stays in the identified zone.
//! - No message, log line or summary carries a value from the source; errors name file,
//!   line and column.
//! - What it seals it seals for the pseudonymised zone: it holds that zone's public key and
//!   can open no version, its own earlier ones included.
//! - The identified zone and the data sets lie in folders apart from each other, or nothing
//!   starts.
//!
//! Must never depend on: the query engine, the gateway, or anything with a network.

pub mod ehr;

mod day;
mod error;
mod intake;
mod lock;
mod parts;
mod process;
mod pseudonyms;
mod reidentify;
mod rejects;
mod run;
mod source;
mod table;
mod tokens;
mod whole;
mod zone;

pub use day::day_in_japan;
pub use error::{IngestError, SourceError};
pub use intake::{
    DeletionNote, DeletionRequest, Deletions, IntakeLists, IntakeReport, ListNote, PersonList,
    TableTotals, verify_report,
};
pub use pseudonyms::Pseudonyms;
pub use reidentify::{Inquiry, Reidentified};
pub use rejects::RejectedRow;
pub use run::{Ingest, Intake, Progress, Silent, Summary, write_catalogue};
pub use source::{Encoding, Format};
pub use table::Totals;
pub use tokens::PatientTokens;
pub use zone::{IdentifiedZone, check_apart};
