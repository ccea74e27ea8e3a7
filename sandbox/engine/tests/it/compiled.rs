//! Machine code that was made for something else.

use sekisho_engine::{CompileOrder, Compiled, RunFailure, compile, run};
use sekisho_proto::v1::{FailureClass, RunLimits};

use crate::support::{guest, job};

type Spoil = fn(&mut Vec<u8>);

/// A run of a cohort module in these limits, with code compiled for those.
#[allow(clippy::result_large_err, reason = "as the engine's own")]
fn ran(limits: RunLimits, compiled_for: RunLimits, spoil: Spoil) -> Result<(), RunFailure> {
    let (component, manifest) = guest("columns");
    let order = CompileOrder { component, manifest, limits: compiled_for, dummy: false };
    let mut bytes = compile(&order).unwrap().bytes().to_vec();
    spoil(&mut bytes);
    let mut job = job("columns").compiled().unwrap();
    job.limits = limits;
    job.module = Compiled::danger_from_bytes(bytes);
    run(job, &mut ()).map(|_| ())
}

#[test]
fn code_runs_only_in_the_engine_it_was_made_for() {
    let epoch = RunLimits { min_cell: 10, ..RunLimits::default() };
    let fuel = RunLimits { fuel: 1 << 40, ..epoch };
    assert!(ran(epoch, epoch, |_| {}).is_ok());
    assert!(ran(fuel, fuel, |_| {}).is_ok());
    let spoilt: [(RunLimits, Spoil); 4] = [
        (fuel, |_| {}),
        (epoch, |bytes| bytes.truncate(16)),
        (epoch, |bytes| bytes.truncate(64)),
        (epoch, |bytes| bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1)),
    ];
    for (made_for, spoil) in spoilt {
        let failed = ran(epoch, made_for, spoil).unwrap_err();
        assert_eq!((failed.class, failed.code), (FailureClass::Environment, "compiled_elsewhere"));
        assert!(failed.developer.is_none());
    }
}
