//! `sekisho-ingest`: the command line of the identified zone.
//!
//! Exit codes: 0 done, 1 refused or failed (nothing was published), 2 wrong usage.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use sekisho_dataset::{Profile, SealOptions, SealedVersion};
use sekisho_ingest::{
    IdentifiedZone, Ingest, IngestError, Progress, Silent, Summary, check_apart, write_catalogue,
};
use sekisho_vault::{FileVault, VerifyingIdentity};
use serde::Serialize;
use serde_json::{Value, json};

/// Seals source tables as pseudonymised, encrypted data set versions.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    /// Print one JSON object instead of text, errors included.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the identified zone's secrets and the key vault, keeping what exists.
    Init(Folders),
    /// Seal one CSV file for each table of a profile.
    Csv(CsvArgs),
    /// Make and seal a synthetic health record.
    GenerateEhr(EhrArgs),
    /// Check every file of a version and write its catalogue entry again.
    Verify(VerifyArgs),
}

#[derive(Args)]
struct Folders {
    /// Folder of the identified zone.
    #[arg(long)]
    zone: PathBuf,
    /// Key vault of the pseudonymised zone.
    #[arg(long)]
    vault: PathBuf,
}

#[derive(Args)]
struct Target {
    #[command(flatten)]
    folders: Folders,
    /// Root folder of the data sets.
    #[arg(long)]
    out: PathBuf,
    /// Name of the version, `v` and a number; the next free one if not given.
    #[arg(long = "dataset-version", value_name = "VERSION")]
    version: Option<String>,
    /// Number of buckets, a power of two; the same for the whole site.
    #[arg(long, default_value_t = sekisho_dataset::DEFAULT_BUCKETS)]
    buckets: u32,
}

#[derive(Args)]
struct CsvArgs {
    #[command(flatten)]
    target: Target,
    /// Profile of the data set (TOML).
    #[arg(long)]
    profile: PathBuf,
    /// A table and its file; once for each table of the profile.
    #[arg(long = "table", value_name = "TABLE=FILE", value_parser = table_file, required = true)]
    tables: Vec<(String, PathBuf)>,
}

#[derive(Args)]
struct EhrArgs {
    #[command(flatten)]
    target: Target,
    /// Number of patients.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    patients: u32,
    /// Seed: the same seed gives the same records.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct VerifyArgs {
    /// Folder of the version.
    #[arg(long)]
    folder: PathBuf,
    /// PEM file with the ingest identity's public key.
    #[arg(long)]
    signer: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Init(folders) => init(folders),
        Command::Csv(args) => csv(args, cli.json),
        Command::GenerateEhr(args) => generate_ehr(args, cli.json),
        Command::Verify(args) => verify(args),
    };
    match done {
        Ok(done) => {
            let text = if cli.json { json_text(&done.json) } else { done.text };
            // A reader that hung up is no failure of what was done.
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let text = if cli.json { json_text(&error_json(&error)) } else { error_text(&error) };
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

/// What a command tells, in both forms.
struct Done {
    text: String,
    json: Value,
}

fn init(folders: &Folders) -> Result<Done, IngestError> {
    check_apart(&[&folders.zone, &folders.vault])?;
    let zone = IdentifiedZone::init(&folders.zone)?;
    if !FileVault::exists(&folders.vault) {
        FileVault::create(&folders.vault)?;
    }
    FileVault::open(&folders.vault)?;
    let public = zone.verifying_file();
    let hex = zone.identity().verifying().to_hex();
    Ok(Done {
        text: format!("Ready. Workers verify manifests with {} ({hex})", public.display()),
        json: json!({ "verify_key_file": public, "verify_key_hex": hex }),
    })
}

fn csv(args: &CsvArgs, quiet: bool) -> Result<Done, IngestError> {
    let toml = fs::read_to_string(&args.profile).map_err(|source| IngestError::Io {
        path: args.profile.clone(),
        doing: "reading the profile",
        source,
    })?;
    let profile = Profile::parse(&toml)?;
    ingest(&args.target, quiet, |ingest, progress| ingest.csv(&profile, &args.tables, progress))
}

fn generate_ehr(args: &EhrArgs, quiet: bool) -> Result<Done, IngestError> {
    let make = |ingest: &Ingest<'_>, progress: &mut dyn Progress| {
        ingest.synthetic_ehr(args.patients, args.seed, progress)
    };
    ingest(&args.target, quiet, make)
}

fn ingest(
    target: &Target,
    quiet: bool,
    make: impl FnOnce(&Ingest<'_>, &mut dyn Progress) -> Result<Summary, IngestError>,
) -> Result<Done, IngestError> {
    let folders = &target.folders;
    check_apart(&[&folders.zone, &folders.vault, &target.out])?;
    let zone = IdentifiedZone::open(&folders.zone)?;
    let vault = FileVault::open(&folders.vault)?;
    let ingest = Ingest {
        zone: &zone,
        vault: &vault,
        out: &target.out,
        options: SealOptions { version: target.version.clone(), buckets: target.buckets },
        now: jiff::Timestamp::now(),
    };
    let summary = if quiet || !io::stderr().is_terminal() {
        make(&ingest, &mut Silent)?
    } else {
        make(&ingest, &mut Bar::default())?
    };
    Ok(Done { text: summary_text(&summary), json: to_json(&summary) })
}

fn verify(args: &VerifyArgs) -> Result<Done, IngestError> {
    let version = SealedVersion::open(&args.folder, &VerifyingIdentity::load(&args.signer)?)?;
    version.verify_files()?;
    let catalogue = write_catalogue(&args.folder, &version.catalogue_entry())?;
    let sha256 = version.manifest_sha256();
    Ok(Done {
        text: format!("Every file is as signed. Catalogue entry: {}", catalogue.display()),
        json: json!({ "intact": true, "catalogue": catalogue, "manifest_sha256": sha256 }),
    })
}

fn table_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((table, file)) if !table.is_empty() && !file.is_empty() => {
            Ok((table.to_owned(), Path::new(file).to_owned()))
        }
        _ => Err("wanted TABLE=FILE".to_owned()),
    }
}

/// A progress bar on a terminal.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl Progress for Bar {
    fn start(&mut self, what: &str, total: u64) {
        if let Some(bar) = self.0.take() {
            bar.finish();
        }
        let bar = ProgressBar::new(total).with_message(what.to_owned());
        let style = ProgressStyle::with_template("{msg:20} [{bar:40}] {percent:>3} %  {eta}");
        self.0 = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    }

    fn at(&mut self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish();
        }
    }
}

fn summary_text(summary: &Summary) -> String {
    let mut text =
        format!("Sealed {} {}: {} patients\n", summary.dataset, summary.version, summary.patients);
    for (table, rows) in &summary.rows {
        text.push_str(&format!("  {table:20} {rows:>10} rows\n"));
    }
    text.push_str(&format!("Folder: {}\n", summary.folder.display()));
    text.push_str(&format!("Catalogue entry: {}", summary.catalogue.display()));
    text
}

/// The error, its cause, and its stable code.
fn error_text(error: &IngestError) -> String {
    let mut text = format!("error [{}]: {error}", error.code());
    for cause in causes(error) {
        text.push_str(&format!("\n  because: {cause}"));
    }
    text
}

fn error_json(error: &IngestError) -> Value {
    let errors = match error {
        IngestError::Source { errors, .. } => to_json(errors),
        IngestError::Profile(errors) => errors
            .0
            .iter()
            .map(|error| {
                json!({
                    "code": error.code, "line": error.line,
                    "path": error.path, "reason": error.reason,
                })
            })
            .collect(),
        _ => Value::Array(Vec::new()),
    };
    let message = error.to_string();
    let causes = causes(error);
    json!({ "error": { "code": error.code(), "message": message, "because": causes, "errors": errors } })
}

fn causes(error: &IngestError) -> Vec<String> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
}

fn to_json(value: &impl Serialize) -> Value {
    // Our own structs with text keys always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

fn json_text(value: &Value) -> String {
    format!("{value:#}")
}
