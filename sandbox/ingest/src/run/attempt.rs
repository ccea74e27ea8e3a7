//! One attempt at an ingest, begun or gone on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_dataset::{Profile, SealedWriter};
use sekisho_vault::ReceivingPublic;

use super::journal::{Begun, DoneTable, Inputs, Journal, Record};
use super::{Ingest, Intake};
use crate::intake::{Gate, ListNote};
use crate::rejects::Rejects;
use crate::{Deletions, Format, IngestError, PatientTokens};

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
}

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
        let (tables, resumed) = (Vec::new(), Vec::new());
        let Fresh { tokens, gate, inputs } = fresh;
        Ok(Self { journal, inputs, writer, tokens, gate, rejects, tables, resumed })
    }

    /// Goes on with the tables that are finished, when everything is as it was.
    pub(super) fn go_on(
        ingest: &Ingest<'_>,
        journal: Journal<'a>,
        (format, profile): (Format, &Profile),
        files: &[(String, PathBuf)],
        begun: Begun,
        fresh: Fresh,
    ) -> Result<Self, IngestError> {
        let Begun { record, persons } = begun;
        let Fresh { mut tokens, mut gate, inputs } = fresh;
        same(&record.inputs, &inputs)?;
        same_sources(&record.tables, files, (format, profile), &tokens)?;
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
        let resumed = tables.iter().map(|table| table.source.table.clone()).collect();
        Ok(Self { journal, inputs, writer, tokens, gate, rejects, tables, resumed })
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

impl Ingest<'_> {
    /// What an earlier attempt left of the version to be made, if anything.
    pub(super) fn begun(
        &self,
        journal: &Journal<'_>,
        dataset: &str,
    ) -> Result<Option<Begun>, IngestError> {
        let Some(begun) = journal.read()? else { return Ok(None) };
        let version = &begun.record.version;
        // Killed after it had published: nothing is left to be done of that one.
        if fs::symlink_metadata(self.out.join(dataset).join(version)).is_ok() {
            return Ok(None);
        }
        match &self.options.version {
            Some(wanted) if wanted != version => {
                Err(IngestError::ResumeDiffers { what: "the version".to_owned() })
            }
            _ => Ok(Some(begun)),
        }
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

fn same(then: &Inputs, now: &Inputs) -> Result<(), IngestError> {
    let differing = now.iter().find(|(name, value)| then.get(*name) != Some(value));
    match differing {
        Some((name, _)) => Err(IngestError::ResumeDiffers { what: name.clone() }),
        None => Ok(()),
    }
}

/// The sources of finished tables are read again, for their hash.
fn same_sources(
    tables: &[DoneTable],
    files: &[(String, PathBuf)],
    (format, profile): (Format, &Profile),
    tokens: &PatientTokens,
) -> Result<(), IngestError> {
    // A receipt's file is that of several tables.
    let mut digests: BTreeMap<&Path, String> = BTreeMap::new();
    for table in tables {
        let name = &table.source.table;
        let differs = || IngestError::ResumeDiffers { what: format!("the source of {name}") };
        let (_, file) = files.iter().find(|(given, _)| given == name).ok_or_else(differs)?;
        let spec = profile.table(name).ok_or_else(differs)?;
        let digest = match digests.get(file.as_path()) {
            Some(digest) => digest.clone(),
            None => tokens.names().keyed_digest(&format.sha256(file, spec)?),
        };
        if digest != table.source.keyed_digest {
            return Err(differs());
        }
        digests.insert(file, digest);
    }
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Io { path: path.to_owned(), doing: "looking up", source }
}
