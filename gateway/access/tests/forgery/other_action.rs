//! A permit to read is none to cancel.
use sekisho_access::{Permit, action::{CancelRun, ReadRun}};

fn cancel(_: Permit<CancelRun>) {}

fn with_permit_to_read(permit: Permit<ReadRun>) {
    cancel(permit);
}

fn main() {}
