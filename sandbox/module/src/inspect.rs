use wasmparser::{ComponentTypeRef, Parser, Payload, TypeBounds, Validator, WasmFeatures};

use crate::error::Refusal;
use crate::manifest::World;

/// Largest component, the size of an upload.
pub const MAX_COMPONENT_BYTES: usize = 32 * 1024 * 1024;

const MAX_FUNCTIONS: u64 = 50_000;
const MAX_DATA_BYTES: u64 = 24 * 1024 * 1024;
const MAX_INITIAL_MEMORY_BYTES: u64 = 256 * 1024 * 1024;
const MAX_CORE_MODULES: u64 = 32;
const PAGE_BYTES: u64 = 65_536;

/// What a static look at a component found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleReport {
    /// Everything it imports; all of it is on the allow-list of its world.
    pub imports: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
    /// Functions with a body, over all core modules in it.
    pub functions: u64,
    /// Bytes of data segments.
    pub data_bytes: u64,
    /// Bytes of linear memory before the first instruction runs.
    pub initial_memory_bytes: u64,
    /// Remarks for the module reviewer.
    pub findings: Vec<StaticFinding>,
}

/// A remark for the module reviewer; nothing that must stop the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticFinding {
    /// Stable code.
    pub code: &'static str,
    /// What was found.
    pub message: String,
}

/// Looks at a component without running it: does it validate with the features that are
/// switched on, does it import only what its world offers, does it export what its world
/// asks for, and is it small enough.
pub fn inspect(bytes: &[u8], world: World) -> Result<ModuleReport, Refusal> {
    at_most("component bytes", bytes.len() as u64, MAX_COMPONENT_BYTES as u64)?;
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(Refusal::CoreModule);
    }
    Validator::new_with_features(FEATURES).validate_all(bytes).map_err(invalid)?;
    let mut seen = walk(bytes)?;
    let (allowed, exports) = contract(world);
    let strangers: Vec<String> = seen
        .report
        .imports
        .iter()
        .filter(|import| !allowed.contains(&import.as_str()))
        .cloned()
        .collect();
    if !strangers.is_empty() {
        return Err(Refusal::ImportNotAllowed {
            imports: strangers,
            world: world.name(),
            allowed: allowed.to_vec(),
        });
    }
    let exported = |export: &&str| seen.report.exports.iter().any(|known| known == export);
    if let Some(export) = exports.iter().copied().find(|export| !exported(export)) {
        return Err(Refusal::ExportMissing { world: world.name(), export });
    }
    at_most("functions", seen.report.functions, MAX_FUNCTIONS)?;
    at_most("data bytes", seen.report.data_bytes, MAX_DATA_BYTES)?;
    let memory = seen.report.initial_memory_bytes;
    at_most("initial memory bytes", memory, MAX_INITIAL_MEMORY_BYTES)?;
    at_most("core modules", seen.core_modules, MAX_CORE_MODULES)?;
    seen.remark();
    Ok(seen.report)
}

/// What a world offers and what it asks for.
fn contract(world: World) -> (&'static [&'static str], &'static [&'static str]) {
    match world {
        World::PerPatient => (&["sekisho:analysis/types@0.1.0"], &["contribute"]),
        World::Rounds => (&["sekisho:analysis/types@0.1.0"], &["contribute", "reduce"]),
        World::Cohort => (
            &[
                "sekisho:analysis/types@0.1.0",
                "sekisho:analysis/data@0.1.0",
                "sekisho:analysis/outputs@0.1.0",
                "sekisho:analysis/parameters@0.1.0",
            ],
            &["run"],
        ),
    }
}

/// The features of the sandbox: those that Rust and C compilers emit, and no others. The
/// engine switches on exactly these.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

#[derive(Default)]
struct Seen {
    report: ModuleReport,
    core_modules: u64,
    custom_sections: u64,
    start_functions: u64,
}

impl Seen {
    fn remark(&mut self) {
        let mut remark = |code, count: u64, what: &str| {
            if count > 0 {
                self.report
                    .findings
                    .push(StaticFinding { code, message: format!("{count} {what}") });
            }
        };
        remark(
            "start_function",
            self.start_functions,
            "core module(s) with a start function, which runs before the exported function",
        );
        remark(
            "large_data",
            self.report.data_bytes >> 20,
            "MiB of data segments: more than code needs, ask what it is",
        );
        remark(
            "custom_sections",
            self.custom_sections,
            "custom section(s) besides names and producers; the host ignores them",
        );
    }
}

fn walk(bytes: &[u8]) -> Result<Seen, Refusal> {
    let mut seen = Seen::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let import = import.map_err(invalid)?;
                    // A type said to equal another one is a name and gives the guest nothing.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        seen.report.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    let name = export.map_err(invalid)?.name.name;
                    seen.report.exports.push(name.to_owned());
                }
            }
            Payload::ModuleSection { .. } => seen.core_modules += 1,
            Payload::CodeSectionStart { count, .. } => {
                seen.report.functions += u64::from(count);
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    seen.report.data_bytes += segment.map_err(invalid)?.data.len() as u64;
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let pages = memory.map_err(invalid)?.initial;
                    let bytes = pages.saturating_mul(PAGE_BYTES);
                    let sum = seen.report.initial_memory_bytes.saturating_add(bytes);
                    seen.report.initial_memory_bytes = sum;
                }
            }
            Payload::StartSection { .. } => seen.start_functions += 1,
            Payload::CustomSection(section) if !usual(section.name()) => {
                seen.custom_sections += 1;
            }
            _ => {}
        }
    }
    Ok(seen)
}

fn usual(custom: &str) -> bool {
    matches!(custom, "name" | "producers" | "component-name" | "target_features")
}

fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), Refusal> {
    if found > limit {
        return Err(Refusal::TooLarge { what, found, limit });
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn invalid(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(wat: &str, world: World) -> Refusal {
        inspect(&wat::parse_str(wat).unwrap(), world).unwrap_err()
    }

    #[test]
    fn something_else_is_not_wasm() {
        let refused = inspect(b"#!/bin/sh", World::Cohort).unwrap_err();
        assert_eq!(refused.code(), "not_wasm");
    }

    #[test]
    fn a_core_module_is_refused_and_told_how_to_become_a_component() {
        let refused = refusal("(module)", World::PerPatient);
        assert_eq!(refused, Refusal::CoreModule);
        assert!(refused.to_string().contains("componentize"));
    }

    #[test]
    fn every_wasi_import_is_named() {
        let wat = r#"(component
            (import "wasi:clocks/wall-clock@0.2.0" (instance))
            (import "sekisho:analysis/data@0.1.0" (instance))
            (import "wasi:random/random@0.2.0" (instance)))"#;
        let Refusal::ImportNotAllowed { imports, .. } = refusal(wat, World::Cohort) else {
            panic!("another refusal");
        };
        assert_eq!(imports, ["wasi:clocks/wall-clock@0.2.0", "wasi:random/random@0.2.0"]);
    }

    #[test]
    fn the_per_patient_world_offers_no_functions() {
        let wat = r#"(component (import "sekisho:analysis/data@0.1.0" (instance)))"#;
        assert_eq!(refusal(wat, World::PerPatient).code(), "import_not_allowed");
    }

    #[test]
    fn the_rounds_world_offers_no_functions_and_asks_for_two() {
        let wat = r#"(component (import "sekisho:analysis/data@0.1.0" (instance)))"#;
        assert_eq!(refusal(wat, World::Rounds).code(), "import_not_allowed");
        let wat = r#"(component
            (core module $m (func (export "contribute")))
            (core instance $i (instantiate $m))
            (func (export "contribute") (canon lift (core func $i "contribute"))))"#;
        let missing = Refusal::ExportMissing { world: "rounds", export: "reduce" };
        assert_eq!(refusal(wat, World::Rounds), missing);
    }

    #[test]
    fn names_of_types_are_no_imports_but_abstract_resources_are() {
        let named = r#"(component (type $t u32) (import "table" (type (eq $t))))"#;
        assert_eq!(refusal(named, World::PerPatient).code(), "export_missing");
        let resource = r#"(component (import "table" (type (sub resource))))"#;
        assert_eq!(refusal(resource, World::PerPatient).code(), "import_not_allowed");
    }

    #[test]
    fn an_import_hidden_in_a_nested_component_does_not_count_but_the_outer_one_does() {
        let nested = r#"(component (component (import "wasi:io/poll@0.2.0" (instance))))"#;
        assert_eq!(refusal(nested, World::Cohort).code(), "export_missing");
    }

    #[test]
    fn features_that_are_off_are_refused() {
        for wat in [
            r#"(component (core module (memory i64 1)))"#,
            r#"(component (core module (memory 1 2 shared)))"#,
            r#"(component (core module (memory 1) (memory 1)))"#,
            r#"(component (core module (tag)))"#,
            r#"(component (core module (type (struct))))"#,
            r#"(component (core module (func $f return_call $f)))"#,
        ] {
            assert_eq!(refusal(wat, World::Cohort).code(), "invalid_component", "{wat}");
        }
    }

    #[test]
    fn too_much_memory_is_refused() {
        let wat = r#"(component
            (core module $m (memory 5000) (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#;
        assert!(matches!(
            refusal(wat, World::Cohort),
            Refusal::TooLarge { what: "initial memory bytes", .. }
        ));
    }

    #[test]
    fn a_small_component_is_reported() {
        let wat = r#"(component
            (core module $m (memory 1) (data (i32.const 0) "abc") (func (export "run"))
                (func $begin) (start $begin))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#;
        let report = inspect(&wat::parse_str(wat).unwrap(), World::Cohort).unwrap();
        assert_eq!(report.exports, ["run"]);
        assert_eq!(report.imports, Vec::<String>::new());
        assert_eq!((report.functions, report.data_bytes), (2, 3));
        assert_eq!(report.initial_memory_bytes, 65_536);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].code, "start_function");
    }
}
