//! From a row of the source to typed values, by the rules of its columns (加工の基準).
//!
//! Start at [`RowProcessor::row`]; [`value`] applies one rule to one value.

mod address;
mod batch;
mod dates;
mod free_text;
mod one_row;
mod person;
mod rare;
mod together;
mod value;

use sekisho_dataset::{ColumnSpec, Kind, ProcessingNote, Profile, ROW_NUMBER, Rule, TableSpec};

use crate::{IngestError, PatientTokens};
pub(crate) use batch::BatchBuilder;
use free_text::Scrubber;
use one_row::OneRow;
use person::PersonId;
pub(crate) use person::normalised_id;
pub(crate) use rare::{Counter, Frequent};
use together::Together;
pub(crate) use value::MAX_FIELD_BYTES;
use value::{Step, Value};

/// What is wrong with a field. Says what and in which column, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) code: &'static str,
    /// Header of the source column.
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands in the batch.
    Kept,
    /// A rule of the profile leaves such rows out.
    RemovedByRule,
    /// Something was wrong with it, and was said.
    Wrong,
}

/// Processes the rows of one table.
pub(crate) struct RowProcessor {
    columns: Vec<Column>,
    person: PersonId,
    missing: Vec<String>,
    scrubber: Option<Scrubber>,
    together: Together,
    one_row: Option<OneRow>,
    values: Vec<Value>,
}

struct Column {
    spec: ColumnSpec,
    /// Place of the source column; the patient column's are the person's.
    place: usize,
    step: Step,
    /// Values that the rule changed.
    changed: u64,
}

impl RowProcessor {
    /// Prepares a table whose source has these headers. `Err` lists the columns that the
    /// source lacks.
    pub(crate) fn new(
        profile: &Profile,
        table: &TableSpec,
        headers: &[String],
        frequent: Frequent,
    ) -> Result<Self, Vec<FieldError>> {
        let mut lacking = Vec::new();
        let mut place = |spec: &ColumnSpec, source: &str| {
            let found = headers.iter().position(|header| header == source);
            if found.is_none() && source != ROW_NUMBER {
                let reason = format!("the source has no such column, {} needs it", spec.name);
                let column = source.to_owned();
                lacking.push(FieldError { code: "source.missing_column", column, reason });
            }
            found
        };
        let (mut columns, mut person) = (Vec::new(), PersonId::default());
        for (index, spec) in table.columns.iter().enumerate() {
            let places: Vec<_> = spec.sources.iter().map(|source| place(spec, source)).collect();
            if spec.kind == Kind::Patient {
                person = PersonId::new(places.to_vec(), spec.source());
            }
            let place = places.first().copied().flatten().unwrap_or(usize::MAX);
            let step = Step::new(profile, spec, frequent.of(index));
            columns.push(Column { spec: spec.clone(), place, step, changed: 0 });
        }
        if !lacking.is_empty() {
            return Err(lacking);
        }
        let place = |source: &String| headers.iter().position(|header| header == source);
        let removed = table.removed.iter().map(|gone| &gone.source);
        let removed = removed.filter_map(|source| Some((place(source)?, source.clone())));
        let scrubs = table.columns.iter().any(|column| column.rule == Rule::FreeText);
        Ok(Self {
            columns,
            person,
            missing: profile.missing.clone(),
            scrubber: scrubs.then(|| Scrubber::new(removed.collect(), profile.moves_dates())),
            together: Together::of(table),
            one_row: OneRow::of(table),
            values: Vec::new(),
        })
    }

    /// Token of the row's person, for whoever decides whether the row is processed at all.
    pub(crate) fn person(
        &self,
        fields: &[&str],
        number: u64,
        tokens: &mut PatientTokens,
    ) -> Result<Result<u64, FieldError>, IngestError> {
        match self.person.id(fields, number, &self.missing) {
            Ok(id) => Ok(Ok(tokens.token(&id)?)),
            Err(wrong) => Ok(Err(wrong)),
        }
    }

    /// Processes one row; when something is wrong, all of it goes to `errors` and nothing to
    /// the batch. `number` counts the rows of the source from 1.
    pub(crate) fn row(
        &mut self,
        fields: &[&str],
        number: u64,
        tokens: &mut PatientTokens,
        batch: &mut BatchBuilder,
        errors: &mut Vec<FieldError>,
    ) -> Result<Outcome, IngestError> {
        let outcome = self.judge(fields, number, tokens, errors)?;
        if outcome == Outcome::Kept {
            batch.push(&self.values);
        }
        Ok(outcome)
    }

    /// What would become of the row: the same as [`Self::row`], and it goes nowhere.
    pub(crate) fn judge(
        &mut self,
        fields: &[&str],
        number: u64,
        tokens: &mut PatientTokens,
        errors: &mut Vec<FieldError>,
    ) -> Result<Outcome, IngestError> {
        let before = errors.len();
        let outcome = self.values(fields, number, tokens, errors)?;
        if outcome == Outcome::RemovedByRule {
            // What else is wrong with a row that is left out does not matter.
            errors.truncate(before);
            return Ok(outcome);
        }
        if errors.len() == before {
            self.together.check(&self.values, errors);
        }
        if errors.len() > before {
            return Ok(Outcome::Wrong);
        }
        if let Some(one_row) = &mut self.one_row
            && let Err(wrong) = one_row.add(&self.values)
        {
            errors.push(wrong);
            return Ok(Outcome::Wrong);
        }
        Ok(outcome)
    }

    /// Makes the row's values, or says what is wrong with it.
    fn values(
        &mut self,
        fields: &[&str],
        number: u64,
        tokens: &mut PatientTokens,
        errors: &mut Vec<FieldError>,
    ) -> Result<Outcome, IngestError> {
        let id = self.person.id(fields, number, &self.missing);
        if let Some(scrubber) = &mut self.scrubber
            && let Err(wrong) = scrubber.next_row(fields)
        {
            errors.push(wrong);
        }
        self.values.clear();
        let mut outcome = Outcome::Kept;
        for column in &mut self.columns {
            if column.spec.kind == Kind::Patient {
                match &id {
                    Ok(id) => self.values.push(Value::Token(tokens.token(id)?)),
                    Err(wrong) => errors.push(wrong.clone()),
                }
                continue;
            }
            let field = fields.get(column.place).map_or("", |field| field.trim());
            let missing = self.missing.iter().any(|text| text == field);
            let id = id.as_ref().map_or(&[][..], Vec::as_slice);
            let mut about =
                value::About { names: tokens.names(), id, scrubber: &mut self.scrubber };
            match column.step.apply(&column.spec, (!missing).then_some(field), &mut about) {
                Ok(value::Made { value: Value::NoRow, .. }) => outcome = Outcome::RemovedByRule,
                Ok(made) => {
                    column.changed += u64::from(made.changed);
                    self.values.push(made.value);
                }
                Err((code, reason)) => {
                    let column = column.spec.source().to_owned();
                    errors.push(FieldError { code, column, reason });
                }
            }
        }
        Ok(outcome)
    }

    /// What was done to the table: how many values each rule changed, what was found in free
    /// text. Counts only.
    pub(crate) fn notes(&self, table: &TableSpec) -> ProcessingNote {
        let changed = self.columns.iter().filter(|column| column.spec.rule != Rule::Keep);
        ProcessingNote {
            table: table.name.clone(),
            removed: table.removed.iter().map(|gone| gone.source.clone()).collect(),
            changed: changed
                .map(|column| {
                    let what = format!("{}: {}", column.spec.name, column.spec.rule.name());
                    (what, column.changed)
                })
                .collect(),
            found_in_text: self.scrubber.as_ref().map(Scrubber::found).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
