//! The hostile corpus (`tests/hostile`) in the jail: of every world one module for each code it
//! can be stopped with, and the modules that only the jail stops. All of them by the engine
//! alone: `sandbox/engine/tests/it/corpus.rs`.

use std::collections::BTreeSet;

use sekisho_hostile::{CASES, Case, World};

use super::{Outcome, RunSpec, Sealed, Zeroizing, run, spec, visits};

fn attack(case: &Case, data: &Sealed) -> RunSpec {
    let mut spec = RunSpec {
        component: Zeroizing::new(case.module()),
        manifest: case.world.manifest(),
        ..spec("trivial", data)
    };
    let limits = spec.ticket.limits.as_mut().unwrap();
    limits.memory_bytes = 64 << 20;
    match case.code {
        "wall_time" => limits.wall_seconds = 1,
        _ => limits.fuel = 3_000_000,
    }
    spec
}

fn stopped(case: &Case, data: &Sealed) {
    let name = case.name;
    match (run(&attack(case, data)), case.code) {
        (Outcome::Succeeded(success), "default" | "closed") => {
            assert!(success.developer.is_none(), "{name}");
        }
        (Outcome::Failed(failure), code) => {
            assert_eq!(failure.code, code, "{name}");
            assert!(failure.developer.is_none(), "{name}");
        }
        (outcome, code) => panic!("{name} ends not with {code} but with {outcome:?}"),
    }
}

/// The first module of a world for each code.
fn one_for_each_code(world: World) {
    let data = visits();
    let mut seen = BTreeSet::new();
    for case in CASES.iter().filter(|case| case.world == world && seen.insert(case.code)) {
        stopped(case, &data);
    }
    assert!(seen.len() > 4, "{seen:?}");
}

#[test]
fn per_patient_modules_are_stopped_with_each_code() {
    one_for_each_code(World::PerPatient);
}

#[test]
fn cohort_modules_are_stopped_with_each_code() {
    one_for_each_code(World::Cohort);
}

#[test]
fn a_module_that_takes_over_the_compilers_memory_is_the_end_of_its_compiler_alone() {
    let data = visits();
    let bombs: Vec<_> = CASES.iter().filter(|case| case.code.starts_with("runner.")).collect();
    assert!(!bombs.is_empty());
    for case in bombs {
        stopped(case, &data);
    }
    let harmless = RunSpec {
        component: Zeroizing::new(sekisho_hostile::module(World::Cohort, "harmless")),
        manifest: World::Cohort.manifest(),
        ..spec("trivial", &data)
    };
    assert!(matches!(run(&harmless), Outcome::Succeeded(_)));
}
