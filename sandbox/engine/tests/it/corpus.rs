//! Every module of the hostile corpus (`tests/hostile`) by the way that a module takes: looked
//! at, compiled, run. One test per module, with the module's name.

use std::sync::Arc;

use sekisho_engine::{RunFailure, RunReport};
use sekisho_hostile::{Case, Stage, World, module};
use sekisho_proto::v1;

use crate::support::{Job, grant, order_key, parameter, report, run, table, visits};

const PATIENTS: u64 = 24;
/// Words of modules that have a text of their own.
const CANARY: &str = "CANARY";

macro_rules! stopped {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            stopped(Case::named(stringify!($name)));
        }
    )*};
}

sekisho_hostile::modules!(stopped);

fn stopped(case: &Case) {
    let looked_at = sekisho_module::inspect(&case.module(), inspected_as(case.world));
    match (case.stage, looked_at) {
        (Stage::Inspect, Err(refusal)) => assert_eq!(refusal.code(), case.code),
        (Stage::Inspect, Ok(_)) => panic!("the static look lets it pass"),
        (_, looked_at) => drop(looked_at.unwrap()),
    }
    // Compiling it would take all memory there is; the runner's tests do it in the jail.
    if case.code.starts_with("runner.") {
        return;
    }
    match (case.stage, case.code) {
        (Stage::Inspect | Stage::Compile, code) => {
            told_nothing(job(case, 0).compiled().map(|_| ()).unwrap_err(), code);
        }
        (Stage::Run, "default") => stands_in(case),
        (Stage::Output, _) => closed(case),
        (Stage::Instantiate | Stage::Run, code) => {
            job(case, 0).compiled().unwrap();
            told_nothing(run(job(case, 0), &mut ()).map(|_| ()).unwrap_err(), code);
        }
    }
}

pub(crate) fn inspected_as(world: World) -> sekisho_module::World {
    match world {
        World::PerPatient => sekisho_module::World::PerPatient,
        World::Cohort => sekisho_module::World::Cohort,
    }
}

/// A job over real data.
fn job(case: &Case, secret: i64) -> Job {
    job_of(case.world, case.module(), secret, case.code == "wall_time")
}

pub(crate) fn job_of(world: World, component: Vec<u8>, secret: i64, no_fuel: bool) -> Job {
    Job {
        component,
        manifest: world.manifest(),
        parameters: vec![parameter("secret", v1::parameter::Value::Integer(secret))],
        view: vec![grant("visits", &["site", "weight"])],
        bring_ins: Vec::new(),
        data: Arc::new(visits(PATIENTS)),
        limits: v1::RunLimits {
            wall_seconds: if no_fuel { 1 } else { 60 },
            fuel: if no_fuel { 0 } else { 3_000_000 },
            memory_bytes: 64 << 20,
            min_cell: 10,
            ..v1::RunLimits::default()
        },
        order_key: order_key(),
        dummy: false,
    }
}

/// The code alone is told: nothing that a module says or chooses (design invariant 10).
fn told_nothing(failure: RunFailure, code: &str) {
    assert_eq!(failure.code, code);
    assert!(failure.developer.is_none());
    assert!(!format!("{failure} {failure:?}").contains(CANARY));
}

/// Every patient's default, as if the module had contributed just that.
fn stands_in(case: &Case) {
    let harmless = module(case.world, "harmless");
    let expected = shown(report(job_of(case.world, harmless, 0, false)));
    assert_eq!(shown(report(job(case, 0))), expected);
    assert_eq!(table(&expected.0[0])[1][1], v1::cell::Value::Count(PATIENTS as i64));
}

/// Two values of what it tries to tell give the same; in the per-patient world, in the figures
/// of the run too.
fn closed(case: &Case) {
    let of = |secret| shown(report(job(case, secret)));
    let (none, one) = (of(0), of(1));
    let bytes = |(outputs, _): &Shown| -> Vec<_> {
        outputs.iter().map(prost::Message::encode_to_vec).collect()
    };
    assert_eq!(bytes(&none), bytes(&one));
    if case.world == World::PerPatient {
        assert_eq!(none.1, one.1);
    }
}

type Shown = (Vec<v1::CheckedOutput>, v1::RunUsage);

/// What a run shows of itself, its duration apart.
fn shown(report: RunReport) -> Shown {
    assert!(report.developer.is_none());
    (report.outputs, v1::RunUsage { wall_millis: 0, ..report.usage })
}

#[test]
fn modules_that_are_no_attack_pass() {
    for world in [World::PerPatient, World::Cohort] {
        let component = module(world, "harmless");
        sekisho_module::inspect(&component, inspected_as(world)).unwrap();
        assert!(!report(job_of(world, component, 1, false)).outputs.is_empty());
    }
}
