//! The worker's command line: `sekisho-worker --config FILE` works, `init --dir D` prepares,
//! `key list` and `key rotate` look after the vault's root keys.
//!
//! Exit codes: 0 stopped as told; 1 the host or the site is not fit, reasons on standard
//! error; 2 wrong arguments.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use sekisho_vault::{Pkcs11Place, forbid_dumps};
use sekisho_worker::{Config, RootKeys, Site, init, serve};
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
    /// Make a worker's folder: key vault, receiving key, client key, certificate request,
    /// configuration.
    Init(InitArgs),
    /// Look after the root keys of the worker's vault.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Args)]
struct InitArgs {
    /// The folder to make.
    #[arg(long)]
    dir: PathBuf,
    /// Where the gateway listens.
    #[arg(long, default_value = "https://localhost:8443")]
    gateway: String,
    /// Keep root keys in a token, such as an HSM: its PKCS#11 library.
    #[arg(long, value_name = "LIBRARY", requires_all = ["token", "pin_file"])]
    pkcs11: Option<PathBuf>,
    /// The token's label.
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    token: Option<String>,
    /// File with the PIN of the token's user (0600).
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pin_file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Show generations, their age and uses.
    List(KeyArgs),
    /// Make a new generation and seal the receiving key under it. Data sets stay as they
    /// are; a running worker goes on.
    Rotate(KeyArgs),
}

#[derive(Args)]
struct KeyArgs {
    /// The worker's configuration.
    #[arg(long, default_value = "worker/config.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = forbid_dumps().map_err(Into::into).and_then(|()| match arguments.command {
        Some(Command::Init(args)) => make(&args),
        Some(Command::Key(command)) => keys(&command),
        None => work(&arguments.config),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last words; there is nowhere left to tell of their failure.
            let _ = writeln!(std::io::stderr(), "sekisho-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make(args: &InitArgs) -> anyhow::Result<()> {
    let dir = std::path::absolute(&args.dir)?;
    let token = match (&args.pkcs11, &args.token, &args.pin_file) {
        (Some(library), Some(token), Some(pin)) => Some(Pkcs11Place {
            library: library.clone(),
            token: token.clone(),
            pin: std::path::absolute(pin)?,
            records: dir.join("vault"),
        }),
        _ => None,
    };
    let made = init(&dir, &args.gateway, token.as_ref())
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let mut out = std::io::stdout();
    writeln!(out, "certificate request: {}", made.request.display())?;
    writeln!(out, "receiving key for ingest: {}", made.receiver.display())?;
    Ok(())
}

fn keys(command: &KeyCommand) -> anyhow::Result<()> {
    let (KeyCommand::List(args) | KeyCommand::Rotate(args)) = command;
    let config = Config::load(&args.config)?;
    let keys = match command {
        KeyCommand::List(_) => RootKeys::list(&config),
        KeyCommand::Rotate(_) => RootKeys::rotate(&config),
    };
    let keys = keys.map_err(|error| {
        let code = error.code();
        anyhow::Error::new(error).context(code)
    })?;
    Ok(write!(std::io::stdout(), "{keys}")?)
}

fn work(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let due = RootKeys::list(&config).ok().and_then(|keys| keys.due());
    let site = Site::open(config)?;
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
    if let Some(why) = due {
        tracing::warn!(%why, "a new root key is due: run `sekisho-worker key rotate`");
    }
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
