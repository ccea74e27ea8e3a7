//! What the manifest asks for, checked against what was granted.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, StringArray};
use sekisho_module::{ColumnKind, Manifest, TableInput, World};
use sekisho_proto::v1::GrantedTable;
use std::sync::Arc;

use crate::failure::Failed;
use crate::{Source, SourceColumn};

/// One declared table, ready to be scanned.
pub(crate) struct TableView {
    pub(crate) name: String,
    /// Declared columns without the patient column, in declared order.
    pub(crate) columns: Vec<ColumnView>,
    /// Where the patient column stands among the declared ones; cohort world only.
    pub(crate) patient_at: Option<usize>,
    /// Everything a row filter may name.
    pub(crate) granted: Vec<SourceColumn>,
    /// SQL predicate; empty lets every row through.
    pub(crate) row_filter: String,
    /// Rows before the filter.
    pub(crate) rows: u64,
}

pub(crate) struct ColumnView {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    /// Per-patient world: manifest position of each dictionary id.
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

/// Resolves every declared table; a table or column that is not granted fails the run
/// before the guest starts (design invariant 9).
pub(crate) fn resolve(
    manifest: &Manifest,
    granted: &[GrantedTable],
    data: &dyn Source,
    dictionaries: &mut Dictionaries,
) -> Result<Vec<TableView>, Failed> {
    manifest
        .tables
        .iter()
        .map(|table| resolve_table(table, manifest.world, granted, data, dictionaries))
        .collect()
}

fn resolve_table(
    wanted: &TableInput,
    world: World,
    granted: &[GrantedTable],
    data: &dyn Source,
    dictionaries: &mut Dictionaries,
) -> Result<TableView, Failed> {
    let refused = |what: String| Failed::contract("not_granted", format!("{what} is not granted"));
    let grant = granted
        .iter()
        .find(|g| g.table == wanted.name)
        .ok_or_else(|| refused(format!("table {}", wanted.name)))?;
    let held =
        data.columns(&wanted.name).ok_or_else(|| refused(format!("table {}", wanted.name)))?;
    let in_view: Vec<SourceColumn> =
        held.into_iter().filter(|c| grant.columns.contains(&c.name)).collect();
    let mut columns = Vec::new();
    for column in wanted.columns.iter().filter(|c| c.kind != ColumnKind::Patient) {
        let path = format!("{}.{}", wanted.name, column.name);
        let found = in_view
            .iter()
            .find(|c| c.name == column.name)
            .ok_or_else(|| refused(format!("column {path}")))?;
        if found.kind != column.kind {
            let (is, said) = (found.kind.name(), column.kind.name());
            let message = format!("column {path} is {is}, the manifest says {said}");
            return Err(Failed::contract("column_kind", message));
        }
        let positions = match (world, column.kind) {
            (World::PerPatient, ColumnKind::Code) => {
                let codes = dictionaries.of(data, &wanted.name, &column.name)?;
                positions(&codes, &column.codes)
            }
            _ => Vec::new(),
        };
        columns.push(ColumnView { name: column.name.clone(), kind: column.kind, positions });
    }
    Ok(TableView {
        name: wanted.name.clone(),
        columns,
        patient_at: wanted.columns.iter().position(|c| c.kind == ColumnKind::Patient),
        granted: in_view,
        row_filter: grant.row_filter.trim().to_owned(),
        rows: data.rows(&wanted.name)?,
    })
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
