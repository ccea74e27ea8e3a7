//! What the manifest asks for, checked against what was granted.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, StringArray};
use sekisho_module::{ColumnInput, ColumnKind, Manifest, TableInput, World};
use sekisho_proto::v1::GrantedTable;
use std::sync::Arc;

use crate::failure::Failed;
use crate::lookup::Lookups;
use crate::scan::HeldCodes;
use crate::{Source, SourceColumn};

/// One declared table, ready to be scanned.
#[derive(Clone)]
pub(crate) struct TableView {
    pub(crate) name: String,
    /// Declared columns without the patient column, in declared order.
    pub(crate) columns: Vec<ColumnView>,
    /// Where the patient column stands among the declared ones; cohort world only.
    pub(crate) patient_at: Option<usize>,
    /// Everything a row filter may name: columns of the dataset alone.
    pub(crate) granted: Vec<SourceColumn>,
    /// SQL predicate; empty lets every row through.
    pub(crate) row_filter: String,
    /// Rows before the filter.
    pub(crate) rows: u64,
}

#[derive(Clone)]
pub(crate) struct ColumnView {
    /// Name in the sealed table; for a looked-up column, that of the column it is looked up by.
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    /// Its value for each dictionary id of that column; unset for a column of the dataset.
    pub(crate) looked_up: Option<ArrayRef>,
    /// What a guest is given for each dictionary id. By patient: its position in the
    /// manifest. Cohort world: its place among the codes of the view, when rows are filtered;
    /// otherwise empty, for ids are given as they are.
    pub(crate) positions: Vec<u32>,
}

/// Dictionaries by table and column; read once, shared.
#[derive(Default)]
pub(crate) struct Dictionaries(BTreeMap<(String, String), Arc<Vec<String>>>);

impl Dictionaries {
    pub(crate) fn of(
        &mut self,
        data: &dyn Source,
        table: &str,
        column: &str,
    ) -> Result<Arc<Vec<String>>, Failed> {
        let key = (table.to_owned(), column.to_owned());
        if let Some(found) = self.0.get(&key) {
            return Ok(Arc::clone(found));
        }
        let codes = Arc::new(data.dictionary(table, column)?);
        self.0.insert(key, Arc::clone(&codes));
        Ok(codes)
    }

    /// Sets what a guest is shown: the codes of a looked-up column, or those of a column that
    /// its view holds.
    pub(crate) fn set(&mut self, table: &str, column: &str, codes: Vec<String>) {
        self.0.insert((table.to_owned(), column.to_owned()), Arc::new(codes));
    }

    pub(crate) fn array(
        &mut self,
        data: &dyn Source,
        table: &str,
        column: &str,
    ) -> Result<ArrayRef, Failed> {
        let codes = self.of(data, table, column)?;
        Ok(Arc::new(StringArray::from_iter_values(codes.iter())))
    }
}

impl TableView {
    /// Leaves of its columns' dictionaries only what the view holds, so that nobody learns
    /// which other codes there are (design invariant 9), and numbers the codes anew.
    pub(crate) fn narrow(
        &mut self,
        held: Vec<HeldCodes>,
        data: &dyn Source,
        dictionaries: &mut Dictionaries,
    ) -> Result<(), Failed> {
        for HeldCodes { column: name, ids } in held {
            let codes = dictionaries.of(data, &self.name, &name)?;
            let (mut left, mut positions) = (Vec::new(), Vec::with_capacity(codes.len()));
            for (code, held) in codes.iter().zip(ids) {
                let place = u32::try_from(left.len()).unwrap_or(u32::MAX);
                positions.push(if held { place } else { u32::MAX });
                left.extend(held.then(|| code.clone()));
            }
            dictionaries.set(&self.name, &name, left);
            if let Some(column) = self.columns.iter_mut().find(|c| c.is_sealed_code(&name)) {
                column.positions = positions;
            }
        }
        Ok(())
    }
}

impl ColumnView {
    /// Whether it is a column of codes of the dataset, by this name.
    fn is_sealed_code(&self, name: &str) -> bool {
        self.looked_up.is_none() && self.kind == ColumnKind::Code && self.name == name
    }
}

/// Resolves every declared table; a table or column that is not granted fails the run
/// before the guest starts (design invariant 9).
pub(crate) fn resolve(
    manifest: &Manifest,
    granted: &[GrantedTable],
    data: &dyn Source,
    lookups: &Lookups,
    dictionaries: &mut Dictionaries,
) -> Result<Vec<TableView>, Failed> {
    let world = manifest.world;
    let mut resolve = Resolve { world, granted, data, lookups, dictionaries };
    manifest.tables.iter().map(|table| resolve.table(table)).collect()
}

struct Resolve<'a> {
    world: World,
    granted: &'a [GrantedTable],
    data: &'a dyn Source,
    lookups: &'a Lookups,
    dictionaries: &'a mut Dictionaries,
}

impl Resolve<'_> {
    fn table(&mut self, wanted: &TableInput) -> Result<TableView, Failed> {
        let refused = || not_granted(format!("table {}", wanted.name));
        let grant = self.granted.iter().find(|g| g.table == wanted.name).ok_or_else(refused)?;
        let held = self.data.columns(&wanted.name).ok_or_else(refused)?;
        let in_view: Vec<SourceColumn> =
            held.into_iter().filter(|c| grant.columns.contains(&c.name)).collect();
        let columns = wanted.columns.iter().filter(|c| c.kind != ColumnKind::Patient);
        let columns = columns.map(|column| self.column(&wanted.name, column, &in_view));
        Ok(TableView {
            columns: columns.collect::<Result<_, Failed>>()?,
            name: wanted.name.clone(),
            patient_at: wanted.columns.iter().position(|c| c.kind == ColumnKind::Patient),
            granted: in_view,
            row_filter: grant.row_filter.trim().to_owned(),
            rows: self.data.rows(&wanted.name)?,
        })
    }

    fn column(
        &mut self,
        table: &str,
        column: &ColumnInput,
        in_view: &[SourceColumn],
    ) -> Result<ColumnView, Failed> {
        let sealed = |name: &str| {
            let found = in_view.iter().find(|c| c.name == name);
            found.ok_or_else(|| not_granted(format!("column {table}.{name}")))
        };
        let (name, looked_up) = match column.lookup() {
            None => {
                of_kind(table, &column.name, sealed(&column.name)?.kind, column.kind)?;
                (column.name.clone(), None)
            }
            Some(lookup) => {
                let by = sealed(lookup.by)?;
                of_kind(table, lookup.by, by.kind, ColumnKind::Code)?;
                if by.token {
                    let message = format!("nobody can know the codes of {table}.{}", by.name);
                    return Err(Failed::contract("lookup_by_token", message));
                }
                let codes = self.dictionaries.of(self.data, table, lookup.by)?;
                let found = self.lookups.look_up(lookup, &codes)?;
                of_kind(table, &column.name, found.kind, column.kind)?;
                self.dictionaries.set(table, &column.name, found.dictionary);
                (lookup.by.to_owned(), Some(found.values))
            }
        };
        let positions = match (self.world, column.kind) {
            (world, ColumnKind::Code) if world.by_patient() => {
                positions(&self.dictionaries.of(self.data, table, &column.name)?, &column.codes)
            }
            _ => Vec::new(),
        };
        Ok(ColumnView { name, kind: column.kind, looked_up, positions })
    }
}

fn not_granted(what: String) -> Failed {
    Failed::contract("not_granted", format!("{what} is not granted"))
}

fn of_kind(table: &str, column: &str, is: ColumnKind, said: ColumnKind) -> Result<(), Failed> {
    if is == said {
        return Ok(());
    }
    let (is, said) = (is.name(), said.name());
    let message = format!("column {table}.{column} is {is}, the manifest says {said}");
    Err(Failed::contract("column_kind", message))
}

/// For each dictionary id its position among the codes of interest, `u32::MAX` for others.
fn positions(dictionary: &[String], of_interest: &[String]) -> Vec<u32> {
    dictionary
        .iter()
        .map(|code| {
            let at = of_interest.iter().position(|c| c == code);
            at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX)
        })
        .collect()
}
