//! Modules that nobody wrote: made by wasm-smith, or a module of the corpus with bytes changed.
//! Whatever they are, they are refused or end in a class of ours; nothing panics, and no failure
//! is the host's. The seeds are fixed; `SEKISHO_FUZZ=n` takes n times as many (`make fuzz`).

use std::collections::BTreeMap;

use sekisho_hostile::{CASES, Lot, World, component, module};
use sekisho_proto::v1::FailureClass;
use wasm_smith::{Config, Module};

use crate::corpus::{inspected_as, job_of};
use crate::support::run;

/// Modules of each kind in a usual run.
const MODULES: u64 = 400;

/// What wasm-smith gives a module of each world: its exports, and what it may import.
const PER_PATIENT: (&str, &str) = (
    r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "contribute") (param i32 i32 i32 i32) (result i32) unreachable))"#,
    "(module)",
);
const COHORT: (&str, &str) = (
    r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "run") (result i32) unreachable))"#,
    r#"(module
        (import "sekisho:analysis/data@0.1.0" "[constructor]reader"
            (func (param i32) (result i32)))
        (import "sekisho:analysis/data@0.1.0" "[method]reader.next-batch"
            (func (param i32 i32 i32)))
        (import "sekisho:analysis/data@0.1.0" "[resource-drop]reader" (func (param i32)))
        (import "sekisho:analysis/data@0.1.0" "dictionary" (func (param i32 i32 i32)))
        (import "sekisho:analysis/outputs@0.1.0" "emit-table" (func (param i32 i32 i32)))
        (import "sekisho:analysis/outputs@0.1.0" "emit-histogram" (func (param i32 i32 i32)))
        (import "sekisho:analysis/outputs@0.1.0" "emit-text" (func (param i32 i32 i32)))
        (import "sekisho:analysis/parameters@0.1.0" "values" (func (param i32))))"#,
);

/// A module of wasm-smith, of features that are on and now and then one that is off.
fn smithed(world: World, seed: u64) -> Option<Vec<u8>> {
    let mut lot = Lot(seed);
    let (exports, imports) = match world {
        World::PerPatient => PER_PATIENT,
        World::Cohort => COHORT,
    };
    let config = Config {
        exports: Some(wat::parse_str(exports).unwrap()),
        available_imports: Some(wat::parse_str(imports).unwrap()),
        max_imports: 8,
        max_funcs: 20,
        max_instructions: 200,
        max_memory32_bytes: 64 << 20,
        max_table_elements: if lot.one_in(8) { 1_000_000 } else { 1000 },
        disallow_traps: lot.one_in(2),
        allow_start_export: lot.one_in(4),
        generate_custom_sections: lot.one_in(4),
        exceptions_enabled: lot.one_in(16),
        gc_enabled: lot.one_in(16),
        memory64_enabled: lot.one_in(16),
        // With them come references to the host's values, which are off.
        reference_types_enabled: lot.one_in(16),
        relaxed_simd_enabled: lot.one_in(16),
        tail_call_enabled: lot.one_in(16),
        threads_enabled: lot.one_in(16),
        ..Config::default()
    };
    let bytes: Vec<u8> = (0..1024).flat_map(|_| lot.draw().to_le_bytes()).collect();
    let core = Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    // What does not fit the world is refused by the tool that makes components already.
    component(world, core.to_bytes()).ok()
}

/// A module of the corpus, or a harmless one, with up to three bytes changed.
fn changed(world: World, seed: u64) -> Option<Vec<u8>> {
    let mut lot = Lot(seed);
    let bombs = ["runner.", "too_large", "wall_time"];
    let cases: Vec<_> = CASES
        .iter()
        .filter(|case| case.world == world && !bombs.iter().any(|b| case.code.starts_with(b)))
        .collect();
    let name = if lot.one_in(2) { "harmless" } else { cases[lot.below(cases.len())].name };
    let mut bytes = module(world, name);
    for _ in 0..1 + lot.below(3) {
        let at = lot.below(bytes.len());
        bytes[at] = match lot.below(3) {
            0 => lot.draw() as u8,
            1 => bytes[at] ^ (1 << lot.below(8)),
            _ => [0, 1, 0x7f, 0x80, 0xff][lot.below(5)],
        };
    }
    Some(bytes)
}

/// What becomes of a module; every way is counted, none is a failure of the host.
fn ends(world: World, bytes: Vec<u8>, seed: u64) -> &'static str {
    if let Err(refusal) = sekisho_module::inspect(&bytes, inspected_as(world)) {
        return refusal.code();
    }
    let mut job = job_of(world, bytes, 0, false);
    job.limits.fuel = 300_000;
    let Err(failure) = run(job, &mut ()) else { return "outputs" };
    let ours =
        [FailureClass::ContractViolation, FailureClass::LimitExceeded, FailureClass::ModuleError];
    assert!(ours.contains(&failure.class), "seed {seed}: {failure:?}");
    assert!(failure.developer.is_none(), "seed {seed}");
    failure.code
}

/// Runs modules of these seeds; at least `least` of a hundred must be components at all.
fn all_end(world: World, made: fn(World, u64) -> Option<Vec<u8>>, first: u64, least: u64) {
    let times = std::env::var("SEKISHO_FUZZ").map_or(1, |times| times.parse().unwrap());
    let modules = MODULES * times;
    let mut ways: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first..first + modules {
        let way = made(world, seed).map_or("no component", |bytes| ends(world, bytes, seed));
        *ways.entry(way).or_default() += 1;
    }
    let none = ways.get("no component").copied().unwrap_or(0);
    assert!((modules - none) * 100 >= least * modules, "{ways:?}");
    // Whatever a patient's call does, a per-patient run ends with outputs.
    assert!(ways.len() > 1, "all alike: {ways:?}");
}

macro_rules! smith {
    ($($name:ident $world:ident $made:ident $first:literal $least:literal;)*) => {$(
        #[test]
        fn $name() {
            all_end(World::$world, $made, $first, $least);
        }
    )*};
}

smith! {
    per_patient_modules_of_wasm_smith_end PerPatient smithed 1_000_000_000 70;
    more_per_patient_modules_of_wasm_smith_end PerPatient smithed 2_000_000_000 70;
    cohort_modules_of_wasm_smith_end Cohort smithed 3_000_000_000 70;
    more_cohort_modules_of_wasm_smith_end Cohort smithed 4_000_000_000 70;
    changed_per_patient_modules_end PerPatient changed 5_000_000_000 100;
    changed_cohort_modules_end Cohort changed 6_000_000_000 100;
}
