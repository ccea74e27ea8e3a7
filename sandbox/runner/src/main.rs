//! The runner as a program of its own: one run, over standard input and output.

fn main() -> std::process::ExitCode {
    sekisho_runner::runner_main()
}
