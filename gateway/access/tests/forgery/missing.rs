//! What was read cannot be shown without a permit.
use sekisho_access::{Guarded, Visible};

fn show(_: Visible<String>) {}

fn main() {
    show(Guarded::new("row".to_owned()));
}
