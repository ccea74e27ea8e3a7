mod attempt;
mod journal;
mod publish;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho_dataset::{
    ProcessingNote, Profile, Provenance, SealOptions, SealedWriter, SourceNote, TableSpec,
    Unpublished,
};
use sekisho_vault::ReceivingPublic;

use crate::intake::{IntakeLists, reports_in};
use crate::rejects::Rejects;
use crate::source::{Encoding, Format};
use crate::table::{TableIntake, TableRead, TableSource};
use crate::{IdentifiedZone, IngestError, PatientTokens, Totals, day_in_japan, ehr};
use attempt::{Attempt, Fresh};
use journal::{DoneTable, Journal};
use publish::{Said, Taken};
pub use publish::{Summary, write_catalogue};

/// Who is told how far an ingest is.
pub trait Progress {
    /// A new step begins: what is done, and how much of it there is.
    fn start(&mut self, what: &str, total: u64);
    /// So much of the step is done.
    fn at(&mut self, done: u64);
    /// So many rows were read in this step.
    fn rows(&mut self, _: u64) {}
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

/// How a source is taken in.
#[derive(Clone, Debug)]
pub struct Intake {
    /// How the files are encoded.
    pub encoding: Encoding,
    /// Lists that are joined before anything else (OP-1).
    pub lists: IntakeLists,
    /// Share of a table's rows, 0 to 1, that may be wrong; they go to the sealed reject file.
    /// At 0 the first wrong rows are reported instead, and nothing is published.
    pub max_rejected: f64,
    /// Go on with what a killed ingest of the same left; begin when nothing is left.
    pub resume: bool,
}

impl Ingest<'_> {
    /// Seals one file for each table of the profile; a receipt's is the same for all. Each
    /// table is finished before the next is begun: an ingest that is killed can be gone on
    /// with after the last that was.
    pub fn source(
        &self,
        format: Format,
        profile: &Profile,
        files: &[(String, PathBuf)],
        intake: &Intake,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        check_tables(profile, files)?;
        let journal = Journal::lock(self.zone, &profile.id)?;
        let begun = if intake.resume { self.begun(&journal, &profile.id)? } else { None };
        let mut this = Ingest { options: self.options.clone(), ..*self };
        if let Some(begun) = &begun {
            // Whoever was told too late for the first attempt is so for this one.
            this.now = begun.record.begun_at;
            this.options.version = Some(begun.record.version.clone());
        }
        let mut tokens = this.zone.tokens(&profile.id_space);
        let today = day_in_japan(this.now);
        let (mut gate, lists) = intake.lists.gate(profile, today, &mut tokens)?;
        // Read once: what is joined is what the report says was joined.
        let deletions = this.zone.deletions()?;
        let signer = this.zone.identity().verifying();
        deletions.check_begins_as_in(&reports_in(&this.out.join(&profile.id), &signer)?)?;
        gate.join_deletions(&deletions, &profile.id_space);
        let inputs = this.inputs(format, profile, intake, (&lists, &deletions), &tokens)?;
        let fresh = Fresh { tokens, gate, inputs };
        let mut attempt = match begun {
            Some(begun) => {
                let passes = begun.fits(&fresh, (format, profile), files)?;
                if let Some(version) = &begun.published {
                    return this.finish(&journal, version, begun.record, lists);
                }
                Attempt::go_on(&this, journal, profile, (begun, passes), fresh)?
            }
            None => Attempt::begin(&this, journal, profile, intake, fresh)?,
        };
        for (name, file) in files {
            let Some(table) = profile.table(name) else { continue };
            if !attempt.writer.is_sealed(name) {
                let open = || format.open(file, intake.encoding, profile, table);
                let from = TableSource { file, size: format.size(file), open: &open };
                this.table(&mut attempt, (profile, table), &from, intake, progress)?;
            }
        }
        let provenance = this.provenance(format.name().to_owned());
        let said = Said { lists, notice_days: intake.lists.notice_days, deletions };
        this.close(attempt, provenance, said, progress)
    }

    /// Reads and seals one table, and writes down that it is finished.
    fn table(
        &self,
        attempt: &mut Attempt<'_>,
        (profile, table): (&Profile, &TableSpec),
        from: &TableSource<'_>,
        intake: &Intake,
        progress: &mut dyn Progress,
    ) -> Result<(), IngestError> {
        let name = &table.name;
        let Attempt { writer, tokens, gate, rejects, .. } = attempt;
        let mut sink = |batch| Ok(writer.push(name, &batch)?);
        let mut taking = TableIntake { profile, tokens, gate, rejects: rejects.as_mut() };
        let read = taking.read(table, from, progress, &mut sink)?;
        let mut checked = check_totals(name, &read, intake.max_rejected);
        if let Err(IngestError::TooManyRejected { file, .. }) = &mut checked {
            // Now the steward needs them. Going on takes the file back.
            *file = attempt.rejects.take().map(Rejects::finish).transpose()?;
        }
        checked?;
        let keyed_digest = attempt.tokens.names().keyed_digest(&read.sha256);
        attempt.same_pass(from.file, &keyed_digest)?;
        let (totals, note) = (read.totals, read.note);
        let source = SourceNote { table: name.clone(), rows: totals.read, keyed_digest };
        attempt.tables.push(DoneTable { totals, source, note });
        let what = format!("sealing {name}");
        let told = &mut sealing(&what, progress);
        attempt.writer.seal_table(name, self.receiver, told)?;
        attempt.write_down(self)
    }

    /// Signs and publishes what is sealed.
    fn close(
        &self,
        attempt: Attempt<'_>,
        mut provenance: Provenance,
        said: Said,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        let Attempt { journal, writer, gate, rejects, tables, resumed, .. } = attempt;
        let mut totals = BTreeMap::new();
        for table in tables {
            totals.insert(table.source.table.clone(), table.totals);
            provenance.sources.push(table.source);
            provenance.processing.extend(speaking(table.note));
        }
        let rejects = rejects.filter(|rejects| rejects.rows > 0);
        let taken = Taken { gate, said, totals, rejects, resumed };
        let sealed = self.seal(writer, provenance, progress);
        let summary = match sealed.and_then(|sealed| self.publish(sealed, Some(taken))) {
            // Without its entry in the catalogue it is still to be gone on with.
            Ok(published) => Ok(published.list()?),
            Err(refused) if refused.refuses_the_version() => Err(refused),
            // So is all that is sealed when only the disk was full.
            Err(failed) => return Err(failed),
        };
        self.zone.remove_unfinished_rejects(journal.dataset())?;
        journal.remove()?;
        summary
    }

    /// Makes and seals a synthetic health record of this many patients.
    pub fn synthetic_ehr(
        &self,
        patients: u32,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Summary, IngestError> {
        let profile = ehr::profile()?;
        let journal = Journal::lock(self.zone, &profile.id)?;
        // Also removes the tables that an earlier journal is about.
        let mut writer = SealedWriter::create(self.out, &profile, &self.options)?;
        journal.remove()?;
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
        self.publish(self.seal(writer, provenance, progress)?, None)?.list()
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
    ) -> Result<Unpublished, IngestError> {
        let told = &mut sealing("sealing", progress);
        Ok(writer.seal(provenance, self.receiver, self.zone.identity(), told)?)
    }
}

/// Tells of files sealed.
fn sealing<'a>(what: &'a str, progress: &'a mut dyn Progress) -> impl FnMut(u64, u64) + 'a {
    let mut started = false;
    move |done, total| {
        if !started {
            progress.start(what, total);
            started = true;
        }
        progress.at(done);
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
        return Err(IngestError::TooManyRejected { table, rejected, read, file: None });
    }
    Ok(())
}

/// A note that says something.
fn speaking(note: ProcessingNote) -> Option<ProcessingNote> {
    let silent = note.removed.is_empty() && note.changed.is_empty();
    (!silent).then_some(note)
}

pub(crate) fn check_tables(
    profile: &Profile,
    files: &[(String, PathBuf)],
) -> Result<(), IngestError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(totals: Totals, max_rejected: f64) -> Option<&'static str> {
        let read = TableRead { totals, sha256: [0; 32], note: ProcessingNote::default() };
        check_totals("visits", &read, max_rejected).err().map(|error| error.code())
    }

    #[test]
    fn a_table_whose_rows_do_not_add_up_is_refused() {
        let good = Totals {
            read: 21,
            sealed: 1,
            opted_out: 2,
            not_notified: 3,
            deleted: 4,
            rejected: 5,
            removed_by_rule: 6,
        };
        assert_eq!(checked(good, 1.0), None);
        type Field = fn(&mut Totals) -> &mut u64;
        let fields: [Field; 7] = [
            |totals| &mut totals.read,
            |totals| &mut totals.sealed,
            |totals| &mut totals.opted_out,
            |totals| &mut totals.not_notified,
            |totals| &mut totals.deleted,
            |totals| &mut totals.rejected,
            |totals| &mut totals.removed_by_rule,
        ];
        for (place, field) in fields.into_iter().enumerate() {
            for lost in [true, false] {
                let mut totals = good;
                let count = field(&mut totals);
                *count = if lost { *count - 1 } else { *count + 1 };
                assert_eq!(checked(totals, 1.0), Some("ingest.unbalanced"), "{place} {lost}");
            }
        }
    }

    #[test]
    fn more_rejected_rows_than_allowed_are_refused() {
        let totals = Totals { read: 20, sealed: 18, rejected: 2, ..Totals::default() };
        assert_eq!(checked(totals, 0.1), None);
        assert_eq!(checked(totals, 0.09), Some("ingest.too_many_rejected"));
        assert_eq!(checked(totals, 0.0), Some("ingest.too_many_rejected"));
    }
}
