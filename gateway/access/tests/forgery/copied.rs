//! A permit is for one effect.
use sekisho_access::{Permit, action::ReadLog};

fn twice(permit: Permit<ReadLog>) -> (Permit<ReadLog>, Permit<ReadLog>) {
    (permit.clone(), permit)
}

fn main() {}
