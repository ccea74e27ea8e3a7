//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use sekisho_ingest::{Encoding, Format};

/// Seals source tables as pseudonymised, encrypted data set versions.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Print one JSON object instead of text, errors included.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the identified zone's secrets, keeping what exists.
    Init(Folders),
    /// Seal one CSV file for each table of a profile.
    Csv(FilesArgs),
    /// Seal one Parquet file for each table of a profile.
    Parquet(FilesArgs),
    /// Seal one NDJSON file of FHIR R4 resources for each table of a profile.
    Fhir(FilesArgs),
    /// Seal the headers of one folder of DICOM files for each table of a profile.
    Dicom(FilesArgs),
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
    /// Find the persons of a signed order for a regulator's inquiry.
    Reidentify(ReidentifyArgs),
    /// Show the persons an answered inquiry left sealed; only where the zone's keys are.
    Reidentified(RejectsArgs),
    /// Deletion requests, which take effect in the next version.
    #[command(subcommand)]
    Deletions(Register),
}

#[derive(Subcommand)]
pub(crate) enum Register {
    /// Make an empty register in a zone that never had one; `init` makes that of a new zone.
    Init {
        /// Folder of the identified zone.
        #[arg(long)]
        zone: PathBuf,
    },
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
pub(crate) struct DeletionArgs {
    /// Folder of the identified zone.
    #[arg(long)]
    pub(crate) zone: PathBuf,
    /// Id space of the data sets it is about; the id of the data set unless its profile says
    /// otherwise. One that a source was taken in under.
    #[arg(long, required_unless_present = "profile")]
    pub(crate) id_space: Option<String>,
    /// Profile of a data set it is about (TOML), instead of its id space.
    #[arg(long, value_name = "FILE", conflicts_with = "id_space")]
    pub(crate) profile: Option<PathBuf>,
    /// Nothing was taken in under this id space yet.
    #[arg(long)]
    pub(crate) new_id_space: bool,
    /// A file with the person's id as the sources spell it, one part a line; never an
    /// argument, which other users of the machine could read.
    #[arg(long, value_name = "FILE")]
    pub(crate) id_file: PathBuf,
    /// How that file is encoded: utf-8 or cp932 (Shift_JIS).
    #[arg(long, default_value = "utf-8", value_parser = encoding)]
    pub(crate) encoding: Encoding,
    /// Your reference, such as a case number.
    #[arg(long)]
    pub(crate) reference: String,
    /// The day it was received, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    pub(crate) received_on: jiff::civil::Date,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The report, `<version>.intake.json`.
    pub(crate) file: PathBuf,
    /// PEM file with the ingest identity's public key.
    #[arg(long)]
    pub(crate) signer: PathBuf,
}

#[derive(Args)]
pub(crate) struct RejectsArgs {
    /// The sealed file.
    pub(crate) file: PathBuf,
    /// Folder of the identified zone.
    #[arg(long)]
    pub(crate) zone: PathBuf,
}

#[derive(Args)]
pub(crate) struct ReidentifyArgs {
    /// Folder of the identified zone.
    #[arg(long)]
    pub(crate) zone: PathBuf,
    /// The order, as `sekisho reidentification fetch` wrote it.
    #[arg(long, value_name = "FILE")]
    pub(crate) order: PathBuf,
    /// Public key (hexadecimal) that the gateway signs with: `ticket-verify.pub` of a worker.
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway_key: PathBuf,
    /// Profile of the data set (TOML).
    #[arg(long)]
    pub(crate) profile: PathBuf,
    /// What the source is: csv, parquet, receipt, fhir or dicom.
    #[arg(long, default_value = "csv", value_parser = format)]
    pub(crate) format: Format,
    /// A table and its file (of DICOM: its folder); once for each table of the profile.
    #[arg(long = "table", value_name = "TABLE=FILE", value_parser = table_file, required_unless_present = "file")]
    pub(crate) tables: Vec<(String, PathBuf)>,
    /// The one file of all tables, as receipts have.
    #[arg(long, conflicts_with = "tables")]
    pub(crate) file: Option<PathBuf>,
    /// How files and lists are encoded: utf-8 or cp932 (Shift_JIS).
    #[arg(long, default_value = "utf-8", value_parser = encoding)]
    pub(crate) encoding: Encoding,
    /// Persons who opted out since (オプトアウト): CSV with the id. They are not disclosed.
    #[arg(long, value_name = "FILE", required_unless_present = "no_optouts")]
    pub(crate) optouts: Option<PathBuf>,
    /// Nobody has opted out since.
    #[arg(long, conflicts_with = "optouts")]
    pub(crate) no_optouts: bool,
    /// Show the ids here instead of sealing them into a file of the zone.
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Args)]
pub(crate) struct Folders {
    /// Folder of the identified zone.
    #[arg(long)]
    pub(crate) zone: PathBuf,
    /// Public receiving key of the pseudonymised zone (`receiving.pub` of the worker): whom
    /// data sets are sealed for.
    #[arg(long, value_name = "FILE")]
    pub(crate) receiver: PathBuf,
}

#[derive(Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) folders: Folders,
    /// Root folder of the data sets.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Name of the version, `v` and a number; the next free one if not given.
    #[arg(long = "dataset-version", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Number of buckets, a power of two; the same for the whole site.
    #[arg(long, default_value_t = sekisho_dataset::DEFAULT_BUCKETS)]
    pub(crate) buckets: u32,
}

#[derive(Args)]
pub(crate) struct FilesArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// A table and its file (of DICOM: its folder); once for each table of the profile.
    #[arg(long = "table", value_name = "TABLE=FILE", value_parser = table_file, required = true)]
    pub(crate) tables: Vec<(String, PathBuf)>,
}

#[derive(Args)]
pub(crate) struct ReceiptArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The file.
    #[arg(long)]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Profile of the data set (TOML).
    #[arg(long)]
    pub(crate) profile: PathBuf,
    /// How files and lists are encoded: utf-8 or cp932 (Shift_JIS). FHIR is always UTF-8; a DICOM
    /// file says its own.
    #[arg(long, default_value = "utf-8", value_parser = encoding)]
    pub(crate) encoding: Encoding,
    /// Persons given notice (本人通知): CSV with the id and `date`. Whoever is not on it stays
    /// out. This or `--no-notices` must be said.
    #[arg(long, value_name = "FILE")]
    pub(crate) notices: Option<PathBuf>,
    /// There are no notices, as for a public table: everybody counts as told.
    #[arg(long, conflicts_with = "notices")]
    pub(crate) no_notices: bool,
    /// Days that must have passed since the notice.
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    pub(crate) notice_days: u32,
    /// Persons who opted out (オプトアウト): CSV with the id. This or `--no-optouts` must be said.
    #[arg(long, value_name = "FILE")]
    pub(crate) optouts: Option<PathBuf>,
    /// Nobody could opt out, or nobody has.
    #[arg(long, conflicts_with = "optouts")]
    pub(crate) no_optouts: bool,
    /// Share of a table's rows, 0 to 1, that may be wrong. Above 0 they go to a sealed reject
    /// file; at 0 the first wrong rows are shown and nothing is published.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    pub(crate) max_rejected: f64,
    /// Go on after the last table that a killed ingest of the same had finished. Without it
    /// an ingest starts anew.
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(Args)]
pub(crate) struct EhrArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Number of patients.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) patients: u32,
    /// Seed: the same seed gives the same records.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Folder of the version.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// PEM file with the ingest identity's public key.
    #[arg(long)]
    pub(crate) signer: PathBuf,
}

fn table_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((table, file)) if !table.is_empty() && !file.is_empty() => {
            Ok((table.to_owned(), Path::new(file).to_owned()))
        }
        _ => Err("wanted TABLE=FILE".to_owned()),
    }
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "csv" => Ok(Format::Csv),
        "parquet" => Ok(Format::Parquet),
        "receipt" => Ok(Format::Receipt),
        "fhir" => Ok(Format::Fhir),
        "dicom" => Ok(Format::Dicom),
        _ => Err("wanted csv, parquet, receipt, fhir or dicom".to_owned()),
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
