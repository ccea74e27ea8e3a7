//! The supervisor against runners that misbehave, each a real process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use sekisho_dataset::GrantedKeys;
use sekisho_proto::v1::{FailureClass, RunLimits, RunTicket};
use sekisho_runner::{
    Cancel, Failure, Outcome, RunData, RunSpec, RunnerCommand, Runners, supervise,
};
use sekisho_vault::{Key, SigningIdentity, Zeroizing};

const PROBE: &str = env!("CARGO_BIN_EXE_sekisho-runner-probe");

fn spec(dummy: bool) -> RunSpec {
    RunSpec {
        ticket: RunTicket {
            run_id: "run".to_owned(),
            limits: Some(RunLimits {
                wall_seconds: 1,
                output_bytes: 100_000,
                ..RunLimits::default()
            }),
            ..RunTicket::default()
        },
        manifest: String::new(),
        // Larger than a pipe holds, so that a runner that does not read blocks the feeder.
        component: Zeroizing::new(vec![0; 1 << 20]),
        bring_ins: Vec::new(),
        data: vec![RunData {
            folder: std::env::temp_dir(),
            keys: GrantedKeys::from_pipe(b"SKGRANT1\0\0\0\x01d\0\0\0\x02v1\0\0\0\0").unwrap(),
        }],
        ingest: SigningIdentity::generate().unwrap().verifying(),
        output_key: Key::generate().unwrap(),
        order_key: Key::generate().unwrap(),
        dummy,
        receiver: None,
        lowered: Default::default(),
    }
}

fn probe(how: &str) -> Runners {
    Runners::new(RunnerCommand::program(PROBE).argument(how)).unwrap()
}

fn run(how: &str, dummy: bool) -> (Outcome, Vec<u32>) {
    let mut heard = Vec::new();
    let outcome =
        supervise(&spec(dummy), &probe(how), &mut |tenths| heard.push(tenths), &Cancel::new());
    (outcome, heard)
}

fn failure(how: &str) -> Failure {
    match run(how, false).0 {
        Outcome::Failed(failure) => failure,
        other => panic!("{how}: {other:?}"),
    }
}

fn assert_fails(how: &str, class: FailureClass, code: &str) {
    let failure = failure(how);
    assert_eq!((failure.class, failure.code.as_str()), (class, code), "{how}");
}

#[test]
fn outputs_usage_and_progress_arrive() {
    let (outcome, heard) = run("finishes", false);
    let Outcome::Succeeded(success) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(heard, [3, 10]);
    assert_eq!(success.outputs.len(), 1);
    assert_eq!(success.usage.rows_read, 7);
    assert_eq!(success.usage.jail, "probe", "the record of the jail stands, not a later claim");
}

#[test]
fn killed_runner_is_an_environment_failure() {
    assert_fails("is-killed", FailureClass::Environment, "runner.killed");
    assert_fails("leaves-without-a-word", FailureClass::Environment, "runner.gone");
}

#[test]
fn refused_system_call_is_a_breach_of_contract() {
    assert_fails(
        "asks-for-a-refused-call",
        FailureClass::ContractViolation,
        "runner.refused_system_call",
    );
}

#[test]
fn hanging_runner_exceeds_its_limit() {
    std::thread::scope(|all| {
        for how in ["hangs", "hangs-without-reading", "floods"] {
            all.spawn(move || {
                let started = Instant::now();
                assert_fails(how, FailureClass::LimitExceeded, "runner.wall_clock");
                assert!(started.elapsed() < Duration::from_secs(10), "{how}");
            });
        }
    });
}

#[test]
fn frames_that_break_the_protocol_end_the_run_at_once() {
    for (how, code) in [
        ("announces-four-gigabytes", "runner.frame_too_long"),
        ("says-something-unknown", "runner.unknown_frame"),
        ("says-done-before-confined", "runner.frame_out_of_turn"),
        ("falls-back", "runner.frame_out_of_turn"),
        ("sends-too-much", "runner.too_much_output"),
        ("talks-about-data", "runner.detail_over_real_data"),
    ] {
        let started = Instant::now();
        assert_fails(how, FailureClass::ContractViolation, code);
        assert!(started.elapsed() < Duration::from_secs(3), "{how}");
    }
}

#[test]
fn detail_for_the_developer_passes_over_dummy_data() {
    let (outcome, _) = run("talks-about-data", true);
    let Outcome::Succeeded(success) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(success.developer.unwrap().messages.len(), 1);
}

#[test]
fn host_without_a_control_is_said_loudly() {
    let failure = failure("cannot-be-confined");
    assert_eq!(failure.class, FailureClass::Environment);
    assert_eq!(failure.code, "jail.missing_network");
    assert_eq!(failure.developer.unwrap().messages, ["no user namespaces"]);
}

#[test]
fn runner_gets_no_environment_and_no_descriptor() {
    assert_eq!(failure("tells-its-surroundings").code, "env0.fd3.cwd1");
}

#[test]
fn program_that_does_not_exist_is_an_environment_failure() {
    let outcome = supervise(
        &spec(false),
        &Runners::new(RunnerCommand::program("/nonexistent/runner")).unwrap(),
        &mut |_| {},
        &Cancel::new(),
    );
    let Outcome::Failed(failure) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Environment, "runner.cannot_start")
    );
}

#[test]
fn a_compiler_that_misbehaves_is_nothing_but_a_failed_run() {
    use FailureClass::{ContractViolation, Environment, LimitExceeded};
    for (how, class, code) in [
        ("compiler-is-killed", Environment, "runner.killed"),
        ("compiler-runs-out-of-memory", LimitExceeded, "runner.out_of_memory"),
        ("compiler-leaves-without-a-word", Environment, "runner.gone"),
        ("compiler-asks-for-a-refused-call", ContractViolation, "runner.refused_system_call"),
        ("compiler-finishes", ContractViolation, "runner.frame_out_of_turn"),
        ("compiler-announces-four-gigabytes", ContractViolation, "runner.frame_too_long"),
    ] {
        assert_fails(how, class, code);
    }
}

#[test]
fn a_runner_that_answers_with_code_breaks_the_contract() {
    assert_fails("sends-code", FailureClass::ContractViolation, "runner.frame_out_of_turn");
}

#[test]
fn cancelled_run_ends_its_runner_at_once() {
    let cancel = Cancel::new();
    let from_elsewhere = cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        from_elsewhere.cancel();
    });
    let started = Instant::now();
    let outcome = supervise(&spec(false), &probe("hangs-in-the-jail"), &mut |_| {}, &cancel);
    canceller.join().unwrap();
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_millis(900));
    assert_eq!(children_of(std::process::id()), [0_u32; 0], "a process stayed");
}

#[test]
fn runner_dies_with_its_supervisor() {
    let mut supervisor =
        std::process::Command::new(PROBE).arg("supervises-one-that-hangs").spawn().unwrap();
    // The compiler ends by itself; a runner that hangs stays.
    let runner = wait_for(|| {
        let child = children_of(supervisor.id()).first().copied()?;
        // The jail is in force once the runner has said so; the death signal is part of it.
        std::thread::sleep(Duration::from_millis(300));
        alive(child).then_some(child)
    });
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    wait_for(|| (!alive(runner)).then_some(()));
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

/// Children of any thread of a process.
fn children_of(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            let pids = list.split_whitespace().map(str::parse);
            pids.collect::<Result<Vec<u32>, _>>().unwrap()
        })
        .collect()
}
