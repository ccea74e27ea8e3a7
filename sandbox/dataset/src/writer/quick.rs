use std::collections::HashMap;

use arrow::array::{Array as _, UInt32Array};
use arrow::record_batch::RecordBatch;

use super::sorted::SortedTable;
use crate::{QuickCell, QuickCounts, TableSpec};

/// Shown counts are multiples of it.
const BASE: u64 = 10;

/// Counts persons by combinations of codes while their rows pass.
pub(super) struct Quick {
    columns: Vec<(String, usize)>,
    cells: HashMap<Vec<Option<u32>>, u64>,
}

impl Quick {
    /// `None` when the table has nothing the public may count.
    pub(super) fn of(spec: &TableSpec) -> Option<Self> {
        let place = |name: &String| {
            let place = spec.columns.iter().position(|column| column.name == *name)?;
            Some((name.clone(), place))
        };
        let columns: Vec<_> = spec.quick_counts.iter().filter_map(place).collect();
        (!columns.is_empty()).then(|| Self { columns, cells: HashMap::new() })
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let arrays = self.columns.iter().filter_map(|(_, place)| batch.columns().get(*place));
        let codes: Vec<&UInt32Array> =
            arrays.filter_map(|array| array.as_any().downcast_ref::<UInt32Array>()).collect();
        for row in 0..batch.num_rows() {
            let cell = codes.iter().map(|codes| codes.is_valid(row).then(|| codes.value(row)));
            *self.cells.entry(cell.collect()).or_default() += 1;
        }
    }

    /// What may be shown.
    pub(super) fn finish(self, sorted: &SortedTable, min_cell: u32) -> QuickCounts {
        let least = u64::from(min_cell).max(BASE);
        let text = |(name, id): (&String, &Option<u32>)| {
            id.and_then(|id| sorted.text(name, id)).unwrap_or_default()
        };
        let names = || self.columns.iter().map(|(name, _)| name);
        let shown = self.cells.iter().filter(|(_, patients)| **patients >= least);
        let mut cells: Vec<QuickCell> = shown
            .map(|(ids, patients)| QuickCell {
                codes: names().zip(ids).map(text).collect(),
                patients: patients / BASE * BASE,
            })
            .collect();
        cells.sort();
        QuickCounts { columns: names().cloned().collect(), cells }
    }
}
