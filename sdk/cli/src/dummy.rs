//! Made-up rows from a profile alone: as CSV for a person, sealed for a local run.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow::csv::WriterBuilder;
use sekisho_dataset::{DatasetError, Profile, SealedVersion, dummy};
use sekisho_vault::{MemoryVault, SigningIdentity, VerifyingIdentity};
use serde::Serialize;

use crate::error::CliError;

/// Dummy versions, sealed with keys that live in this process only.
#[derive(Debug)]
pub(crate) struct SealedDummies {
    /// The versions as opened again.
    pub versions: Vec<SealedVersion>,
    /// Unwraps their keys.
    pub vault: MemoryVault,
    /// Who signed them.
    pub signer: VerifyingIdentity,
}

/// One CSV file written.
#[derive(Debug, Serialize)]
pub(crate) struct DummyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Rows without the header.
    pub rows: usize,
}

/// Parses a profile.
///
/// # Errors
/// Fails with every mistake of the profile at once.
pub(crate) fn parse_profile(text: &str) -> Result<Profile, CliError> {
    Profile::parse(text).map_err(|errors| CliError::Input(format!("profile: {errors}")))
}

/// Draws dummy rows and writes one CSV file per table into `out`, replacing older ones.
///
/// # Errors
/// Fails when the profile is malformed or the folder cannot be written.
pub(crate) fn write_csv(
    profile: &str,
    patients: u32,
    seed: u64,
    out: &Path,
) -> Result<Vec<DummyFile>, CliError> {
    let profile = parse_profile(profile)?;
    fs::create_dir_all(out).map_err(CliError::file(out))?;
    let tables = dummy::generate(&profile, patients, seed).map_err(|error| input(error.into()))?;
    let write = |table: &dummy::DummyTable| {
        let path = out.join(format!("{}.csv", table.name));
        let file = File::create(&path).map_err(CliError::file(&path))?;
        WriterBuilder::new()
            .with_header(true)
            .build(file)
            .write(&table.rows)
            .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
        Ok(DummyFile { path, rows: table.rows.num_rows() })
    };
    tables.iter().map(write).collect()
}

/// Draws dummy rows and seals them under `root`, as ingest seals real ones, so that a local
/// run takes the same path as one on the server. One seed draws the same persons for every
/// profile, so joined tables meet.
///
/// # Errors
/// Fails when a profile's generators do not fit or the folder cannot be written.
pub(crate) fn seal(
    profiles: &[Profile],
    patients: u32,
    seed: u64,
    root: &Path,
) -> Result<SealedDummies, CliError> {
    let seal = || {
        let (vault, identity) = (MemoryVault::new()?, SigningIdentity::generate()?);
        let versions = profiles
            .iter()
            .map(|profile| dummy::seal(profile, patients, seed, root, (&vault, &identity)))
            .collect::<Result<_, _>>()?;
        Ok::<_, DatasetError>(SealedDummies { versions, vault, signer: identity.verifying() })
    };
    seal().map_err(input)
}

fn input(error: DatasetError) -> CliError {
    CliError::Input(format!("dummy data: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = include_str!("../../../policies/profiles/lung.toml");

    #[test]
    fn the_same_seed_gives_the_same_csv() {
        let dir = tempfile::tempdir().expect("temp");
        let write = |name: &str, seed: u64| {
            let out = dir.path().join(name);
            let files = write_csv(PROFILE, 20, seed, &out).expect("written");
            assert_eq!(files[0].rows, 20);
            fs::read_to_string(&files[0].path).expect("read")
        };
        let (first, again, other) = (write("a", 1), write("b", 1), write("c", 2));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(first.lines().count(), 21);
    }

    #[test]
    fn a_sealed_dummy_version_opens_for_its_signer() {
        let dir = tempfile::tempdir().expect("temp");
        let profile = parse_profile(PROFILE).expect("profile");
        let sealed = seal(&[profile], 20, 1, dir.path()).expect("sealed");
        assert_eq!(sealed.versions[0].manifest().patients, 20);
        assert!(SealedVersion::open(sealed.versions[0].folder(), &sealed.signer).is_ok());
    }

    #[test]
    fn a_malformed_profile_is_a_usage_error() {
        let error = parse_profile("id = 1").expect_err("malformed");
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
    }
}
