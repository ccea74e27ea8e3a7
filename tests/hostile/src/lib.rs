//! The hostile corpus: modules that attack the sandbox, each in a file of its own named by what
//! must stop it, and the table that says where and with which code that happens. Start with
//! `table.rs`, then a file of `per-patient/` or `cohort/`; the README says how to write one.
//!
//! The tests are where the real thing is: `sandbox/engine/tests/it/corpus.rs` looks at, compiles
//! and runs every module, `sandbox/runner/tests/runs.rs` a selection in the jail.
//!
//! Must never depend on: any crate of ours, so that each of them can be tested with it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything here is for tests"
)]

mod lot;
mod table;
mod text;

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub use lot::Lot;
pub use table::CASES;

/// The contract a module of the corpus pretends to implement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// A function of one patient's records.
    PerPatient,
    /// Pulls batches and emits outputs.
    Cohort,
}

impl World {
    /// Its name in WIT and in manifests, and the folder of its modules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PerPatient => "per-patient",
            Self::Cohort => "cohort",
        }
    }

    /// The manifest that all modules of this world come with.
    #[must_use]
    pub fn manifest(self) -> String {
        read(&folder().join(self.name()).join("analysis.toml"))
    }
}

/// How far a module gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The static look refuses it.
    Inspect,
    /// The compiler refuses it, or its process ends.
    Compile,
    /// It cannot be linked, or ends while it is instantiated.
    Instantiate,
    /// It ends while it runs; in the per-patient world, the patient's default stands in.
    Run,
    /// It runs to its end and has told nothing that it should not.
    Output,
}

/// One module of the corpus.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name of its file.
    pub name: &'static str,
    /// Whose contract it pretends to implement.
    pub world: World,
    /// Where it is stopped.
    pub stage: Stage,
    /// The stable code it is stopped with. `default` where every patient's default stands in,
    /// `closed` where two values of its parameter `secret` give the same outputs.
    pub code: &'static str,
    /// What it attacks.
    pub why: &'static str,
}

impl Case {
    /// The module of this name.
    ///
    /// # Panics
    /// When the table has none.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name} is no case"))
    }

    /// The module's bytes.
    #[must_use]
    pub fn module(&self) -> Vec<u8> {
        module(self.world, self.name)
    }
}

/// The bytes of a module from its file. A core module is wrapped as a component of its world,
/// as `componentize` does, unless its file says that it is not wrapped.
///
/// # Panics
/// When the file is missing or no WAT, or when its core module does not fit the world: then it
/// would be refused for another reason than its own.
#[must_use]
pub fn module(world: World, name: &str) -> Vec<u8> {
    let file = folder().join(world.name()).join(name).with_extension("wat");
    let text = text::expand(&read(&file));
    let bytes = wat::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let wrapped = text.contains("\n(module") && !text.contains("not wrapped");
    if wrapped { component(world, bytes).unwrap_or_else(|e| panic!("{name}: {e}")) } else { bytes }
}

/// Wraps a core module as a component of a world.
///
/// # Errors
/// What it lacks or has too much, in words.
pub fn component(world: World, mut core: Vec<u8>) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{error:#}");
    let mut wit = Resolve::default();
    let package = wit.push_str("analysis.wit", WIT).map_err(|e| told(&e))?;
    let chosen = wit.select_world(&[package], Some(world.name())).map_err(|e| told(&e))?;
    embed_component_metadata(&mut core, &wit, chosen, StringEncoding::UTF8)
        .map_err(|e| told(&e))?;
    let encoder = ComponentEncoder::default().validate(true).module(&core);
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|e| told(&e))
}

const WIT: &str = include_str!("../../../sandbox/wit/analysis.wit");

/// The folder of the corpus.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Modules that are no attack: what others are compared with, and what tests of the engine
    /// ask the sandbox with.
    const NOT_HOSTILE: [(World, &str); 6] = [
        (World::Cohort, "harmless"),
        (World::PerPatient, "fails_for_one"),
        (World::PerPatient, "harmless"),
        (World::PerPatient, "poisons"),
        (World::PerPatient, "reveals"),
        (World::PerPatient, "spreads"),
    ];

    #[test]
    fn every_module_is_in_the_table_once() {
        for world in [World::PerPatient, World::Cohort] {
            let entries = std::fs::read_dir(folder().join(world.name())).unwrap();
            let files = entries.map(|entry| entry.unwrap().path());
            let files = files.filter(|file| file.extension().is_some_and(|ext| ext == "wat"));
            let files: BTreeSet<String> =
                files.map(|f| f.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            let own = |case: &&Case| case.world == world;
            let cases = CASES.iter().filter(own).map(|case| case.name);
            let others = NOT_HOSTILE.iter().filter(|(of, _)| *of == world).map(|(_, name)| *name);
            let listed: BTreeSet<String> = cases.chain(others).map(str::to_owned).collect();
            assert_eq!(files, listed);
        }
        let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len(), "a name stands twice");
        assert!(CASES.len() >= 60);
    }
}
