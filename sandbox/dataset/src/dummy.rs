//! Dummy data, sealed like real data so that a local run takes the same path.
//!
//! The rows come from [`sekisho_profile::dummy`], which can open nothing.

use std::path::Path;

pub use sekisho_profile::dummy::{DummyTable, Stream, generate};
use sekisho_vault::{MemoryVault, SigningIdentity};

use crate::writer::Sealed;
use crate::{
    DatasetError, Profile, Provenance, SealOptions, SealedVersion, SealedWriter, SourceNote,
};

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
