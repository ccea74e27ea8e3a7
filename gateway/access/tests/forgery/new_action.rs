//! Actions are a closed list: what is not in the policy matrix cannot be permitted.
use sekisho_access::{Action, resource::Site};

enum DownloadEverything {}

impl Action for DownloadEverything {
    type Resource = Site;
    const NAME: &'static str = "ReadLog";
}

fn main() {}
