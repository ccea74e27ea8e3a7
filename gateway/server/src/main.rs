//! The command `sekisho-gateway`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sekisho_server::{config::Config, init, serve, telemetry};

/// The gateway of a Sekisho site.
#[derive(Parser)]
#[command(name = "sekisho-gateway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lays out a new site and invites its first steward.
    Init(Box<init::Plan>),
    /// Serves a site until told to stop.
    Serve {
        /// The site's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Reports everything that is wrong with a configuration.
    CheckConfig {
        /// The site's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    match forbid_dumps().and_then(|()| run(Arguments::parse().command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sekisho-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Keys and outputs are in memory; a core file would carry them to disk (CR-1).
fn forbid_dumps() -> anyhow::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Init(plan) => print_line(&init::init(*plan).await?),
            Command::CheckConfig { config } => {
                Config::load(&config)?;
                print_line(&serde_json::json!({ "config": config, "valid": true }))
            }
            Command::Serve { config } => {
                let config = Config::load(&config)?;
                let telemetry = telemetry::install(&config.telemetry)?;
                let stop = serve::asked_to_stop()?;
                let ready = |address: SocketAddr| {
                    print_line(&serde_json::json!({ "listening": address.to_string() }))
                };
                let served = serve::serve(config, ready, stop).await;
                telemetry.flush();
                served
            }
        }
    })
}

/// One line for whatever program started this one.
fn print_line(value: &serde_json::Value) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
