//! The command `sekisho-gateway`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sekisho_server::{config::Config, init, serve, telemetry};
use sekisho_vault::forbid_dumps;

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
    /// Makes the root key of a vault that a configuration names and that holds none yet.
    MakeVault {
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
    let arguments = Arguments::parse();
    match forbid_dumps().map_err(Into::into).and_then(|()| run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sekisho-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Init(plan) => print_line(&init::init(*plan).await?),
            Command::CheckConfig { config } => {
                Config::load(&config)?.app.deployment()?;
                print_line(&serde_json::json!({ "config": config, "valid": true }))
            }
            Command::MakeVault { config } => {
                let place = Config::load(&config)?.app.vault;
                place.create()?;
                print_line(&serde_json::json!({ "config": config, "vault": "made" }))
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
