//! One file per noun: its arguments, its calls, its tables.

pub(crate) mod agreement_file;
pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod bring_in;
pub(crate) mod catalog;
pub(crate) mod closing;
pub(crate) mod dataset_file;
pub(crate) mod key;
pub(crate) mod linkage;
pub(crate) mod login;
pub(crate) mod module;
pub(crate) mod output;
pub(crate) mod person;
pub(crate) mod project;
pub(crate) mod reidentification;
pub(crate) mod release;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod steward;
pub(crate) mod trial;
pub(crate) mod whoami;
