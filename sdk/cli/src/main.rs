//! The `sekisho` command. Start reading in `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sekisho_cli::main()
}
