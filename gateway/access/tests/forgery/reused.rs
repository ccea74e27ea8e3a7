//! An effect takes its permit away.
use sekisho_access::{Permit, action::CancelRun};

fn effect(_: Permit<CancelRun>) {}

fn twice(permit: Permit<CancelRun>) {
    effect(permit);
    effect(permit);
}

fn main() {}
