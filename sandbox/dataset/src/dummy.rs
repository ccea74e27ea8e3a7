//! Dummy data from a profile alone: what a researcher develops against.
//!
//! The same profile, number of patients and seed give the same rows on every machine: the
//! numbers come from integer arithmetic and basic floating-point operations only, never
//! from a platform's mathematics library.

mod columns;
mod stream;

use std::path::Path;

use arrow::array::RecordBatch;
use sekisho_vault::{MemoryVault, SigningIdentity};

use crate::writer::Sealed;
use crate::{
    DatasetError, Profile, Provenance, SealOptions, SealedVersion, SealedWriter, SourceNote,
    TableSpec, source_schema,
};
use columns::DummyColumns;
pub use stream::Stream;

/// The dummy rows of one table, ready for [`SealedWriter::push`].
#[derive(Clone, Debug)]
pub struct DummyTable {
    /// Name of the table.
    pub name: String,
    /// All its rows, in the table's [`source_schema`].
    pub rows: RecordBatch,
}

/// Draws dummy rows for this many patients.
pub fn generate(
    profile: &Profile,
    patients: u32,
    seed: u64,
) -> Result<Vec<DummyTable>, DatasetError> {
    let tables = (0_u64..).zip(&profile.tables);
    tables.map(|(number, table)| draw_table(table, number, patients, seed)).collect()
}

/// Draws dummy rows and seals them as version `v1` under `root`, so that a local run takes
/// the same path as one on the server.
///
/// # Errors
/// [`DatasetError`] when the profile's generators do not fit or the folder cannot be written.
pub fn seal(
    profile: &Profile,
    patients: u32,
    seed: u64,
    root: &Path,
    (vault, identity): (&MemoryVault, &SigningIdentity),
) -> Result<SealedVersion, DatasetError> {
    let options = SealOptions { version: Some("v1".to_owned()), ..SealOptions::default() };
    let mut writer = SealedWriter::create(root, profile, &options)?;
    let mut provenance = Provenance {
        tool: concat!("sekisho-dataset ", env!("CARGO_PKG_VERSION")).to_owned(),
        method: format!("dummy patients={patients} seed={seed}"),
        ..Provenance::default()
    };
    for table in generate(profile, patients, seed)? {
        writer.push(&table.name, &table.rows)?;
        provenance.sources.push(SourceNote {
            table: table.name,
            rows: table.rows.num_rows() as u64,
            keyed_digest: String::new(),
        });
    }
    let Sealed { folder, .. } = writer.finish(provenance, vault, identity, &mut |_, _| {})?;
    SealedVersion::open(&folder, &identity.verifying())
}

fn draw_table(
    table: &TableSpec,
    number: u64,
    patients: u32,
    seed: u64,
) -> Result<DummyTable, DatasetError> {
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
