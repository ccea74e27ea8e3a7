//! Sealed data set versions: how records rest on disk, and how exactly the granted part of
//! them is opened again.
//!
//! Start at [`Profile`] (what a data set is made of), then [`SealedWriter`] and
//! [`SealedVersion`]. A version is a folder that never changes:
//!
//! ```text
//! <root>/<data set>/<version>/
//!   manifest.json  manifest.sig        signed list of everything below; no data values
//!   profile.toml                       the profile it was sealed under
//!   keys.json                          wrapped keys
//!   <table>/bucket-0000.parquet ...    Parquet, modular encryption, zstd
//!   dictionaries/<table>.<column>.sealed
//! ```
//!
//! Keys form a tree: each table's own key, which is sealed for its readers
//! ([`ReceivingPublic`](sekisho_vault::ReceivingPublic)), wraps one key per column and the
//! table's footer key. A [`Grant`] opens leaves of that tree ([`GrantedKeys`]). The writer
//! needs only a [`KeyWrapper`](sekisho_vault::KeyWrapper): it cannot open what others sealed,
//! nor a table of its own once that is sealed and it has ended ([`KeptTable`] says what is
//! left to whoever goes on).
//!
//! Invariants
//! - Every Parquet column has its own key. (parquet-rs writes a column without a key in
//!   plaintext as soon as another has one; the writer refuses to start unless all have.)
//! - The footer is encrypted: schema and sizes inside a file are hidden from whoever lacks
//!   the table's footer key. No statistics, page indexes or Bloom filters are written, so a
//!   value rests in data pages and nowhere else. Column names, row counts and file sizes do
//!   stand in the plaintext manifest.
//! - Key wrapping, dictionaries and Parquet files are bound to data set, version, table and
//!   column or bucket: a file moved to another place does not open.
//! - Rows are split into buckets by the top bits of the patient token and sorted by token,
//!   the same way in every table, so one patient's records meet without a shuffle.
//!
//! Must never depend on: DataFusion, wasmtime, gRPC, or any crate of the gateway.

pub mod dummy;

mod catalogue;
mod error;
mod grant;
mod layout;
mod manifest;
mod reader;
mod schema;
mod writer;

pub(crate) use catalogue::rounded;
pub use catalogue::{CatalogueColumn, CatalogueEntry, CatalogueTable};
pub use error::DatasetError;
pub use grant::{Grant, GrantedKeys};
pub use manifest::{
    Coverage, DictionaryEntry, FileEntry, Manifest, ManifestColumn, ManifestTable, ProcessingNote,
    Provenance, QuickCell, QuickCounts, SourceNote, TableFile, UniquenessNote,
};
pub use reader::{
    FileCheck, OpenFile, OpenTable, SealedVersion, common_buckets, read_batches, read_table,
};
pub use schema::{bucket_of, sealed_schema};
pub use sekisho_profile::{
    AddressLevel, ColumnSpec, Draw, DummySpec, Information, Item, Items, Kind, MAX_CODE_BYTES,
    OWN_DATABASE, Precision, Profile, ProfileError, ProfileErrors, ROW_NUMBER, Removed, Rule,
    TableSpec, Text, Undeclared, date_days, is_name, source_schema, year_month,
};
pub use writer::{DEFAULT_BUCKETS, KeptTable, SealOptions, Sealed, SealedWriter, Unpublished};

#[cfg(test)]
mod tests;
