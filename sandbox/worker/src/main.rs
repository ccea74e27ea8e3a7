//! The worker's command line: `sekisho-worker --config FILE` works, `init --dir D` prepares.
//!
//! Exit codes: 0 stopped as told; 1 the host or the site is not fit, reasons on standard
//! error; 2 wrong arguments.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sekisho_worker::{Config, Site, init, serve};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Leases runs from the gateway and executes each in a jailed process.
#[derive(Parser)]
#[command(name = "sekisho-worker", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The worker's configuration.
    #[arg(long, default_value = "worker/config.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make a worker's folder: key vault, client key, certificate request, configuration.
    Init {
        /// The folder to make.
        #[arg(long)]
        dir: PathBuf,
        /// Where the gateway listens.
        #[arg(long, default_value = "https://localhost:8443")]
        gateway: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Init { dir, gateway }) => make(&dir, &gateway),
        None => forbid_dumps().and_then(|()| work(&arguments.config)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last words; there is nowhere left to tell of their failure.
            let _ = writeln!(std::io::stderr(), "sekisho-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Keys are in memory; a core file would carry them to disk (CR-1).
fn forbid_dumps() -> anyhow::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn make(dir: &std::path::Path, gateway: &str) -> anyhow::Result<()> {
    let request = init(dir, gateway).with_context(|| format!("cannot make {}", dir.display()))?;
    writeln!(std::io::stdout(), "certificate request: {}", request.display())?;
    Ok(())
}

fn work(config: &std::path::Path) -> anyhow::Result<()> {
    let site = Site::open(Config::load(config)?)?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let jail = site
        .check_host()
        .map_err(|reason| anyhow::anyhow!("this host cannot confine runs: {reason}"))?;
    tracing::info!(jail, "worker starts");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stopping = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let told = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.cancel();
        });
        serve(site, stopping).await.map_err(anyhow::Error::from)
    })
}
