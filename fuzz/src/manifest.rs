//! `analysis.toml`: a researcher writes it; gateway, command line and engine parse it.

use std::path::{Path, PathBuf};

use sekisho_module::{Manifest, OutputBody};

/// Most cells of one output: the product of its key domains, whatever they say of themselves.
const MOST_CELLS: usize = 10_000;

/// A manifest is refused with codes, or is valid: the same when it is parsed again, of bounded
/// size, and its own defaults fit its parameters unless one has none.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(errors) => {
            assert!(!errors.0.is_empty());
            let stable = |code: &str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(errors.0.iter().all(|error| stable(error.code)), "{errors:?}");
            return;
        }
    };
    assert_eq!(Manifest::parse(text).as_ref(), Ok(&manifest));
    assert!(bytes.len() <= 64 * 1024);
    for output in &manifest.outputs {
        if let OutputBody::Aggregate(aggregate) = &output.body {
            assert!((1..=MOST_CELLS).contains(&aggregate.cells()), "{output:?}");
            if let Some(default) = &aggregate.default {
                assert_eq!(default.keys.len(), aggregate.keys.len());
                assert_eq!(default.values.len(), aggregate.arity());
            }
        }
    }
    if let Err(errors) = manifest.bind(&[]) {
        assert!(!errors.is_empty());
    }
    let _ = manifest.bring_ins();
}

/// The manifests of guests and examples.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["sandbox/guests", "sdk/examples", "tests/hostile"];
    let below = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut files: Vec<PathBuf> =
        below.map(|entry| entry.unwrap().path().join("analysis.toml")).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}
