//! One attempt at an ingest, begun or gone on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_dataset::{Profile, SealedVersion, SealedWriter};
use sekisho_vault::ReceivingPublic;

use super::journal::{Begun, DoneTable, Inputs, Journal, Record};
use super::publish::{Published, Told};
use super::{Ingest, Intake, Summary};
use crate::intake::{Gate, ListNote};
use crate::rejects::Rejects;
use crate::source::changed;
use crate::{Deletions, Format, IngestError, IntakeReport, PatientTokens};

/// Everything that grows while tables are taken in.
pub(super) struct Attempt<'a> {
    pub(super) journal: Journal<'a>,
    inputs: Inputs,
    pub(super) writer: SealedWriter,
    pub(super) tokens: PatientTokens,
    pub(super) gate: Gate,
    pub(super) rejects: Option<Rejects>,
    pub(super) tables: Vec<DoneTable>,
    /// Tables that an earlier attempt finished.
    pub(super) resumed: Vec<String>,
    /// Keyed digests of the files read so far: one may be that of several tables.
    passes: Passes,
}

/// Keyed digests by file.
type Passes = BTreeMap<PathBuf, String>;

/// What every attempt makes anew.
pub(super) struct Fresh {
    pub(super) tokens: PatientTokens,
    pub(super) gate: Gate,
    pub(super) inputs: Inputs,
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(
        ingest: &Ingest<'_>,
        journal: Journal<'a>,
        profile: &Profile,
        intake: &Intake,
        fresh: Fresh,
    ) -> Result<Self, IngestError> {
        // Also removes the tables that an earlier journal is about.
        let writer = SealedWriter::create(ingest.out, profile, &ingest.options)?;
        journal.remove()?;
        ingest.zone.remove_unfinished_rejects(&profile.id)?;
        let rejects = || ingest.zone.rejects(&profile.id, writer.version());
        let rejects = (intake.max_rejected > 0.0).then(rejects).transpose()?;
        let (tables, resumed, passes) = (Vec::new(), Vec::new(), BTreeMap::new());
        let Fresh { tokens, gate, inputs } = fresh;
        Ok(Self { journal, inputs, writer, tokens, gate, rejects, tables, resumed, passes })
    }

    /// Goes on with the tables that are finished.
    pub(super) fn go_on(
        ingest: &Ingest<'_>,
        journal: Journal<'a>,
        profile: &Profile,
        (begun, passes): (Begun, Passes),
        fresh: Fresh,
    ) -> Result<Self, IngestError> {
        let Begun { record, persons, .. } = begun;
        let Fresh { mut tokens, mut gate, inputs } = fresh;
        let patients = persons.iter().filter(|person| person.sealed).map(|person| person.token);
        let patients = patients.collect();
        let key = journal.key();
        let writer =
            SealedWriter::resume(ingest.out, profile, &ingest.options, record.kept, patients, key)?;
        for person in &persons {
            tokens.see(person.token, person.check)?;
        }
        let excluded = persons.iter().filter(|person| person.excluded).map(|person| person.token);
        gate.restore(excluded, record.effects);
        let rejects = record.rejects;
        let rejects = rejects.map(|mark| ingest.zone.go_on_with_rejects(&profile.id, &mark));
        let rejects = rejects.transpose()?;
        let tables = record.tables;
        let resumed = names(&tables);
        Ok(Self { journal, inputs, writer, tokens, gate, rejects, tables, resumed, passes })
    }

    /// Refuses a file that was another when it was read for an earlier table.
    pub(super) fn same_pass(&mut self, file: &Path, digest: &str) -> Result<(), IngestError> {
        let first = self.passes.entry(file.to_owned()).or_insert_with(|| digest.to_owned());
        if first == digest { Ok(()) } else { Err(changed(file)) }
    }

    /// Writes down that the tables so far are finished, each sealed and flushed.
    pub(super) fn write_down(&mut self, ingest: &Ingest<'_>) -> Result<(), IngestError> {
        let record = Record {
            version: self.writer.version().to_owned(),
            begun_at: ingest.now,
            inputs: self.inputs.clone(),
            tables: self.tables.clone(),
            kept: self.writer.keep(self.journal.key())?,
            effects: self.gate.effects().clone(),
            rejects: self.rejects.as_mut().map(Rejects::mark).transpose()?,
        };
        self.journal.write(&record, &self.tokens, &self.gate, self.writer.patients())
    }
}

impl Begun {
    /// Refuses inputs that are not as they were; gives the digests of the files read for it.
    pub(super) fn fits(
        &self,
        fresh: &Fresh,
        source: (Format, &Profile),
        files: &[(String, PathBuf)],
    ) -> Result<Passes, IngestError> {
        same(&self.record.inputs, &fresh.inputs)?;
        same_sources(&self.record.tables, files, source, &fresh.tokens)
    }
}

impl Ingest<'_> {
    /// What an earlier attempt left of the version to be made, if anything.
    pub(super) fn begun(
        &self,
        journal: &Journal<'_>,
        dataset: &str,
    ) -> Result<Option<Begun>, IngestError> {
        let Some(mut begun) = journal.read()? else { return Ok(None) };
        let version = &begun.record.version;
        if self.options.version.as_ref().is_some_and(|wanted| wanted != version) {
            return Err(IngestError::ResumeDiffers { what: "the version".to_owned() });
        }
        let folder = self.out.join(dataset).join(version);
        if fs::symlink_metadata(&folder).is_ok() {
            // One of another zone is none of ours, and then in the way.
            let found = SealedVersion::open(&folder, &self.zone.identity().verifying()).ok();
            begun.published = found.filter(|found| begun.record.made(found.manifest()));
        }
        Ok(Some(begun))
    }

    /// Does what an attempt that was killed after it had published left to be done.
    pub(super) fn finish(
        &self,
        journal: &Journal<'_>,
        version: &SealedVersion,
        record: Record,
        lists: Vec<ListNote>,
    ) -> Result<Summary, IngestError> {
        let (rejects, resumed) = (record.rejects, names(&record.tables));
        let tables = record.tables.into_iter();
        let told = Told {
            totals: tables.map(|table| (table.source.table, table.totals)).collect(),
            lists,
            report: Some(IntakeReport::path(version.folder())),
            rejects: rejects.and_then(|mark| self.zone.finished_rejects(&mark)),
            resumed,
        };
        let summary = Published::found(version, told).list()?;
        self.zone.remove_unfinished_rejects(&version.manifest().dataset)?;
        journal.remove()?;
        Ok(summary)
    }

    /// All that the result hangs on, except the sources, which are held against each table.
    pub(super) fn inputs(
        &self,
        format: Format,
        profile: &Profile,
        intake: &Intake,
        (lists, deletions): (&[ListNote], &Deletions),
        tokens: &PatientTokens,
    ) -> Result<Inputs, IngestError> {
        fs::create_dir_all(self.out).map_err(|source| io(self.out, source))?;
        let out = fs::canonicalize(self.out).map_err(|source| io(self.out, source))?;
        let list = |kind: &str| {
            let list = lists.iter().find(|list| list.kind == kind);
            list.map_or_else(String::new, |list| list.keyed_digest.clone())
        };
        let inputs = [
            ("the program", env!("CARGO_PKG_VERSION").to_owned()),
            ("the profile", profile.sha256()),
            ("the format", format.name().to_owned()),
            ("--encoding", format!("{:?} {:?}", intake.encoding, intake.lists.encoding)),
            ("--notices", list("notice")),
            ("--notice-days", intake.lists.notice_days.to_string()),
            ("--optouts", list("optout")),
            ("the deletion requests", deletions.keyed_digest(tokens.names())),
            ("--max-rejected", intake.max_rejected.to_string()),
            ("--buckets", self.options.buckets.to_string()),
            ("--receiver", ReceivingPublic::to_text(self.receiver)),
            ("--out", out.to_string_lossy().into_owned()),
            ("the zone's secret", tokens.names().keyed_digest(b"the zone's secret")),
            ("the zone's identity", self.zone.identity().verifying().to_hex()),
        ];
        Ok(inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn names(tables: &[DoneTable]) -> Vec<String> {
    tables.iter().map(|table| table.source.table.clone()).collect()
}

fn same(then: &Inputs, now: &Inputs) -> Result<(), IngestError> {
    let differing = now.iter().find(|(name, value)| then.get(*name) != Some(value));
    match differing {
        Some((name, _)) => Err(IngestError::ResumeDiffers { what: name.clone() }),
        None => Ok(()),
    }
}

/// The sources of finished tables are read again, for their hash; gives the keyed digests.
fn same_sources(
    tables: &[DoneTable],
    files: &[(String, PathBuf)],
    (format, profile): (Format, &Profile),
    tokens: &PatientTokens,
) -> Result<Passes, IngestError> {
    // A receipt's file is that of several tables.
    let mut digests: BTreeMap<PathBuf, String> = BTreeMap::new();
    for table in tables {
        let name = &table.source.table;
        let differs = || IngestError::ResumeDiffers { what: format!("the source of {name}") };
        let (_, file) = files.iter().find(|(given, _)| given == name).ok_or_else(differs)?;
        let spec = profile.table(name).ok_or_else(differs)?;
        let digest = match digests.get(file) {
            Some(digest) => digest.clone(),
            None => tokens.names().keyed_digest(&format.sha256(file, spec)?),
        };
        if digest != table.source.keyed_digest {
            return Err(differs());
        }
        digests.insert(file.clone(), digest);
    }
    Ok(digests)
}

fn io(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "looking up", source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sekisho_dataset::SealOptions;
    use sekisho_vault::{FileVault, ReceivingKey};

    use super::*;
    use crate::intake::{IntakeLists, PersonList};
    use crate::source::Encoding;
    use crate::{IdentifiedZone, Progress};

    const PROFILE: &str = r#"
id = "both"
title = { ja = "両", en = "Both" }
description = { ja = "試験用", en = "For tests" }
source = "tests"
licence = "CC0-1.0"
"#;

    /// Adds a row when a step begins.
    struct AddsAt<'a>(&'a str, &'a Path);

    impl Progress for AddsAt<'_> {
        fn start(&mut self, what: &str, _: u64) {
            if what == self.0 {
                let rows = fs::read_to_string(self.1).unwrap();
                fs::write(self.1, rows + "P3,c\n").unwrap();
            }
        }

        fn at(&mut self, _: u64) {}
    }

    #[test]
    fn a_file_of_several_tables_that_changes_between_them_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let vault = Arc::new(FileVault::create(&at("vault")).unwrap());
        let receiving = ReceivingKey::create(&at("sealed"), &at("public"), vault).unwrap();
        let zone = IdentifiedZone::init(&at("identified"), jiff::civil::date(2026, 11, 28));
        let zone = zone.unwrap();
        let ingest = Ingest {
            zone: &zone,
            receiver: receiving.public(),
            out: &at("datasets"),
            options: SealOptions::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let table = |name: &str| {
            format!(
                r#"[[tables]]
name = "{name}"
description = {{ ja = "表", en = "Table" }}
columns = [
  {{ name = "patient", kind = "patient", source = "pid", description = {{ ja = "患者", en = "Patient" }} }},
  {{ name = "code", kind = "code", description = {{ ja = "符号", en = "Code" }}, dummy = {{ always = "c" }} }},
]
"#
            )
        };
        let profile = Profile::parse(&[PROFILE, &table("one"), &table("two")].concat()).unwrap();
        let file = at("rows.csv");
        fs::write(&file, "pid,code\nP1,c\nP2,c\n").unwrap();
        let files = ["one", "two"].map(|name| (name.to_owned(), file.clone()));
        let (notices, optouts) = (PersonList::NoList, PersonList::NoList);
        let encoding = Encoding::Utf8;
        let lists = IntakeLists { notices, notice_days: 30, optouts, encoding };
        let intake = Intake { encoding, lists, max_rejected: 0.0, resume: false };
        let taken = |what| {
            let progress = &mut AddsAt(what, &file);
            ingest.source(Format::Csv, &profile, &files, &intake, progress)
        };
        assert_eq!(taken("reading two").unwrap_err().code(), "source.changed");
        assert!(!at("datasets/both/v1").exists());
        taken("never").unwrap();
    }
}
