use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho_dataset::{
    CatalogueEntry, FileCheck, ProcessingNote, Profile, Provenance, SealOptions, Sealed,
    SealedVersion, SealedWriter, SourceNote, read_table,
};
use sekisho_vault::ReceivingPublic;
use serde::Serialize;

use crate::intake::{Gate, IntakeLists};
use crate::source::{CsvRows, Encoding, FhirRows, ParquetRows, ReceiptRows, Rows};
use crate::table::{TableIntake, TableRead};
use crate::{
    DeletionNote, IdentifiedZone, IngestError, IntakeReport, ListNote, PatientTokens, TableTotals,
    Totals, ehr,
};

/// Who is told how far an ingest is.
pub trait Progress {
    /// A new step begins: what is done, and how much of it there is.
    fn start(&mut self, what: &str, total: u64);
    /// So much of the step is done.
    fn at(&mut self, done: u64);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&mut self, _: &str, _: u64) {}
    fn at(&mut self, _: u64) {}
}

/// What one ingest needs besides its source.
pub struct Ingest<'a> {
    /// The zone the source lies in.
    pub zone: &'a IdentifiedZone,
    /// Whom data sets are sealed for: the pseudonymised zone, which alone can open them.
    pub receiver: &'a ReceivingPublic,
    /// The root folder of the data sets.
    pub out: &'a Path,
    /// Name of the version and number of buckets.
    pub options: SealOptions,
    /// The time put into the manifest.
    pub now: Timestamp,
}

/// How a source is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One CSV file for each table (RFC 4180, one header line).
    Csv,
    /// One Parquet file of plain columns for each table.
    Parquet,
    /// One NDJSON file of FHIR R4 resources for each table.
    Fhir,
    /// One file of several record types for all tables, without a header line.
    Receipt,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Fhir => "fhir",
            Self::Receipt => "receipt",
        }
    }
}

/// How a source is taken in.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// How the files are encoded.
    pub encoding: Encoding,
    /// Lists that are joined before anything else (OP-1).
    pub lists: IntakeLists,
    /// Share of a table's rows, 0 to 1, that may be wrong; they go to the sealed reject file.
    /// At 0 the first wrong rows are reported instead, and nothing is published.
    pub max_rejected: f64,
}

/// A version made: what a steward needs to list it in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Id of the data set.
    pub dataset: String,
    /// Version, such as `v1`.
    pub version: String,
    /// SHA-256 of the signed manifest, in hexadecimal.
    pub manifest_sha256: String,
    /// Folder of the version.
    pub folder: PathBuf,
    /// File with the catalogue entry (JSON).
    pub catalogue: PathBuf,
    /// Distinct patients.
    pub patients: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Where the rows of each source went.
    pub totals: BTreeMap<String, Totals>,
    /// The signed intake report, when there was a source.
    pub report: Option<PathBuf>,
    /// The sealed reject file, when rows were rejected.
    pub rejects: Option<PathBuf>,
}

/// What became of the sources of one ingest.
struct Taken {
    gate: Gate,
    lists: Vec<ListNote>,
    totals: BTreeMap<String, Totals>,
    rejects: Option<PathBuf>,
}

impl Ingest<'_> {
    /// Seals one file for each table of the profile; a receipt's is the same for all.
    pub fn source(
        &self,
        format: Format,
        profile: &Profile,
        files: &[(String, PathBuf)],
        intake: &Intake,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        check_tables(profile, files)?;
        let mut writer = SealedWriter::create(self.out, profile, &self.options)?;
        let mut tokens = self.zone.tokens(&profile.id_space);
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (mut gate, lists) = intake.lists.gate(profile, today, &mut tokens)?;
        self.join_deletions(profile, &mut gate)?;
        let name = format!("{}-{}", profile.id, writer.version());
        let mut rejects =
            (intake.max_rejected > 0.0).then(|| self.zone.rejects(&name)).transpose()?;
        let mut provenance = self.provenance(format.name().to_owned());
        let mut totals = BTreeMap::new();
        for (name, file) in files {
            let Some(table) = profile.table(name) else { continue };
            let size = fs::metadata(file).map_or(0, |found| found.len());
            progress.start(&format!("reading {name}"), size);
            let mut step = |bytes| progress.at(bytes);
            let mut sink = |batch| Ok(writer.push(name, &batch)?);
            let (gate, rejects) = (&mut gate, rejects.as_mut());
            let mut taking = TableIntake { profile, tokens: &mut tokens, gate, rejects };
            let open = || -> Result<Box<dyn Rows>, IngestError> {
                Ok(match format {
                    Format::Csv => Box::new(CsvRows::open(file, intake.encoding)?),
                    Format::Parquet => {
                        let null = profile.missing.first().map_or("", String::as_str);
                        Box::new(ParquetRows::open(file, null)?)
                    }
                    Format::Fhir => Box::new(FhirRows::open(file, table)?),
                    Format::Receipt => {
                        Box::new(ReceiptRows::open(file, intake.encoding, profile, table)?)
                    }
                })
            };
            let read = taking.read(table, file, &open, &mut step, &mut sink)?;
            progress.at(size);
            check_totals(name, &read, intake.max_rejected)?;
            let keyed_digest = tokens.names().keyed_digest(&read.sha256);
            let rows = read.totals.read;
            provenance.sources.push(SourceNote { table: name.clone(), rows, keyed_digest });
            provenance.processing.extend(said(read.note));
            totals.insert(name.clone(), read.totals);
        }
        let rejects = match rejects {
            Some(rejects) if rejects.rows > 0 => Some(rejects.finish()?),
            _ => None,
        };
        let sealed = self.seal(writer, provenance, progress)?;
        self.summary(&sealed, profile, Some(Taken { gate, lists, totals, rejects }), intake)
    }

    /// Makes and seals a synthetic health record of this many patients.
    pub fn synthetic_ehr(
        &self,
        patients: u32,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        let profile = ehr::profile()?;
        let mut writer = SealedWriter::create(self.out, &profile, &self.options)?;
        let mut tokens: PatientTokens = self.zone.tokens(&profile.id_space);
        let mut rows: BTreeMap<String, u64> = BTreeMap::new();
        progress.start("inventing patients", u64::from(patients));
        let mut sink = |table: &str, batch: arrow::array::RecordBatch| {
            *rows.entry(table.to_owned()).or_default() += batch.num_rows() as u64;
            Ok(writer.push(table, &batch)?)
        };
        let mut step = |done| progress.at(done);
        ehr::generate(&profile, patients, seed, &mut tokens, &mut step, &mut sink)?;
        let note = |(table, rows)| SourceNote { table, rows, keyed_digest: String::new() };
        let mut provenance =
            self.provenance(format!("generate-ehr patients={patients} seed={seed}"));
        provenance.sources = rows.into_iter().map(note).collect();
        let sealed = self.seal(writer, provenance, progress)?;
        self.summary(&sealed, &profile, None, &Intake::default())
    }

    fn provenance(&self, method: String) -> Provenance {
        Provenance {
            sealed_at: self.now.to_string(),
            tool: concat!("sekisho-ingest ", env!("CARGO_PKG_VERSION")).to_owned(),
            method,
            ..Provenance::default()
        }
    }

    fn seal(
        &self,
        writer: SealedWriter,
        provenance: Provenance,
        progress: &mut dyn Progress,
    ) -> Result<Sealed, IngestError> {
        let mut started = false;
        let sealed = writer.finish(
            provenance,
            self.receiver,
            self.zone.identity(),
            &mut |done, total| {
                if !started {
                    progress.start("sealing", total);
                    started = true;
                }
                progress.at(done);
            },
        )?;
        Ok(sealed)
    }

    fn join_deletions(&self, profile: &Profile, gate: &mut Gate) -> Result<(), IngestError> {
        let deletions = self.zone.deletions()?;
        let requests = deletions.requests().iter();
        for request in requests.filter(|request| request.id_space == profile.id_space) {
            gate.deletions.entry(request.token).or_default().push(request.reference.clone());
        }
        Ok(())
    }

    fn summary(
        &self,
        sealed: &Sealed,
        profile: &Profile,
        taken: Option<Taken>,
        intake: &Intake,
    ) -> Result<Summary, IngestError> {
        let catalogue = write_catalogue(&sealed.folder, &sealed.catalogue)?;
        let mut summary = Summary {
            catalogue,
            dataset: sealed.manifest.dataset.clone(),
            version: sealed.manifest.version.clone(),
            manifest_sha256: sealed.catalogue.manifest_sha256.clone(),
            folder: sealed.folder.clone(),
            patients: sealed.manifest.patients,
            rows: BTreeMap::new(),
            totals: BTreeMap::new(),
            report: None,
            rejects: None,
        };
        let tables = sealed.manifest.tables.iter();
        summary.rows = tables.map(|table| (table.name.clone(), table.rows)).collect();
        if let Some(taken) = taken {
            let report = self.report(sealed, profile, &taken, intake)?;
            summary.report = Some(report.write(&sealed.folder, self.zone.identity())?);
            (summary.totals, summary.rejects) = (taken.totals, taken.rejects);
        }
        Ok(summary)
    }

    /// The intake report, with what the sealed version itself says of who is in it (OP-1). A
    /// version that holds somebody who should have stayed out is removed again.
    fn report(
        &self,
        sealed: &Sealed,
        profile: &Profile,
        taken: &Taken,
        intake: &Intake,
    ) -> Result<IntakeReport, IngestError> {
        let survivors = self.survivors(sealed, &taken.gate)?;
        if survivors > 0 {
            let gone = fs::remove_dir_all(&sealed.folder);
            gone.map_err(|source| io(&sealed.folder, "removing the version", source))?;
            return Err(IngestError::Survivors { persons: survivors });
        }
        let effects = taken.gate.effects();
        let requests = self.zone.deletions()?;
        let requests = requests.requests().iter();
        let deletions = requests.filter(|request| request.id_space == profile.id_space);
        let tables = taken.totals.iter();
        Ok(IntakeReport {
            format: IntakeReport::format(),
            dataset: sealed.manifest.dataset.clone(),
            version: sealed.manifest.version.clone(),
            manifest_sha256: sealed.catalogue.manifest_sha256.clone(),
            profile_sha256: profile.sha256(),
            profile_revision: profile.revision,
            sealed_at: self.now.to_string(),
            tables: tables
                .map(|(table, totals)| TableTotals { table: table.clone(), totals: *totals })
                .collect(),
            lists: taken.lists.clone(),
            notice_days: intake.lists.notice_days,
            deletions: deletions
                .map(|request| DeletionNote {
                    reference: request.reference.clone(),
                    received_on: request.received_on.clone(),
                    rows: effects.get(&request.reference).copied().unwrap_or_default(),
                })
                .collect(),
            excluded_persons: taken.gate.excluded(),
            survivors,
        })
    }

    /// Reads the persons back from the sealed version and holds them against the lists.
    fn survivors(&self, sealed: &Sealed, gate: &Gate) -> Result<u64, IngestError> {
        let version = SealedVersion::open(&sealed.folder, &self.zone.identity().verifying())?;
        let mut survivors = 0;
        for table in &sealed.manifest.tables {
            let opened = version.open_table(&sealed.patient_keys, &table.name, FileCheck::Size)?;
            for batch in read_table(&opened, &[opened.patient_column()])? {
                let tokens = batch.column_by_name(opened.patient_column());
                let tokens = tokens.and_then(|array| {
                    array.as_any().downcast_ref::<arrow::array::UInt64Array>().cloned()
                });
                survivors +=
                    tokens.map_or(1, |tokens| gate.survivors(tokens.values().iter().copied()));
            }
        }
        Ok(survivors)
    }
}

/// Every row is accounted for, and not too many were rejected.
fn check_totals(table: &str, read: &TableRead, max_rejected: f64) -> Result<(), IngestError> {
    let totals = read.totals;
    let table = table.to_owned();
    if !totals.balance() {
        return Err(IngestError::Unbalanced { table, totals });
    }
    if totals.rejected as f64 > totals.read as f64 * max_rejected {
        let Totals { rejected, read, .. } = totals;
        return Err(IngestError::TooManyRejected { table, rejected, read });
    }
    Ok(())
}

/// A note that says something.
fn said(note: ProcessingNote) -> Option<ProcessingNote> {
    let silent = note.removed.is_empty() && note.changed.is_empty() && note.uniqueness.is_none();
    (!silent).then_some(note)
}

/// Writes a version's catalogue entry beside its folder, as `<version>.catalogue.json`, and
/// returns the path. It follows from the version, so it can be written again at any time.
pub fn write_catalogue(folder: &Path, entry: &CatalogueEntry) -> Result<PathBuf, IngestError> {
    let path = folder.with_extension("catalogue.json");
    let hidden = folder.with_extension("catalogue.new");
    // Our own structs with text keys always serialise.
    let json = serde_json::to_vec_pretty(entry).unwrap_or_default();
    let written = fs::write(&hidden, json).and_then(|()| fs::rename(&hidden, &path));
    written.map_err(|source| io(&path, "writing the catalogue entry", source))?;
    Ok(path)
}

fn io(path: &Path, doing: &'static str, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing, source }
}

fn check_tables(profile: &Profile, files: &[(String, PathBuf)]) -> Result<(), IngestError> {
    let wrong = |table: &str, reason: &str| {
        Err(IngestError::Tables { table: table.to_owned(), reason: reason.to_owned() })
    };
    for (index, (name, _)) in files.iter().enumerate() {
        if profile.table(name).is_none() {
            return wrong(name, "the profile has no such table");
        }
        if files.iter().skip(index + 1).any(|(other, _)| other == name) {
            return wrong(name, "two files are given");
        }
    }
    for table in &profile.tables {
        if !files.iter().any(|(name, _)| *name == table.name) {
            return wrong(&table.name, "no file is given");
        }
    }
    Ok(())
}
