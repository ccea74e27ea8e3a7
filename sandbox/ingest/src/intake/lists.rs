use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use sekisho_dataset::{Kind, Profile, date_days};

use super::{Gate, ListNote};
use crate::process::normalised_id;
use crate::source::{CsvRows, Encoding, Rows as _};
use crate::{IngestError, PatientTokens, SourceError};

/// The lists a source is joined with. There is no default: whoever takes a source in says of
/// each list where it is, or that there is none.
#[derive(Clone, Debug)]
pub struct IntakeLists {
    /// Persons who were given notice, with the date (CSV: id columns and `date`). Without,
    /// everybody counts as told.
    pub notices: PersonList,
    /// Days that must have passed since the notice.
    pub notice_days: u32,
    /// Persons who opted out (CSV: id columns; other columns are not read).
    pub optouts: PersonList,
    /// How both files are encoded.
    pub encoding: Encoding,
}

/// A list of persons, or the steward's word that there is none (OP-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonList {
    /// It is this CSV file.
    File(PathBuf),
    /// There is none, as for a public table.
    NoList,
}

impl PersonList {
    /// What was said of the list that `--<name>` gives and `--no-<name>` denies.
    ///
    /// # Errors
    /// [`IngestError::ListNotSaid`] when neither was: nobody comes in by an option forgotten.
    pub fn said(
        name: &'static str,
        file: Option<PathBuf>,
        none: bool,
    ) -> Result<Self, IngestError> {
        match file {
            Some(file) => Ok(Self::File(file)),
            None if none => Ok(Self::NoList),
            None => Err(IngestError::ListNotSaid { list: name }),
        }
    }
}

impl IntakeLists {
    /// Turns the lists into a gate, ids into tokens at once.
    pub(crate) fn gate(
        &self,
        profile: &Profile,
        today: Date,
        tokens: &mut PatientTokens,
    ) -> Result<(Gate, Vec<ListNote>), IngestError> {
        let (mut gate, mut notes) = (Gate::default(), Vec::new());
        let today = date_days(&today.to_string()).unwrap_or_default();
        if let PersonList::File(file) = &self.notices {
            let days = i32::try_from(self.notice_days).unwrap_or(i32::MAX);
            let mut notified = HashSet::new();
            let mut take = |token, date: Option<i32>| {
                if date.is_some_and(|date| date.saturating_add(days) <= today) {
                    notified.insert(token);
                }
            };
            notes.push(self.read(file, "notice", profile, tokens, true, &mut take)?);
            gate.notified = Some(notified);
        } else {
            notes.push(ListNote::of_none("notice"));
        }
        if let PersonList::File(file) = &self.optouts {
            let mut take = |token, _| {
                gate.opted_out.insert(token);
            };
            notes.push(self.read(file, "optout", profile, tokens, false, &mut take)?);
        } else {
            notes.push(ListNote::of_none("optout"));
        }
        Ok((gate, notes))
    }

    fn read(
        &self,
        file: &Path,
        kind: &str,
        profile: &Profile,
        tokens: &mut PatientTokens,
        dated: bool,
        take: &mut dyn FnMut(u64, Option<i32>),
    ) -> Result<ListNote, IngestError> {
        let mut rows = CsvRows::open(file, self.encoding)?;
        let wrong = |line, column: &str, code, reason: &str| {
            let (column, reason) = (column.to_owned(), reason.to_owned());
            let errors = vec![SourceError { code, line, column, reason }];
            IngestError::Source { file: file.to_owned(), errors }
        };
        let place = |name: &str| rows.headers().iter().position(|header| header == name);
        let lacking =
            |name: &str| wrong(1, name, "source.missing_column", "the list has no such column");
        let names = id_columns(profile);
        let places: Vec<usize> = match place("id") {
            Some(place) if names.len() == 1 => vec![place],
            _ => {
                let places = names.iter().map(|name| place(name).ok_or_else(|| lacking(name)));
                places.collect::<Result<_, _>>()?
            }
        };
        let date = if dated { Some(place("date").ok_or_else(|| lacking("date"))?) } else { None };
        let mut entries = 0;
        while rows.advance()? {
            let line = rows.line();
            let fields = rows.fields();
            let fields = fields.map_err(|e| wrong(line, &e.column, e.code, &e.reason))?;
            let parts: Vec<&str> =
                places.iter().filter_map(|at| fields.get(*at).copied()).collect();
            let id = normalised_id(&parts)
                .ok_or_else(|| wrong(line, "id", "source.missing_value", "a value is needed"))?;
            let on = date.and_then(|at| fields.get(at)).map(|text| date_days(text.trim()));
            // A list that cannot be read in full would let somebody in: nothing is skipped.
            if on == Some(None) {
                return Err(wrong(line, "date", "source.bad_date", "not a date YYYY-MM-DD"));
            }
            take(tokens.token(&id)?, on.flatten());
            entries += 1;
        }
        let keyed_digest = tokens.names().keyed_digest(&rows.digest());
        Ok(ListNote { kind: kind.to_owned(), joined: true, keyed_digest, entries })
    }
}

/// Source columns that the id of a person is made of, as the first table names them.
fn id_columns(profile: &Profile) -> Vec<String> {
    let columns = profile.tables.iter().flat_map(|table| &table.columns);
    let mut patients = columns.filter(|column| column.kind == Kind::Patient);
    patients.next().map(|column| column.sources.clone()).unwrap_or_default()
}
