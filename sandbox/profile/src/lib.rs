//! What a data set is made of, and dummy data made from that alone (CT-1).
//!
//! Start at [`Profile`]; [`dummy::generate`] draws rows from it.
//!
//! Invariants
//! - A profile is public and holds no value taken from data.
//! - Nothing here opens a file, a connection or a sealed data set: a profile is parsed from a
//!   text that the caller has, and dummy rows come from a profile, a number and a seed. The
//!   generator could not read a real row if it were asked to.
//!
//! Must never depend on: any other crate of ours, Parquet, or whatever opens files.

pub mod dummy;

mod profile;
mod schema;

pub use profile::{
    AddressLevel, ColumnSpec, Draw, DummySpec, Information, Item, Items, Kind, MAX_CODE_BYTES,
    OWN_DATABASE, Precision, Profile, ProfileError, ProfileErrors, ROW_NUMBER, Removed, Rule,
    TableSpec, Text, Undeclared, date_days, is_name, year_month,
};
pub use schema::source_schema;
