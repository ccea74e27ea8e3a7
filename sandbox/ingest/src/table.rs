//! One table of a source on its way to the writer: who may come in, what becomes of the
//! rows, and where every single one of them went.

use std::path::Path;

use arrow::array::RecordBatch;
use sekisho_dataset::{ProcessingNote, Profile, TableSpec};
use serde::{Deserialize, Serialize};

use crate::intake::{Gate, Verdict};
use crate::process::{BatchBuilder, Counter, FieldError, Frequent, Outcome, RowProcessor};
use crate::rejects::Rejects;
use crate::run::Progress;
use crate::source::{Rows, changed};
use crate::{IngestError, PatientTokens, SourceError};

/// Errors listed for one file; a file with more is wrong as a whole.
const MAX_ERRORS: usize = 20;
/// Rows of a batch handed on.
const BATCH_ROWS: usize = 8192;

/// Where the rows of one table went. Every row read is in exactly one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Data rows of the source.
    pub read: u64,
    /// Rows sealed.
    pub sealed: u64,
    /// Rows of persons who opted out (オプトアウト).
    pub opted_out: u64,
    /// Rows of persons without a notice (本人通知), or with one too young.
    pub not_notified: u64,
    /// Rows of persons whose deletion was asked for (OP-2).
    pub deleted: u64,
    /// Rows in the reject file.
    pub rejected: u64,
    /// Rows that a rule of the profile leaves out.
    pub removed_by_rule: u64,
}

impl Totals {
    /// Whether no row was lost and none counted twice.
    #[must_use]
    pub fn balance(&self) -> bool {
        let gone = self.opted_out + self.not_notified + self.deleted;
        self.read == self.sealed + gone + self.rejected + self.removed_by_rule
    }
}

/// What was read from one table's source.
#[derive(Debug)]
pub(crate) struct TableRead {
    pub(crate) totals: Totals,
    pub(crate) sha256: [u8; 32],
    pub(crate) note: ProcessingNote,
}

/// What the tables of one ingest share.
pub(crate) struct TableIntake<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) tokens: &'a mut PatientTokens,
    pub(crate) gate: &'a mut Gate,
    /// `None`: the first wrong rows are reported and nothing is published.
    pub(crate) rejects: Option<&'a mut Rejects>,
}

/// Where a table comes from.
pub(crate) struct TableSource<'a> {
    /// Names it in errors.
    pub(crate) file: &'a Path,
    /// How much there is to read, in what [`Rows::bytes`] counts.
    pub(crate) size: u64,
    /// Opens its rows from the start.
    pub(crate) open: &'a dyn Fn() -> Result<Box<dyn Rows>, IngestError>,
}

/// Takes processed rows.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), IngestError>;

impl TableIntake<'_> {
    /// Reads one table: twice when a rule needs to know beforehand which codes are rare among
    /// those who will be sealed.
    pub(crate) fn read(
        &mut self,
        table: &TableSpec,
        source: &TableSource<'_>,
        progress: &mut dyn Progress,
        sink: Sink<'_>,
    ) -> Result<TableRead, IngestError> {
        let (frequent, first_pass) = self.frequent(table, source, progress)?;
        let TableSource { file, size, open } = *source;
        progress.start(&format!("reading {}", table.name), size);
        let mut rows = open()?;
        let mut reading = Reading {
            processor: processor(self.profile, table, file, &*rows, frequent)?,
            batch: BatchBuilder::new(table),
            totals: Totals::default(),
            errors: Vec::new(),
        };
        while rows.advance()? {
            reading.totals.read += 1;
            self.row(table, &*rows, &mut reading)?;
            if reading.errors.len() >= MAX_ERRORS {
                return Err(failed(file, reading.errors));
            }
            if reading.batch.rows() == BATCH_ROWS {
                progress.at(rows.bytes());
                progress.rows(reading.totals.read);
                reading.hand_on(sink)?;
            }
        }
        let sha256 = rows.digest();
        if first_pass.is_some_and(|first| first != sha256) {
            return Err(changed(file));
        }
        reading.hand_on(sink)?;
        if !reading.errors.is_empty() {
            return Err(failed(file, reading.errors));
        }
        progress.at(size);
        progress.rows(reading.totals.read);
        let note = reading.processor.notes(table);
        Ok(TableRead { totals: reading.totals, sha256, note })
    }

    /// The codes that are not rare, and the SHA-256 of what they were counted in, if anything.
    fn frequent(
        &mut self,
        table: &TableSpec,
        source: &TableSource<'_>,
        progress: &mut dyn Progress,
    ) -> Result<(Frequent, Option<[u8; 32]>), IngestError> {
        if !Counter::is_needed(table) {
            return Ok((Frequent::default(), None));
        }
        progress.start(&format!("counting {}", table.name), source.size);
        let mut rows = (source.open)()?;
        let mut counter = Counter::of(table, rows.headers());
        let none = Frequent::default();
        let mut processor = processor(self.profile, table, source.file, &*rows, none)?;
        let (mut number, mut wrong) = (0_u64, Vec::new());
        while rows.advance()? {
            number += 1;
            if number.is_multiple_of(BATCH_ROWS as u64) {
                progress.at(rows.bytes());
                progress.rows(number);
            }
            let Ok(fields) = rows.fields() else { continue };
            let Ok(token) = processor.person(&fields, number, self.tokens)? else { continue };
            if self.gate.judge(token) != Verdict::In {
                continue;
            }
            // What is wrong with a row is said in the second pass.
            wrong.clear();
            if processor.judge(&fields, number, self.tokens, &mut wrong)? == Outcome::Kept {
                counter.row(&fields, token);
            }
        }
        progress.at(source.size);
        progress.rows(number);
        Ok((counter.frequent(), Some(rows.digest())))
    }

    fn row(
        &mut self,
        table: &TableSpec,
        rows: &dyn Rows,
        reading: &mut Reading,
    ) -> Result<(), IngestError> {
        let number = reading.totals.read;
        let fields = match rows.fields() {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(table, rows, &[], vec![wrong], reading),
        };
        match reading.processor.person(&fields, number, self.tokens)? {
            Err(wrong) => return self.wrong(table, rows, &fields, vec![wrong], reading),
            // Before anything else is read of the row (OP-1).
            Ok(token) => match self.gate.admit(token) {
                Verdict::In => {}
                Verdict::OptedOut => {
                    reading.totals.opted_out += 1;
                    return Ok(());
                }
                Verdict::NotNotified => {
                    reading.totals.not_notified += 1;
                    return Ok(());
                }
                Verdict::Deleted => {
                    reading.totals.deleted += 1;
                    return Ok(());
                }
            },
        }
        let mut wrong = Vec::new();
        let Reading { processor, batch, totals, .. } = reading;
        match processor.row(&fields, number, self.tokens, batch, &mut wrong)? {
            Outcome::Kept => totals.sealed += 1,
            Outcome::RemovedByRule => totals.removed_by_rule += 1,
            Outcome::Wrong => return self.wrong(table, rows, &fields, wrong, reading),
        }
        Ok(())
    }

    fn wrong(
        &mut self,
        table: &TableSpec,
        rows: &dyn Rows,
        fields: &[&str],
        wrong: Vec<FieldError>,
        reading: &mut Reading,
    ) -> Result<(), IngestError> {
        let line = rows.line();
        let errors = wrong.into_iter().map(|FieldError { code, column, reason }| SourceError {
            code,
            line,
            column,
            reason,
        });
        match &mut self.rejects {
            Some(rejects) => {
                reading.totals.rejected += 1;
                let kept: Vec<_> = rows.place().into_iter().chain(fields.iter().copied()).collect();
                rejects.add(&table.name, line, &errors.collect::<Vec<_>>(), &kept)
            }
            None => {
                reading.errors.extend(errors);
                Ok(())
            }
        }
    }
}

/// Reads the persons of a table and nothing else of its rows. Rows whose person cannot be read
/// are passed over; gives how many.
pub(crate) fn read_persons(
    profile: &Profile,
    table: &TableSpec,
    source: &TableSource<'_>,
    tokens: &mut PatientTokens,
) -> Result<u64, IngestError> {
    let mut rows = (source.open)()?;
    let processor = processor(profile, table, source.file, &*rows, Frequent::default())?;
    let (mut number, mut unreadable) = (0, 0);
    while rows.advance()? {
        number += 1;
        let read = match rows.fields() {
            Ok(fields) => processor.person(&fields, number, tokens)?.is_ok(),
            Err(_) => false,
        };
        unreadable += u64::from(!read);
    }
    Ok(unreadable)
}

/// The state of reading one table.
struct Reading {
    processor: RowProcessor,
    batch: BatchBuilder,
    totals: Totals,
    errors: Vec<SourceError>,
}

impl Reading {
    fn hand_on(&mut self, sink: Sink<'_>) -> Result<(), IngestError> {
        let rows = self.batch.rows();
        let taken = self.batch.take()?;
        // Once something is wrong the rest is read for its errors only.
        if rows == 0 || !self.errors.is_empty() { Ok(()) } else { sink(taken) }
    }
}

fn processor(
    profile: &Profile,
    table: &TableSpec,
    file: &Path,
    rows: &dyn Rows,
    frequent: Frequent,
) -> Result<RowProcessor, IngestError> {
    RowProcessor::new(profile, table, rows.headers(), frequent).map_err(|lacking| {
        let errors = lacking.into_iter().map(|FieldError { code, column, reason }| SourceError {
            code,
            line: 1,
            column,
            reason,
        });
        failed(file, errors.collect())
    })
}

fn failed(file: &Path, errors: Vec<SourceError>) -> IngestError {
    IngestError::Source { file: file.to_owned(), errors }
}

#[cfg(test)]
mod tests;
