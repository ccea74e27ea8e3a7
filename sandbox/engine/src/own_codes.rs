//! Identifiers as codes of the project's own. What the profile's rule `token` made of an
//! identifier is one text for all projects: guests of two of them could match patients by it,
//! or by its place in the dictionary. So its texts are replaced under the project's key, and
//! the dictionary is ordered by what replaces them. The same text becomes the same in every
//! table of the view, so that its tables still join.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray as _, UInt32Array};
use arrow::compute::{TakeOptions, take};
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use sekisho_vault::{Context, Key};

use crate::keyed::Keyed;
use crate::{Batches, Source, SourceColumn, SourceError};

/// A source whose columns of identifiers are the project's own.
pub(crate) struct OwnCodes {
    data: Arc<dyn Source>,
    keyed: Keyed,
    made: Mutex<BTreeMap<(String, String), Arc<Replaced>>>,
}

/// What replaces the dictionary of one column.
struct Replaced {
    /// Sorted texts.
    codes: Vec<String>,
    /// The new id of each old one.
    ids: UInt32Array,
}

impl OwnCodes {
    pub(crate) fn over(data: Arc<dyn Source>, key: &Key) -> Self {
        Self { data, keyed: Keyed::new(key), made: Mutex::default() }
    }

    /// `None` for a column whose codes stay as they are.
    fn replaced(&self, table: &str, column: &str) -> Result<Option<Arc<Replaced>>, SourceError> {
        let columns = self.data.columns(table).unwrap_or_default();
        if !columns.iter().any(|found| found.name == column && found.token) {
            return Ok(None);
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (table.to_owned(), column.to_owned());
        if let Some(found) = made.get(&key) {
            return Ok(Some(Arc::clone(found)));
        }
        let replaced = Arc::new(self.replace(&self.data.dictionary(table, column)?));
        made.insert(key, Arc::clone(&replaced));
        Ok(Some(replaced))
    }

    fn replace(&self, codes: &[String]) -> Replaced {
        let texts = codes.iter().map(|code| self.text(code));
        let mut texts: Vec<(String, usize)> = texts.zip(0..).collect();
        texts.sort_unstable();
        let mut ids = vec![0; codes.len()];
        for (id, (_, old)) in (0_u32..).zip(&texts) {
            if let Some(place) = ids.get_mut(*old) {
                *place = id;
            }
        }
        let codes = texts.into_iter().map(|(text, _)| text).collect();
        Replaced { codes, ids: ids.into() }
    }

    /// 128 bits, in hexadecimal.
    fn text(&self, code: &str) -> String {
        let value = self.keyed.value(&Context::new("code").text(code));
        format!("{:032x}", u128::from_be_bytes(value.first_chunk().copied().unwrap_or_default()))
    }
}

impl Source for OwnCodes {
    fn buckets(&self) -> u32 {
        self.data.buckets()
    }

    fn columns(&self, table: &str) -> Option<Vec<SourceColumn>> {
        self.data.columns(table)
    }

    fn rows(&self, table: &str) -> Result<u64, SourceError> {
        self.data.rows(table)
    }

    fn dictionary(&self, table: &str, column: &str) -> Result<Vec<String>, SourceError> {
        match self.replaced(table, column)? {
            Some(replaced) => Ok(replaced.codes.clone()),
            None => self.data.dictionary(table, column),
        }
    }

    fn scan(&self, table: &str, bucket: u32, columns: &[String]) -> Result<Batches, SourceError> {
        let replaced = columns.iter().map(|column| self.replaced(table, column));
        let replaced = replaced.collect::<Result<Vec<_>, _>>()?;
        let batches = self.data.scan(table, bucket, columns)?;
        if replaced.iter().all(Option::is_none) {
            return Ok(batches);
        }
        Ok(Box::new(batches.map(move |batch| renumber(&batch?, &replaced))))
    }
}

/// Gives a batch, the token first, the new ids.
fn renumber(
    batch: &RecordBatch,
    replaced: &[Option<Arc<Replaced>>],
) -> Result<RecordBatch, SourceError> {
    let unreadable = |what: &str| SourceError::Unreadable(what.to_owned());
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    for (column, replaced) in columns.iter_mut().skip(1).zip(replaced) {
        let Some(replaced) = replaced else { continue };
        let ids = column.as_primitive_opt::<UInt32Type>();
        let ids = ids.ok_or_else(|| unreadable("codes must be stored as u32"))?;
        let checked = Some(TakeOptions { check_bounds: true });
        *column = take(&replaced.ids, ids, checked)
            .map_err(|_| unreadable("a code is outside its dictionary"))?;
    }
    RecordBatch::try_new(batch.schema(), columns)
        .map_err(|_| unreadable("a column has another type than stored"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of nothing but dictionaries: `a` has all codes, `b` every third.
    struct Codes;

    impl Source for Codes {
        fn buckets(&self) -> u32 {
            1
        }

        fn columns(&self, _: &str) -> Option<Vec<SourceColumn>> {
            let column = |name: &str, token| {
                let kind = sekisho_module::ColumnKind::Code;
                SourceColumn { name: name.to_owned(), kind, token }
            };
            Some(vec![column("serial", true), column("sex", false)])
        }

        fn rows(&self, _: &str) -> Result<u64, SourceError> {
            Ok(0)
        }

        fn dictionary(&self, table: &str, _: &str) -> Result<Vec<String>, SourceError> {
            let step = if table == "a" { 1 } else { 3 };
            Ok((100..400).step_by(step).map(|code| code.to_string()).collect())
        }

        fn scan(&self, _: &str, _: u32, _: &[String]) -> Result<Batches, SourceError> {
            Ok(Box::new(std::iter::empty()))
        }
    }

    fn of(project: u8) -> OwnCodes {
        let key = Key::danger_from_bytes(&[project; 32]).unwrap();
        OwnCodes::over(Arc::new(Codes), &key)
    }

    /// The new text of each old code.
    fn texts(codes: &OwnCodes, table: &str) -> BTreeMap<String, String> {
        let old = Codes.dictionary(table, "serial").unwrap();
        let new = codes.replaced(table, "serial").unwrap().unwrap();
        assert!(new.codes.is_sorted());
        let text = |id: u32| new.codes[id as usize].clone();
        old.into_iter().zip(new.ids.values().iter().map(|id| text(*id))).collect()
    }

    #[test]
    fn two_projects_have_neither_a_text_nor_an_order_in_common() {
        let (one, other) = (of(1), of(2));
        let (mine, theirs) = (texts(&one, "a"), texts(&other, "a"));
        assert!(mine.values().all(|text| !theirs.values().any(|other| other == text)));
        let ids = |codes: &OwnCodes| codes.replaced("a", "serial").unwrap().unwrap().ids.clone();
        let (mine, theirs) = (ids(&one), ids(&other));
        let same = mine.values().iter().zip(theirs.values()).filter(|(a, b)| a == b).count();
        assert!(same < 15, "{same} of 300 codes keep their place");
        assert_eq!(ids(&of(1)), mine, "a project's own stay the same");
    }

    #[test]
    fn tables_of_one_project_still_join() {
        let (all, some) = (texts(&of(1), "a"), texts(&of(1), "b"));
        assert_eq!(some.len(), 100);
        assert!(some.iter().all(|(old, new)| all[old] == *new));
    }

    #[test]
    fn other_codes_stay_as_they_are() {
        let codes = of(1).dictionary("a", "sex").unwrap();
        assert_eq!(codes, Codes.dictionary("a", "sex").unwrap());
    }
}
