//! The public half is given where a vault is needed.

use std::path::Path;
use std::sync::Arc;

use sekisho_vault::{ReceivingKey, ReceivingPublic};

fn open(public: ReceivingPublic) {
    let _ = ReceivingKey::open(Path::new("receiving.key.sealed"), Arc::new(public));
}

fn main() {}
