//! `make demo`: the whole story, from a steward who seals data to a researcher who holds
//! released results, played with the real programs on this machine.
//!
//! Start at [`story`]: one file per act of it, ten steps in all. Every claim that is
//! printed was compared first; the first one that does not hold ends the demo with a
//! failure.

mod stage;
mod story;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use stage::Stage;
use story::Story;

/// Plays the whole story on this machine and checks what it claims.
#[derive(Debug, Parser)]
#[command(name = "sekisho-demo", version)]
struct Arguments {
    /// Make the site here and leave it behind; a temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Patients of the synthetic health record
    #[arg(long, default_value_t = 20_000)]
    patients: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut stage = Stage::new();
    match play(&arguments, &mut stage) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stage.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments, stage: &mut Stage) -> anyhow::Result<()> {
    let mut story = Story::open(stage, arguments.keep.as_deref())?;
    story.seal_data(arguments.patients)?;
    story.agree()?;
    story.enrol()?;
    story.develop()?;
    story.submit()?;
    story.run()?;
    story.review()?;
    story.release()?;
    story.refuse()?;
    story.verify_log()?;
    story.close()
}
