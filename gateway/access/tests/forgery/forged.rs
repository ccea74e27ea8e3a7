//! A permit has no public constructor and no public field.
use sekisho_access::{Permit, action::ReadLog, resource::Site};

fn main() {
    let _permit: Permit<ReadLog> = Permit { resource: Site };
}
