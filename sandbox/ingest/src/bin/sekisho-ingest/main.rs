//! `sekisho-ingest`: the command line of the identified zone.
//!
//! Exit codes: 0 done, 1 refused or failed (nothing was published), 2 wrong usage.

mod args;
mod commands;
mod show;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;
use sekisho_ingest::Format;

use args::{Cli, Command, Register};
use commands::Call;

/// No memory is locked: what a host swaps out rests on its disk (CR-1).
const SWAP_IS_ON: &str = "swap is on: identified rows and keys in memory may reach its disk";

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = sekisho_vault::forbid_dumps() {
        let _ = writeln!(io::stderr(), "core files cannot be forbidden: {error}");
        return ExitCode::FAILURE;
    }
    let warning = (!sekisho_jail::swap_is_off()).then_some(SWAP_IS_ON);
    if let Some(warning) = warning.filter(|_| !cli.json) {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let call = Call { now: Timestamp::now(), quiet: cli.json };
    let done = match &cli.command {
        Command::Init(folders) => commands::init(folders, call),
        Command::Csv(args) => commands::files(Format::Csv, args, call),
        Command::Parquet(args) => commands::files(Format::Parquet, args, call),
        Command::Fhir(args) => commands::files(Format::Fhir, args, call),
        Command::Dicom(args) => commands::files(Format::Dicom, args, call),
        Command::Receipt(args) => commands::receipt(args, call),
        Command::GenerateEhr(args) => commands::generate_ehr(args, call),
        Command::Verify(args) => commands::verify(args),
        Command::Report(args) => commands::report(args),
        Command::Rejects(args) => commands::rejects(args, call),
        Command::Reidentify(args) => commands::reidentify(args, call),
        Command::Reidentified(args) => commands::reidentified(args, call),
        Command::Deletions(Register::Init { zone }) => commands::init_deletions(zone, call),
        Command::Deletions(Register::Add(args)) => commands::add_deletion(args, call),
        Command::Deletions(Register::List { zone }) => commands::list_deletions(zone, call),
    };
    match done {
        Ok(done) => {
            let text = if cli.json { show::json_text(done.json, warning) } else { done.text };
            // A reader that hung up is no failure of what was done.
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let text = if cli.json {
                show::json_text(show::error_json(&error), warning)
            } else {
                show::error_text(&error)
            };
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}
