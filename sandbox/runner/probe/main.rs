//! A runner that misbehaves as told by its first argument. Built for tests only.

fn main() -> std::process::ExitCode {
    let how = std::env::args().nth(1).unwrap_or_default();
    sekisho_runner::probe::misbehave(&how)
}
