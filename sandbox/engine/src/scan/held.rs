//! Which codes a filtered view holds. A sealed dictionary is of the whole column: it would
//! tell of codes that only rows outside the view have.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use sekisho_module::ColumnKind;

use super::Scanner;
use crate::failure::Failed;
use crate::view::{ColumnView, Dictionaries, TableView};

/// The codes of one column that rows of the view have.
pub(crate) struct HeldCodes {
    /// Name of the column.
    pub(crate) column: String,
    /// For each id of its sealed dictionary whether a row has it.
    pub(crate) ids: Vec<bool>,
}

impl Scanner {
    /// Reads the declared columns of codes once; none where no row is filtered, since then
    /// the sealed dictionaries are those of the view. The rows count for no progress.
    pub(crate) fn held_codes(
        &self,
        view: &TableView,
        dictionaries: &mut Dictionaries,
        deadline: Instant,
    ) -> Result<Vec<HeldCodes>, Failed> {
        let sealed_codes =
            |column: &&ColumnView| column.kind == ColumnKind::Code && column.looked_up.is_none();
        let columns: Vec<_> = view.columns.iter().filter(sealed_codes).cloned().collect();
        if view.row_filter.is_empty() || columns.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = Vec::with_capacity(columns.len());
        for column in &columns {
            let codes = dictionaries.of(&*self.data, &view.name, &column.name)?;
            held.push(HeldCodes { column: column.name.clone(), ids: vec![false; codes.len()] });
        }
        let view = TableView { columns, patient_at: None, ..view.clone() };
        let scan = self.plan_counted(&view, dictionaries, &Arc::default())?;
        for bucket in 0..scan.buckets {
            let mut rows = scan.bucket(bucket)?;
            while let Some(batch) = rows.next()? {
                if Instant::now() >= deadline {
                    return Err(Failed::limit("wall_time", "the deadline passed"));
                }
                for (held, array) in held.iter_mut().zip(batch.columns().iter().skip(1)) {
                    held.mark(array)?;
                }
            }
        }
        Ok(held)
    }
}

impl HeldCodes {
    fn mark(&mut self, array: &dyn Array) -> Result<(), Failed> {
        let ids = array.as_primitive_opt::<UInt32Type>().ok_or_else(|| {
            Failed::environment("data_type", "a column has another type than stored")
        })?;
        for id in ids.iter().flatten() {
            let held = self.ids.get_mut(id as usize).ok_or_else(|| {
                Failed::environment("data_type", "a code is outside its dictionary")
            })?;
            *held = true;
        }
        Ok(())
    }
}
