//! The `analysis!` macro: from a manifest to the types of one analysis.
//!
//! Start at [`analysis`]; `shared.rs` writes what all worlds have, `per_patient.rs`,
//! `rounds.rs` and `cohort.rs` the rest. Code is written as text and parsed by the compiler, which keeps this
//! crate free of parsing libraries.

use std::path::PathBuf;

use proc_macro::TokenStream;
use sekisho_module::{Manifest, World};

mod cohort;
mod names;
mod per_patient;
mod rounds;
mod shared;

/// Declares the types of the analysis whose manifest is named, relative to the crate's folder.
#[proc_macro]
pub fn analysis(input: TokenStream) -> TokenStream {
    let code = expand(&input.to_string())
        .unwrap_or_else(|message| format!("::core::compile_error!({message:?});"));
    code.parse().unwrap_or_else(|error| {
        let message = format!("analysis! wrote code that does not parse: {error}");
        format!("::core::compile_error!({message:?});").parse().unwrap_or_default()
    })
}

fn expand(input: &str) -> Result<String, String> {
    let file = input.trim().trim_matches('"');
    let folder = std::env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?;
    let path = PathBuf::from(folder).join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let manifest = Manifest::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    // Compiled again when the manifest changes.
    let mut code =
        format!("const _: &str = ::core::include_str!({:?});\n", path.display().to_string());
    code += &shared::parameters(&manifest);
    code += &match manifest.world {
        World::PerPatient => per_patient::code(&manifest),
        World::Cohort => cohort::code(&manifest),
        World::Rounds => rounds::code(&manifest),
    };
    Ok(code)
}
