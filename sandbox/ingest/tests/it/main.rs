//! `sekisho-ingest` as stewards run it, in folders of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod clinic;
mod command_line;
mod crashes;
mod deletions;
mod dicom;
mod dicom_file;
mod intake;
mod linkage;
mod parquet;
mod reidentify;
mod resume;
mod roots;
mod site;
mod sources;
