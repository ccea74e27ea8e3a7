use std::collections::{BTreeMap, BTreeSet};

use sekisho_vault::{Key, Zeroizing};
use serde::{Deserialize, Serialize};

use crate::DatasetError;
use crate::layout::Place;

/// Which columns of which tables may be read. A granted table's patient column and footer
/// key are implied: rows cannot be counted by person without them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Column names by table name.
    pub tables: BTreeMap<String, BTreeSet<String>>,
}

impl Grant {
    /// A grant of these columns of these tables.
    #[must_use]
    pub fn of(tables: &[(&str, &[&str])]) -> Self {
        let columns = |columns: &[&str]| columns.iter().map(ToString::to_string).collect();
        let tables = tables.iter().map(|(table, names)| (table.to_string(), columns(names)));
        Self { tables: tables.collect() }
    }
}

/// The unwrapped keys of a grant, and no others. Wiped when dropped; bound to one version.
#[derive(Clone, Debug)]
pub struct GrantedKeys {
    pub(crate) place: Place,
    pub(crate) tables: BTreeMap<String, TableKeys>,
}

#[derive(Clone, Debug)]
pub(crate) struct TableKeys {
    pub(crate) footer: Key,
    pub(crate) columns: BTreeMap<String, Key>,
}

const MAGIC: &[u8; 8] = b"SKGRANT1";

impl GrantedKeys {
    /// Id of the data set they open.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.place.dataset
    }

    /// Version they open.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.place.version
    }

    /// The columns they open, patient columns included, by table.
    #[must_use]
    pub fn columns(&self) -> BTreeMap<&str, Vec<&str>> {
        let tables = self.tables.iter();
        tables
            .map(|(table, keys)| {
                (table.as_str(), keys.columns.keys().map(String::as_str).collect())
            })
            .collect()
    }

    /// The keys as bytes, for the pipe to the jailed runner and nothing else. Dangerous:
    /// these are the keys in the clear.
    #[must_use]
    pub fn danger_to_pipe(&self) -> Zeroizing<Vec<u8>> {
        // The exact size first: a growing vector would leave unwiped copies behind.
        let mut size = 0;
        self.write(&mut |bytes| size += bytes.len());
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        self.write(&mut |bytes| out.extend_from_slice(bytes));
        out
    }

    /// Reads what [`Self::danger_to_pipe`] wrote.
    pub fn from_pipe(bytes: &[u8]) -> Result<Self, DatasetError> {
        let mut input = Input(bytes);
        if input.take(MAGIC.len())? != MAGIC {
            return Err(DatasetError::NotGrantedKeys);
        }
        let place = Place { dataset: input.text()?, version: input.text()? };
        let mut tables = BTreeMap::new();
        for _ in 0..input.count()? {
            let name = input.text()?;
            let footer = input.key()?;
            let mut columns = BTreeMap::new();
            for _ in 0..input.count()? {
                columns.insert(input.text()?, input.key()?);
            }
            tables.insert(name, TableKeys { footer, columns });
        }
        if !input.0.is_empty() {
            return Err(DatasetError::NotGrantedKeys);
        }
        Ok(Self { place, tables })
    }

    fn write(&self, out: &mut dyn FnMut(&[u8])) {
        out(MAGIC);
        text(out, &self.place.dataset);
        text(out, &self.place.version);
        count(out, self.tables.len());
        for (name, keys) in &self.tables {
            text(out, name);
            out(keys.footer.danger_bytes());
            count(out, keys.columns.len());
            for (column, key) in &keys.columns {
                text(out, column);
                out(key.danger_bytes());
            }
        }
    }
}

fn count(out: &mut dyn FnMut(&[u8]), number: usize) {
    // Names are at most 63 bytes and tables have far fewer than 2^32 columns.
    out(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
}

fn text(out: &mut dyn FnMut(&[u8]), text: &str) {
    count(out, text.len());
    out(text.as_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], DatasetError> {
        let (head, rest) = self.0.split_at_checked(size).ok_or(DatasetError::NotGrantedKeys)?;
        self.0 = rest;
        Ok(head)
    }

    fn count(&mut self) -> Result<u32, DatasetError> {
        let bytes = self.take(4)?.first_chunk::<4>().ok_or(DatasetError::NotGrantedKeys)?;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Result<String, DatasetError> {
        let size = self.count()? as usize;
        let bytes = self.take(size)?.to_vec();
        String::from_utf8(bytes).map_err(|_| DatasetError::NotGrantedKeys)
    }

    fn key(&mut self) -> Result<Key, DatasetError> {
        Key::danger_from_bytes(self.take(32)?).map_err(|_| DatasetError::NotGrantedKeys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> GrantedKeys {
        let key = || Key::generate().unwrap();
        let columns = [("patient", key()), ("age", key())];
        let columns = columns.map(|(name, key)| (name.to_owned(), key)).into();
        GrantedKeys {
            place: Place { dataset: "lung".to_owned(), version: "v1".to_owned() },
            tables: [("lung".to_owned(), TableKeys { footer: key(), columns })].into(),
        }
    }

    #[test]
    fn keys_survive_the_pipe() {
        let keys = keys();
        let piped = keys.danger_to_pipe();
        let back = GrantedKeys::from_pipe(&piped).unwrap();
        assert_eq!(*back.danger_to_pipe(), *piped);
        assert_eq!(back.columns(), keys.columns());
    }

    #[test]
    fn any_cut_or_lengthened_pipe_is_refused() {
        let piped = keys().danger_to_pipe();
        for cut in 0..piped.len() {
            assert!(GrantedKeys::from_pipe(&piped[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [piped.as_slice(), b"x"].concat();
        assert!(matches!(GrantedKeys::from_pipe(&longer), Err(DatasetError::NotGrantedKeys)));
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(format!("{:?}", keys()).contains("Key(..)"));
    }
}
