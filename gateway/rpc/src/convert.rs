//! Between messages and domain types. Whatever comes in is parsed at once: every id,
//! every enumeration, every size, every time; whatever goes out was made [`Visible`].
//!
//! [`Visible`]: sekisho_access::Visible

mod agreement;
mod bring_in;
mod dataset;
mod field;
mod invalid;
mod keys;
mod module;
mod people;
mod reidentification;
mod review;
mod run;
mod show;
mod time;

pub(crate) use agreement::new_agreement;
pub(crate) use dataset::dataset;
pub(crate) use field::{
    bounded, comment, document, hash, id, list, name, one_line, optional_id, optional_line, page,
    required,
};
pub use invalid::Invalid;
pub(crate) use invalid::invalid;
pub(crate) use people::{biometric_level, new_person, organisation_kind};
pub(crate) use reidentification::new_reidentification;
pub(crate) use review::verdict;
pub(crate) use run::{failure_class, held_state, parameters, request_key, usage};
pub(crate) use show::{Shown, show, show_all, show_page};
pub(crate) use time::optional_timestamp;
