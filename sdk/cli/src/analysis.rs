//! Finding the two files of an analysis: analysis.toml and its component.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::CliError;

/// Where an analysis lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnalysisFiles {
    /// analysis.toml.
    pub manifest: PathBuf,
    /// The WebAssembly component.
    pub component: PathBuf,
    /// A name for it: the folder's, or the component's without its ending.
    pub name: String,
}

impl AnalysisFiles {
    /// Looks at a folder holding analysis.toml, or at a manifest file; the
    /// component is the one given, else the only `.wasm` beside the manifest.
    ///
    /// # Errors
    /// Fails when there is no manifest, no component, or more than one.
    pub(crate) fn find(analysis: &Path, component: Option<&Path>) -> Result<Self, CliError> {
        let manifest =
            if analysis.is_dir() { analysis.join("analysis.toml") } else { analysis.to_owned() };
        if !manifest.is_file() {
            let text = format!("{} is not a file", manifest.display());
            return Err(CliError::Input(text));
        }
        let folder = manifest.parent().unwrap_or(Path::new("."));
        let component = match component {
            Some(path) => path.to_owned(),
            None => only_component(folder)?,
        };
        let name = component
            .file_stem()
            .map(|stem| stem.to_string_lossy().replace('_', "-"))
            .unwrap_or_default();
        Ok(Self { manifest, component, name })
    }
}

fn only_component(folder: &Path) -> Result<PathBuf, CliError> {
    let entries = fs::read_dir(folder).map_err(CliError::file(folder))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        (Some(_), false) => Err(CliError::Input(format!(
            "{} holds more than one .wasm file; name one with --component",
            folder.display()
        ))),
        (None, _) => Err(CliError::Input(format!(
            "{} holds no .wasm file; build the module or name it with --component",
            folder.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_component_beside_the_manifest_is_taken() {
        let dir = tempfile::tempdir().expect("temp");
        let touch = |name: &str| fs::write(dir.path().join(name), "x").expect("written");
        assert!(AnalysisFiles::find(dir.path(), None).is_err());
        touch("analysis.toml");
        assert!(AnalysisFiles::find(dir.path(), None).is_err());
        touch("km_by_sex.wasm");
        let files = AnalysisFiles::find(dir.path(), None).expect("found");
        assert_eq!(files.name, "km-by-sex");
        touch("other.wasm");
        assert!(AnalysisFiles::find(dir.path(), None).is_err());
        let named = dir.path().join("other.wasm");
        let manifest = dir.path().join("analysis.toml");
        let files = AnalysisFiles::find(&manifest, Some(&named)).expect("found");
        assert_eq!(files.component, named);
    }
}
