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
    Encoding, Format, IdentifiedZone, Ingest, IngestError, Intake, IntakeLists, Progress, Silent,
    Summary, check_apart, verify_report, write_catalogue,
};
use sekisho_vault::{ReceivingPublic, VerifyingIdentity};
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
    /// Make the identified zone's secrets, keeping what exists.
    Init(Folders),
    /// Seal one CSV file for each table of a profile.
    Csv(FilesArgs),
    /// Seal one Parquet file for each table of a profile.
    Parquet(FilesArgs),
    /// Seal one NDJSON file of FHIR R4 resources for each table of a profile.
    Fhir(FilesArgs),
    /// Seal one file of receipts, whose record types are the tables of a profile.
    Receipt(ReceiptArgs),
    /// Make and seal a synthetic health record.
    GenerateEhr(EhrArgs),
    /// Check every file of a version and write its catalogue entry again.
    Verify(VerifyArgs),
    /// Check the signature of an intake report and show it.
    Report(ReportArgs),
    /// Show rejected rows; only where the zone's keys are.
    Rejects(RejectsArgs),
    /// Deletion requests, which take effect in the next version.
    #[command(subcommand)]
    Deletions(Register),
}

#[derive(Subcommand)]
enum Register {
    /// Record a request.
    Add(DeletionArgs),
    /// List the requests; ids are not kept.
    List {
        /// Folder of the identified zone.
        #[arg(long)]
        zone: PathBuf,
    },
}

#[derive(Args)]
struct DeletionArgs {
    /// Folder of the identified zone.
    #[arg(long)]
    zone: PathBuf,
    /// Id space of the data sets it is about; the id of the data set unless its profile says
    /// otherwise.
    #[arg(long)]
    id_space: String,
    /// A file with the person's id as the sources spell it, one part a line; never an
    /// argument, which other users of the machine could read.
    #[arg(long, value_name = "FILE")]
    id_file: PathBuf,
    /// Your reference, such as a case number.
    #[arg(long)]
    reference: String,
    /// The day it was received, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    received_on: jiff::civil::Date,
}

#[derive(Args)]
struct ReportArgs {
    /// The report, `<version>.intake.json`.
    file: PathBuf,
    /// PEM file with the ingest identity's public key.
    #[arg(long)]
    signer: PathBuf,
}

#[derive(Args)]
struct RejectsArgs {
    /// The sealed reject file.
    file: PathBuf,
    /// Folder of the identified zone.
    #[arg(long)]
    zone: PathBuf,
}

#[derive(Args)]
struct Folders {
    /// Folder of the identified zone.
    #[arg(long)]
    zone: PathBuf,
    /// Public receiving key of the pseudonymised zone (`receiving.pub` of the worker): whom
    /// data sets are sealed for.
    #[arg(long, value_name = "FILE")]
    receiver: PathBuf,
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
struct FilesArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// A table and its file; once for each table of the profile.
    #[arg(long = "table", value_name = "TABLE=FILE", value_parser = table_file, required = true)]
    tables: Vec<(String, PathBuf)>,
}

#[derive(Args)]
struct ReceiptArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The file.
    #[arg(long)]
    file: PathBuf,
}

#[derive(Args)]
struct SourceArgs {
    #[command(flatten)]
    target: Target,
    /// Profile of the data set (TOML).
    #[arg(long)]
    profile: PathBuf,
    /// How files and lists are encoded: utf-8 or cp932 (Shift_JIS). FHIR is always UTF-8.
    #[arg(long, default_value = "utf-8", value_parser = encoding)]
    encoding: Encoding,
    /// Persons given notice (本人通知): CSV with the id and `date`. Whoever is not on it stays out.
    #[arg(long, value_name = "FILE")]
    notices: Option<PathBuf>,
    /// Days that must have passed since the notice.
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    notice_days: u32,
    /// Persons who opted out (オプトアウト): CSV with the id.
    #[arg(long, value_name = "FILE")]
    optouts: Option<PathBuf>,
    /// Share of a table's rows, 0 to 1, that may be wrong. Above 0 they go to a sealed reject
    /// file; at 0 the first wrong rows are shown and nothing is published.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    max_rejected: f64,
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
        Command::Csv(args) => files(Format::Csv, args, cli.json),
        Command::Parquet(args) => files(Format::Parquet, args, cli.json),
        Command::Fhir(args) => files(Format::Fhir, args, cli.json),
        Command::Receipt(args) => receipt(args, cli.json),
        Command::GenerateEhr(args) => generate_ehr(args, cli.json),
        Command::Verify(args) => verify(args),
        Command::Report(args) => report(args),
        Command::Rejects(args) => rejects(args),
        Command::Deletions(Register::Add(args)) => add_deletion(args),
        Command::Deletions(Register::List { zone }) => list_deletions(zone),
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
    ReceivingPublic::load(&folders.receiver)?;
    let zone = IdentifiedZone::init(&folders.zone)?;
    let public = zone.verifying_file();
    let hex = zone.identity().verifying().to_hex();
    Ok(Done {
        text: format!("Ready. Workers verify manifests with {} ({hex})", public.display()),
        json: json!({ "verify_key_file": public, "verify_key_hex": hex }),
    })
}

fn files(format: Format, args: &FilesArgs, quiet: bool) -> Result<Done, IngestError> {
    source(format, &args.source, &profile(&args.source)?, &args.tables, quiet)
}

fn receipt(args: &ReceiptArgs, quiet: bool) -> Result<Done, IngestError> {
    let profile = profile(&args.source)?;
    let tables = profile.tables.iter().map(|table| (table.name.clone(), args.file.clone()));
    source(Format::Receipt, &args.source, &profile, &tables.collect::<Vec<_>>(), quiet)
}

fn profile(args: &SourceArgs) -> Result<Profile, IngestError> {
    let toml = fs::read_to_string(&args.profile).map_err(|source| IngestError::Io {
        path: args.profile.clone(),
        doing: "reading the profile",
        source,
    })?;
    Ok(Profile::parse(&toml)?)
}

fn source(
    format: Format,
    args: &SourceArgs,
    profile: &Profile,
    tables: &[(String, PathBuf)],
    quiet: bool,
) -> Result<Done, IngestError> {
    let intake = Intake {
        encoding: args.encoding,
        lists: IntakeLists {
            notices: args.notices.clone(),
            notice_days: args.notice_days,
            optouts: args.optouts.clone(),
            encoding: args.encoding,
        },
        max_rejected: args.max_rejected,
    };
    ingest(&args.target, quiet, |ingest, progress| {
        ingest.source(format, profile, tables, &intake, progress)
    })
}

fn report(args: &ReportArgs) -> Result<Done, IngestError> {
    let report = verify_report(&args.file, &VerifyingIdentity::load(&args.signer)?)?;
    let mut text = format!(
        "Signed by the identified zone. {} {}: {} person(s) stayed out, {} of them found sealed",
        report.dataset, report.version, report.excluded_persons, report.survivors
    );
    for table in &report.tables {
        text.push_str(&format!("\n  {:20} {}", table.table, totals_text(&table.totals)));
    }
    for request in &report.deletions {
        let (reference, rows) = (&request.reference, request.rows);
        text.push_str(&format!("\n  deletion {reference}: {rows} row(s) kept out"));
    }
    Ok(Done { text, json: to_json(&report) })
}

fn rejects(args: &RejectsArgs) -> Result<Done, IngestError> {
    let rows = IdentifiedZone::open(&args.zone)?.rejected(&args.file)?;
    let mut text = format!("{} rejected row(s)", rows.len());
    for row in &rows {
        for (code, column, reason) in &row.errors {
            text.push_str(&format!(
                "\n  {} line {} column {column}: {reason} [{code}]",
                row.table, row.line
            ));
        }
        text.push_str(&format!("\n    {}", row.fields.join(",")));
    }
    Ok(Done { text, json: to_json(&rows) })
}

fn add_deletion(args: &DeletionArgs) -> Result<Done, IngestError> {
    let zone = IdentifiedZone::open(&args.zone)?;
    let content = sekisho_vault::read_private_file(&args.id_file)?;
    let id = String::from_utf8_lossy(&content);
    let parts: Vec<&str> = id.lines().filter(|line| !line.trim().is_empty()).collect();
    zone.record_deletion(&args.id_space, &parts, &args.reference, args.received_on)?;
    let text = format!("Recorded {}. It takes effect in the next version.", args.reference);
    Ok(Done { text, json: json!({ "recorded": args.reference }) })
}

fn list_deletions(zone: &Path) -> Result<Done, IngestError> {
    let register = IdentifiedZone::open(zone)?.deletions()?;
    let mut text = format!("{} deletion request(s)", register.requests().len());
    for request in register.requests() {
        let (on, space) = (&request.received_on, &request.id_space);
        text.push_str(&format!("\n  {on}  {:20} {space}", request.reference));
    }
    let listed = register.requests().iter().map(|request| {
        let (on, space) = (&request.received_on, &request.id_space);
        json!({ "reference": request.reference, "received_on": on, "id_space": space })
    });
    Ok(Done { text, json: listed.collect() })
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
    check_apart(&[&folders.zone, &target.out])?;
    let zone = IdentifiedZone::open(&folders.zone)?;
    let receiver = ReceivingPublic::load(&folders.receiver)?;
    let ingest = Ingest {
        zone: &zone,
        receiver: &receiver,
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

fn encoding(text: &str) -> Result<Encoding, String> {
    match text {
        "utf-8" => Ok(Encoding::Utf8),
        "cp932" | "shift_jis" => Ok(Encoding::Cp932),
        _ => Err("wanted utf-8 or cp932".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "wanted a share from 0 to 1".to_owned())
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
    for (table, totals) in &summary.totals {
        // A source that was taken whole needs no account.
        if totals.sealed != totals.read {
            text.push_str(&format!("  {table:20} {}\n", totals_text(totals)));
        }
    }
    for (what, path) in [("Intake report", &summary.report), ("Rejected rows", &summary.rejects)] {
        if let Some(path) = path {
            text.push_str(&format!("{what}: {}\n", path.display()));
        }
    }
    text.push_str(&format!("Folder: {}\n", summary.folder.display()));
    text.push_str(&format!("Catalogue entry: {}", summary.catalogue.display()));
    text
}

fn totals_text(totals: &sekisho_ingest::Totals) -> String {
    format!(
        "{} read = {} sealed + {} opted out + {} not notified + {} deleted + {} rejected + {} removed by rule",
        totals.read,
        totals.sealed,
        totals.opted_out,
        totals.not_notified,
        totals.deleted,
        totals.rejected,
        totals.removed_by_rule
    )
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
