//! Data at rest: ingest through the real program, sealing and scanning against plain Parquet,
//! and the key vaults.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use arrow::csv::WriterBuilder;
use sekisho_dataset::{Profile, source_schema};
use sekisho_vault::{
    Context, FileVault, Key, KeyVault, Pkcs11Place, Pkcs11Vault, ReceivingKey, VaultError,
};

use crate::Extent;
use crate::cohort::as_sealed;
use crate::native;
use crate::report::{Figure, Turns, note, seconds};
use crate::scale::{self, COLUMNS, Rows, TABLE};
use crate::sealed::Sealed;

/// Rows of one patient in the ingested files: few, and ten times as many.
const ROWS_EACH: [u64; 2] = [10, 100];
/// Patients of one batch written to the source.
const STEP: u64 = 1_000;

pub(crate) fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let mut figures = ingest(extent)?;
    figures.extend(at_rest(extent)?);
    figures.push(wide(extent)?);
    figures.extend(vaults()?);
    Ok(figures)
}

/// The program in its own process, over ten times the rows of the same patients, which memory
/// must not follow, and over ten times the patients, which it may.
fn ingest(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let [few_each, many_each] = ROWS_EACH;
    let patients = extent.ingest / many_each;
    let all = ingested(patients, many_each)?;
    let fewer_rows = ingested(patients, few_each)?;
    let fewer_patients = ingested(patients / 10, many_each)?;
    let shown = |took: &Ingested| {
        let (speed, rows) = (took.rows as f64 / took.seconds / 1e3, took.rows as f64 / 1e6);
        let patients = took.patients as f64 / 1e3;
        let peak = took.peak_mib;
        format!("{rows} M rows of {patients} k patients: {speed:.0} k rows/s, {peak} MiB")
    };
    let figure = |what: &str, few: &Ingested, wanted| Figure {
        what: format!("ingest of CSV, peak memory of ten times the {what}"),
        ours: shown(&all),
        against: shown(few),
        ratio: Some(all.peak_mib as f64 / few.peak_mib.max(1) as f64),
        wanted,
    };
    Ok(vec![
        figure("rows", &fewer_rows, "does not grow once 64 MiB of rows wait"),
        figure("patients", &fewer_patients, ""),
    ])
}

struct Ingested {
    patients: u64,
    rows: u64,
    seconds: f64,
    peak_mib: u64,
}

fn ingested(patients: u64, rows_each: u64) -> anyhow::Result<Ingested> {
    let rows = patients * rows_each;
    let site = tempfile::Builder::new().prefix("sekisho-figures-").tempdir()?;
    let at = |name: &str| site.path().join(name);
    fs::write(at("profile.toml"), scale::PROFILE)?;
    source(&at("visits.csv"), patients, rows_each)?;
    let vault = Arc::new(FileVault::create(&at("vault"))?);
    ReceivingKey::create(&at("receiving.key.sealed"), &at("receiving.pub"), vault)?;
    let folders = |command: &mut Command| {
        command.arg("--zone").arg(at("identified")).arg("--receiver").arg(at("receiving.pub"));
    };
    let mut init = ingest_command(&["init"])?;
    folders(&mut init);
    ensure!(init.status()?.success(), "init");
    let table = format!("{TABLE}={}", at("visits.csv").display());
    let mut seal = ingest_command(&["csv", "--table", &table, "--profile"])?;
    seal.arg(at("profile.toml")).arg("--out").arg(at("datasets"));
    seal.args(["--no-notices", "--no-optouts"]);
    folders(&mut seal);
    let (seconds, peak_mib) = seconds(|| peak(&mut seal))?;
    note(&format!("ingest of {rows} rows: {seconds:.2} s, {peak_mib} MiB at most"));
    Ok(Ingested { patients, rows, seconds, peak_mib })
}

fn ingest_command(words: &[&str]) -> anyhow::Result<Command> {
    // Benches lie beside the programs, one folder down.
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("the folder of programs")?;
    let mut command = Command::new(folder.join("sekisho-ingest"));
    command.arg("--json").args(words).stdout(Stdio::null());
    Ok(command)
}

fn source(file: &Path, patients: u64, rows_each: u64) -> anyhow::Result<()> {
    let profile = Profile::parse(scale::PROFILE)?;
    let schema = source_schema(profile.table(TABLE).context("the table")?);
    let mut writer = WriterBuilder::new().with_header(true).build(File::create(file)?);
    for start in (0..patients).step_by(STEP as usize) {
        let part = start..patients.min(start + STEP);
        writer.write(&scale::visits(schema.clone(), part, Rows::Exactly(rows_each))?)?;
    }
    Ok(())
}

/// Runs a program to its end; gives the most memory it was seen to have resident, in MiB.
fn peak(command: &mut Command) -> anyhow::Result<u64> {
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let said = fs::read_to_string(&status).unwrap_or_default();
        let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    };
    ensure!(ended.success(), "the program failed: {ended}");
    Ok(peak / 1024)
}

/// Sealed against the same rows, layout and compression without encryption.
fn at_rest(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let sealed = Sealed::make(extent.cohort, Rows::Varying)?;
    let (write, plain) = seconds(|| sealed.plain("plain.parquet", as_sealed()?))?;
    let all: Vec<&str> = std::iter::once("patient").chain(COLUMNS).collect();
    let timed = |columns: &[&str]| Ok(seconds(|| sealed.scan(columns))?.0);
    ensure!(sealed.scan(&all)? == native::scan(&plain, &all)?, "both sides read as many rows");
    let scan = Turns::take(
        "scan, all columns",
        extent.rounds,
        || timed(&all),
        || Ok(seconds(|| native::scan(&plain, &all))?.0),
    )?;
    let two = ["patient", "site"];
    let view = Turns::take("scan, 2 of 5 columns", extent.rounds, || timed(&two), || timed(&all))?;
    let millis = |seconds: f64| format!("{:.0} ms", seconds * 1e3);
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let plain_bytes = fs::metadata(&plain)?.len();
    let mut figures = vec![
        Figure {
            what: "open and scan sealed, against the same file unencrypted".to_owned(),
            ours: millis(scan.ours()),
            against: millis(scan.other()),
            ratio: Some(scan.ratio()),
            wanted: "at most 1.15",
        },
        Figure {
            what: "view of 2 of 5 columns, against all columns".to_owned(),
            ours: millis(view.ours()),
            against: millis(view.other()),
            ratio: Some(view.ratio()),
            wanted: "",
        },
        Figure {
            what: format!("size of {} rows sealed, against unencrypted", sealed.rows),
            ours: mib(sealed.bytes),
            against: mib(plain_bytes),
            ratio: Some(sealed.bytes as f64 / plain_bytes as f64),
            wanted: "",
        },
        Figure {
            what: "sorting, sealing and flushing them, against reading and writing plain"
                .to_owned(),
            ours: millis(sealed.seconds),
            against: millis(write),
            ratio: Some(sealed.seconds / write),
            wanted: "",
        },
    ];
    figures.extend(by_pyarrow(&sealed, &plain, extent.rounds)?);
    Ok(figures)
}

/// A view that needs few columns of a wide table: what the others cost it.
fn wide(extent: Extent) -> anyhow::Result<Figure> {
    let sealed = Sealed::wide(extent.cohort / 8)?;
    let columns = scale::wide_columns();
    let all: Vec<&str> =
        std::iter::once("patient").chain(columns.iter().map(String::as_str)).collect();
    let timed = |columns: &[&str]| Ok(seconds(|| sealed.scan(columns))?.0);
    let three = ["patient", "site_0", "weight_2"];
    let name = "scan, 3 of 20 columns";
    let view = Turns::take(name, extent.rounds, || timed(&three), || timed(&all))?;
    Ok(Figure {
        what: "view of 3 of 20 columns, against all columns".to_owned(),
        ours: format!("{:.0} ms", view.ours() * 1e3),
        against: format!("{:.0} ms", view.other() * 1e3),
        ratio: Some(view.ratio()),
        wanted: "",
    })
}

/// The same rows as pyarrow writes them with zstd and its other defaults. It
/// has them in memory, in their order.
fn by_pyarrow(sealed: &Sealed, plain: &Path, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/outside.py");
    let mut python = Command::new("sekisho-python");
    python.arg(SCRIPT).arg(plain).arg(plain.with_extension("outside")).arg(rounds.to_string());
    let Ok(wrote) = python.output() else {
        note("no pyarrow on this machine (`make test` brings it): its figures are left out");
        return Ok(vec![]);
    };
    ensure!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
    let wrote: serde_json::Value = serde_json::from_slice(&wrote.stdout)?;
    let took = wrote.get("seconds").and_then(serde_json::Value::as_f64).context("seconds")?;
    let bytes = wrote.get("bytes").and_then(serde_json::Value::as_u64).context("bytes")?;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    Ok(vec![
        Figure {
            what: format!("size of {} rows sealed, against zstd by pyarrow", sealed.rows),
            ours: mib(sealed.bytes),
            against: mib(bytes),
            ratio: Some(sealed.bytes as f64 / bytes as f64),
            wanted: "",
        },
        Figure {
            what: "sorting, sealing and flushing them, against writing by pyarrow".to_owned(),
            ours: format!("{:.0} ms", sealed.seconds * 1e3),
            against: format!("{:.0} ms", took * 1e3),
            ratio: Some(sealed.seconds / took),
            wanted: "",
        },
    ])
}

/// The vaults a site may keep: in files, and in a token where `make bench` could make one.
fn vaults() -> anyhow::Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let files = FileVault::create(&dir.path().join("vault"))?;
    let mut figures = vec![wrapping("file key vault", &files, 20_000)?];
    if let Some(folder) = std::env::var_os("SEKISHO_BENCH_TOKEN").map(PathBuf::from) {
        let token = Pkcs11Vault::create(&Pkcs11Place {
            library: "/usr/lib/softhsm/libsofthsm2.so".into(),
            token: "figures".to_owned(),
            pin: folder.join("pin"),
            records: folder.join("records"),
        })?;
        figures.push(wrapping("PKCS#11 key vault (SoftHSM)", &token, 5_000)?);
    } else {
        note("no SoftHSM on this machine: the figure of the PKCS#11 vault is left out");
    }
    Ok(figures)
}

fn wrapping(what: &str, vault: &dyn KeyVault, keys: u32) -> anyhow::Result<Figure> {
    let (key, context) = (Key::generate()?, Context::new("figures"));
    let wrapped = vault.wrap(&context, &key)?;
    let wrap = each(keys, || vault.wrap(&context, &key).map(drop))?;
    let unwrap = each(keys, || vault.unwrap(&context, &wrapped).map(drop))?;
    Ok(Figure {
        what: format!("{what}: wrapping, against unwrapping"),
        ours: format!("{:.1} k/s", 1e-3 / wrap),
        against: format!("{:.1} k/s", 1e-3 / unwrap),
        ratio: Some(wrap / unwrap),
        wanted: "",
    })
}

/// Seconds of one of so many operations.
fn each(times: u32, work: impl Fn() -> Result<(), VaultError>) -> anyhow::Result<f64> {
    let (seconds, ()) = seconds(|| Ok((0..times).try_for_each(|_| work())?))?;
    Ok(seconds / f64::from(times))
}
