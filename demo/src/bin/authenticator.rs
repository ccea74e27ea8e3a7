//! The demo's stand-in for a hardware authenticator: one ceremony from standard input to
//! standard output, as sdk/cli/README.md describes. `SEKISHO_DEMO_TOKEN` names the
//! device's file; `SEKISHO_DEMO_TOUCH_ONLY` makes it skip user verification.

use std::{
    env,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use sekisho_demo::authenticator::Token;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::var_os("SEKISHO_DEMO_TOKEN").ok_or("SEKISHO_DEMO_TOKEN names no file")?;
    let verify_user = env::var_os("SEKISHO_DEMO_TOUCH_ONLY").is_none();
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let answer = Token::at(&PathBuf::from(path)).answer(&input, verify_user)?;
    writeln!(io::stdout(), "{answer}")?;
    Ok(())
}
