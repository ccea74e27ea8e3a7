//! Dummy data from a profile alone: what a researcher develops against (CT-1).
//!
//! The same profile, number of patients and seed give the same rows on every machine: the
//! numbers come from integer arithmetic and basic floating-point operations only, never
//! from a platform's mathematics library.

mod columns;
mod draw;
mod processed;
mod stream;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::{Profile, TableSpec, source_schema};
use columns::DummyColumns;
pub use stream::Stream;

/// The dummy rows of one table.
#[derive(Clone, Debug)]
pub struct DummyTable {
    /// Name of the table.
    pub name: String,
    /// All its rows, in the table's [`source_schema`].
    pub rows: RecordBatch,
}

/// Draws dummy rows for this many patients.
///
/// # Errors
/// [`ArrowError`] when the values do not fit their table's schema.
pub fn generate(
    profile: &Profile,
    patients: u32,
    seed: u64,
) -> Result<Vec<DummyTable>, ArrowError> {
    let tables = (0_u64..).zip(&profile.tables);
    tables.map(|(number, table)| draw_table(table, number, patients, seed)).collect()
}

fn draw_table(
    table: &TableSpec,
    number: u64,
    patients: u32,
    seed: u64,
) -> Result<DummyTable, ArrowError> {
    let mut columns = DummyColumns::new(table);
    let (fewest, most) = table.dummy_rows;
    for patient in 0..u64::from(patients) {
        // One stream a table and patient: a change in one leaves the others as they were.
        let mut stream = Stream::new(seed, number << 40 | patient);
        for _ in 0..stream.between(u64::from(fewest), u64::from(most)) {
            columns.draw_row(Stream::token(seed, patient), &mut stream);
        }
    }
    let rows = RecordBatch::try_new(source_schema(table), columns.into_arrays())?;
    Ok(DummyTable { name: table.name.clone(), rows })
}

#[cfg(test)]
mod tests;
