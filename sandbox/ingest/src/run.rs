use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho_dataset::{CatalogueEntry, Profile, Provenance, SealOptions, SealedWriter, SourceNote};
use sekisho_vault::KeyVault;
use serde::Serialize;

use crate::{IdentifiedZone, IngestError, PatientTokens, csv_source, ehr};

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
    /// The key vault of the pseudonymised zone.
    pub vault: &'a dyn KeyVault,
    /// The root folder of the data sets.
    pub out: &'a Path,
    /// Name of the version and number of buckets.
    pub options: SealOptions,
    /// The time put into the manifest.
    pub now: Timestamp,
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
}

impl Ingest<'_> {
    /// Seals one CSV file for each table of the profile.
    pub fn csv(
        &self,
        profile: &Profile,
        files: &[(String, PathBuf)],
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        check_tables(profile, files)?;
        let mut writer = SealedWriter::create(self.out, profile, &self.options)?;
        let mut tokens = self.zone.tokens(&profile.id_space);
        let mut sources = Vec::new();
        for (name, file) in files {
            let Some(table) = profile.table(name) else { continue };
            let size = fs::metadata(file).map_or(0, |found| found.len());
            progress.start(&format!("reading {name}"), size);
            let mut step = |bytes| progress.at(bytes);
            let mut sink = |batch| Ok(writer.push(name, &batch)?);
            let read =
                csv_source::read_file(file, profile, table, &mut tokens, &mut step, &mut sink)?;
            progress.at(size);
            let keyed_digest = tokens.keyed_digest(&read.sha256);
            sources.push(SourceNote { table: name.clone(), rows: read.rows, keyed_digest });
        }
        self.seal(writer, "csv".to_owned(), sources, progress)
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
        let sources = rows.into_iter().map(note).collect();
        let method = format!("generate-ehr patients={patients} seed={seed}");
        self.seal(writer, method, sources, progress)
    }

    fn seal(
        &self,
        writer: SealedWriter,
        method: String,
        sources: Vec<SourceNote>,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        let provenance = Provenance {
            sealed_at: self.now.to_string(),
            tool: concat!("sekisho-ingest ", env!("CARGO_PKG_VERSION")).to_owned(),
            method,
            sources,
        };
        let mut started = false;
        let sealed =
            writer.finish(provenance, self.vault, self.zone.identity(), &mut |done, total| {
                if !started {
                    progress.start("sealing", total);
                    started = true;
                }
                progress.at(done);
            })?;
        let tables = sealed.manifest.tables.iter();
        Ok(Summary {
            catalogue: write_catalogue(&sealed.folder, &sealed.catalogue)?,
            dataset: sealed.manifest.dataset.clone(),
            version: sealed.manifest.version.clone(),
            manifest_sha256: sealed.catalogue.manifest_sha256,
            folder: sealed.folder,
            patients: sealed.manifest.patients,
            rows: tables.map(|table| (table.name.clone(), table.rows)).collect(),
        })
    }
}

/// Writes a version's catalogue entry beside its folder, as `<version>.catalogue.json`, and
/// returns the path. It follows from the version, so it can be written again at any time.
pub fn write_catalogue(folder: &Path, entry: &CatalogueEntry) -> Result<PathBuf, IngestError> {
    let path = folder.with_extension("catalogue.json");
    let hidden = folder.with_extension("catalogue.new");
    // Our own structs with text keys always serialise.
    let json = serde_json::to_vec_pretty(entry).unwrap_or_default();
    let written = fs::write(&hidden, json).and_then(|()| fs::rename(&hidden, &path));
    written.map_err(|source| IngestError::Io {
        path: path.clone(),
        doing: "writing the catalogue entry",
        source,
    })?;
    Ok(path)
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
