//! A table to be brought in, as its two files on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sekisho_bring_in::{Files, Refused, Table};

use crate::error::CliError;

/// Reads and checks `TABLE.toml` with the `TABLE.csv` beside it, or `TABLE.toml:OTHER.csv`.
///
/// # Errors
/// Fails when a file cannot be read, and with everything that is wrong with the table at once.
pub(crate) fn read(argument: &str) -> Result<(Files, Table), CliError> {
    let files = files(argument)?;
    let table = files.read().map_err(|refused| refusal(argument, &refused))?;
    Ok((files, table))
}

/// The files alone, unchecked.
pub(crate) fn files(argument: &str) -> Result<Files, CliError> {
    let (description, csv) = paths(argument);
    let read = |path: &Path| fs::read(path).map_err(CliError::file(path));
    Ok(Files { description: read(&description)?, csv: read(&csv)? })
}

/// Every finding, under the name of what was given.
pub(crate) fn refusal(argument: &str, refused: &Refused) -> CliError {
    CliError::Input(format!("{argument}: {refused}"))
}

fn paths(argument: &str) -> (PathBuf, PathBuf) {
    match argument.split_once(':') {
        Some((description, csv)) => (description.into(), csv.into()),
        None => (argument.into(), Path::new(argument).with_extension("csv")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "table = \"burden\"\nabout = \"Scores\"\nkey = \"code\"\n\
        [[column]]\nname = \"code\"\nkind = \"code\"\nabout = \"ICD-10\"\n\
        [[column]]\nname = \"score\"\nkind = \"number\"\nabout = \"Points\"\n";

    #[test]
    fn ri_1_a_table_is_checked_before_anything_runs_or_is_sent() {
        let dir = tempfile::tempdir().expect("temp");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let description = write("burden.toml", DESCRIPTION);
        assert!(read(&description).is_err(), "no table beside it");
        write("burden.csv", "code,score\nI10,2\n");
        let (_, table) = read(&description).expect("read");
        assert_eq!(table.rows(), 1);
        let other = write("other.csv", "code,score\nI10,2\n090-1234-5678,3\n");
        let error = read(&format!("{description}:{other}")).expect_err("refused");
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
        assert!(error.to_string().contains("identifying_value"), "{error}");
        assert!(!error.to_string().contains("090"), "{error}");
    }
}
