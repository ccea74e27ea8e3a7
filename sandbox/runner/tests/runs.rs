//! Whole runs: the real runner in its jail, real modules, a sealed data set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "runs/hostile.rs"]
mod hostile;

use std::path::{Path, PathBuf};

use prost::Message as _;
use sekisho_bring_in::Files;
use sekisho_dataset::{Grant, GrantedKeys, Profile, Provenance, SealOptions, SealedWriter};
use sekisho_proto::v1::{self, FailureClass, GrantedTable, RunLimits, RunTicket};
use sekisho_runner::{
    Cancel, Failure, Outcome, RunData, RunSpec, RunnerCommand, Runners, Success, output_context,
    supervise,
};
use sekisho_vault::{Key, MemoryVault, SigningIdentity, VerifyingIdentity, Zeroizing};

const PATIENTS: u32 = 200;

/// A sealed version of dummy data and what opens it.
struct Sealed {
    _root: tempfile::TempDir,
    folder: PathBuf,
    keys: GrantedKeys,
    ingest: VerifyingIdentity,
    table: &'static str,
    columns: &'static [&'static str],
}

fn seal(profile: &str, table: &'static str, columns: &'static [&'static str]) -> Sealed {
    let root = tempfile::tempdir().unwrap();
    let profile = Profile::parse(profile).unwrap();
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    let mut writer = SealedWriter::create(root.path(), &profile, &SealOptions::default()).unwrap();
    for drawn in sekisho_dataset::dummy::generate(&profile, PATIENTS, 7).unwrap() {
        writer.push(&drawn.name, &drawn.rows).unwrap();
    }
    let sealed = writer.finish(Provenance::default(), &vault, &identity, &mut |_, _| {}).unwrap();
    let ingest = identity.verifying();
    let version = sekisho_dataset::SealedVersion::open(&sealed.folder, &ingest).unwrap();
    let keys = version.unwrap_granted(&vault, &Grant::of(&[(table, columns)])).unwrap();
    Sealed { _root: root, folder: sealed.folder, keys, ingest, table, columns }
}

fn visits() -> Sealed {
    seal(include_str!("visits.toml"), "visits", &["site", "weight"])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn spec(module: &str, data: &Sealed) -> RunSpec {
    let wasm = root().join("build/wasm").join(format!("{module}.wasm"));
    let component = std::fs::read(&wasm)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make guests` first", wasm.display()));
    let manifest = ["sandbox/guests", "sdk/examples"].iter().find_map(|folder| {
        std::fs::read_to_string(root().join(folder).join(module).join("analysis.toml")).ok()
    });
    let columns = data.columns.iter().map(ToString::to_string).collect();
    RunSpec {
        ticket: RunTicket {
            run_id: "run".to_owned(),
            datasets: vec![v1::TicketDataset {
                tables: vec![GrantedTable {
                    table: data.table.to_owned(),
                    columns,
                    row_filter: String::new(),
                }],
                ..v1::TicketDataset::default()
            }],
            limits: Some(RunLimits {
                wall_seconds: 30,
                memory_bytes: 128 << 20,
                ..RunLimits::default()
            }),
            ..RunTicket::default()
        },
        manifest: manifest.unwrap(),
        component: Zeroizing::new(component),
        bring_ins: Vec::new(),
        data: vec![RunData { folder: data.folder.clone(), keys: data.keys.clone() }],
        ingest: data.ingest.clone(),
        output_key: Key::generate().unwrap(),
        order_key: Key::generate().unwrap(),
        dummy: false,
        receiver: None,
        lowered: Default::default(),
    }
}

fn run(spec: &RunSpec) -> Outcome {
    supervise(spec, &runners(), &mut |_| {}, &Cancel::new())
}

fn runners() -> Runners {
    Runners::new(RunnerCommand::program(env!("CARGO_BIN_EXE_sekisho-runner"))).unwrap()
}

fn succeeded(spec: &RunSpec) -> Success {
    match run(spec) {
        Outcome::Succeeded(success) => success,
        other => panic!("{other:?}"),
    }
}

fn failed(spec: &RunSpec) -> Failure {
    match run(spec) {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// The outputs' bytes, opened in the contexts they were sealed in.
fn opened(spec: &RunSpec, success: &Success) -> Vec<Vec<u8>> {
    let outputs = success.outputs.iter().enumerate();
    let open = |(index, output): (usize, &v1::SealedOutput)| {
        let context = output_context("run", index, &output.name);
        sekisho_vault::open(&spec.output_key, &context, &output.sealed).unwrap().to_vec()
    };
    outputs.map(open).collect()
}

#[test]
fn per_patient_module_runs_in_the_jail() {
    let profile = std::fs::read_to_string(root().join("policies/profiles/lung.toml")).unwrap();
    let data = seal(&profile, "lung", &["time", "status", "sex"]);
    let mut spec = spec("km-by-sex", &data);
    spec.dummy = true;
    let mut heard = Vec::new();
    let outcome = supervise(&spec, &runners(), &mut |tenths| heard.push(tenths), &Cancel::new());
    let Outcome::Succeeded(success) = outcome else { panic!("{outcome:?}") };
    assert_eq!(success.usage.patients, u64::from(PATIENTS));
    for part in ["netns", "seccomp-", "landlock-"] {
        assert!(success.usage.jail.contains(part), "{}", success.usage.jail);
    }
    assert_eq!(heard.last(), Some(&10));
    let outputs = opened(&spec, &success);
    assert_eq!(outputs.len(), 2);
    let overall = v1::CheckedOutput::decode(outputs.first().unwrap().as_slice()).unwrap();
    assert!(overall.evidence.unwrap().host_verified);
}

#[test]
fn a_brought_in_table_is_looked_up_in_the_jail() {
    let profile = std::fs::read_to_string(root().join("policies/profiles/emr.toml")).unwrap();
    let data = seal(&profile, "conditions", &["code"]);
    let mut spec = spec("burden", &data);
    assert_eq!(failed(&spec).code, "not_brought_in");
    let file = |name: &str| std::fs::read(root().join("sdk/examples/burden").join(name)).unwrap();
    spec.bring_ins = vec![Files { description: file("burden.toml"), csv: file("burden.csv") }];
    let success = succeeded(&spec);
    let outputs = opened(&spec, &success);
    let burden = v1::CheckedOutput::decode(outputs.first().unwrap().as_slice()).unwrap();
    let evidence = burden.evidence.unwrap();
    assert!(evidence.host_verified);
    let [scored] = evidence.cell_patients.as_slice() else { panic!("{evidence:?}") };
    assert!((1..=success.usage.patients).contains(scored), "{evidence:?}");
}

#[test]
fn inv_9_the_same_run_gives_the_same_bytes() {
    let data = visits();
    let (one, two) = (spec("columns", &data), spec("columns", &data));
    let (first, second) = (succeeded(&one), succeeded(&two));
    assert_eq!(opened(&one, &first), opened(&two, &second));
    let sealed =
        |success: &Success| success.outputs.iter().map(|o| o.sealed.clone()).collect::<Vec<_>>();
    assert_ne!(sealed(&first), sealed(&second), "each run has its own key");
}

#[test]
fn a_query_finds_in_the_jail_what_a_reader_counts() {
    let data = visits();
    let (asking, reading) = (spec("by-site-query", &data), spec("by-site", &data));
    let (asked, read) = (succeeded(&asking), succeeded(&reading));
    assert_eq!(opened(&asking, &asked), opened(&reading, &read));
}

#[test]
fn a_query_that_takes_too_much_ends_as_a_limit() {
    let data = visits();
    let cross = "FROM visits a, visits b, visits c, visits d";
    for (sql, code) in [
        (format!("SELECT a.weight, b.patient {cross}"), "query_memory"),
        (format!("SELECT count(*) {cross}, visits e"), "wall_time"),
        (format!("SELECT 1 {}", "+1".repeat(9_000)), "query_size"),
        (format!("SELECT {}1", "(".repeat(9_000)), "query_size"),
    ] {
        let mut spec = spec("asks", &data);
        let place = b"SELECT 1 AS one ";
        let at = spec.component.windows(place.len()).position(|bytes| bytes == place).unwrap();
        spec.component.get_mut(at..at + sql.len()).unwrap().copy_from_slice(sql.as_bytes());
        let limits = spec.ticket.limits.as_mut().unwrap();
        (limits.wall_seconds, limits.memory_bytes) = (3, 64 << 20);
        let failure = failed(&spec);
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::LimitExceeded, code));
    }
}

#[test]
fn outputs_open_only_in_their_own_place() {
    let data = visits();
    let spec = spec("columns", &data);
    let success = succeeded(&spec);
    let output = success.outputs.first().unwrap();
    for context in [
        output_context("other-run", 0, &output.name),
        output_context("run", 1, &output.name),
        output_context("run", 0, "other"),
    ] {
        assert!(sekisho_vault::open(&spec.output_key, &context, &output.sealed).is_err());
    }
}

#[test]
fn hostile_modules_end_with_their_class() {
    let data = visits();
    for (module, class) in [
        ("infinite-loop", FailureClass::LimitExceeded),
        ("memory-bomb", FailureClass::LimitExceeded),
        ("deep-recursion", FailureClass::LimitExceeded),
        ("trap", FailureClass::ModuleError),
        ("wasi-import", FailureClass::ContractViolation),
    ] {
        let mut spec = spec(module, &data);
        spec.ticket.limits.as_mut().unwrap().wall_seconds = 3;
        let failure = failed(&spec);
        assert_eq!(failure.class, class, "{module}: {}", failure.code);
        assert!(!failure.code.starts_with("runner."), "{module}: {}", failure.code);
    }
}

#[test]
fn inv_10_a_modules_words_reach_nobody_over_real_data() {
    let data = visits();
    let mut spec = spec("error-text-with-data", &data);
    let failure = failed(&spec);
    assert_eq!(failure.class, FailureClass::ModuleError);
    assert_eq!(failure.developer, None);
    spec.dummy = true;
    let developer = failed(&spec).developer.unwrap();
    assert!(!developer.messages.is_empty(), "over dummy data the author may read them");
}

#[test]
fn data_set_that_was_changed_is_an_environment_failure() {
    let data = visits();
    let spec = spec("columns", &data);
    let manifest = data.folder.join("manifest.json");
    let mut bytes = std::fs::read(&manifest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    let failure = failed(&spec);
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Environment, "dataset.tampered")
    );
}

#[test]
fn column_without_a_key_cannot_be_read() {
    let mut data = visits();
    data.columns = &["site", "weight"];
    let mut narrow = seal(include_str!("visits.toml"), "visits", &["site"]);
    narrow.columns = &["site", "weight"];
    let failure = failed(&spec("columns", &narrow));
    assert_eq!(failure.class, FailureClass::ContractViolation, "{}", failure.code);
}

#[test]
fn host_is_checked_with_the_real_runner() {
    let command = RunnerCommand::program(env!("CARGO_BIN_EXE_sekisho-runner"));
    let jail = sekisho_runner::check_host(&command, Path::new("/"), &Default::default()).unwrap();
    assert!(jail.contains("seccomp-"), "{jail}");
}

#[test]
fn a_module_is_compiled_once_and_gives_the_same_bytes_from_kept_code() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (script, starts) = (folder.path().join("runner"), folder.path().join("starts"));
    let runner = env!("CARGO_BIN_EXE_sekisho-runner");
    let text = format!("#!/bin/sh\necho >> {}\nexec {runner}\n", starts.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let runners = Runners::new(RunnerCommand::program(script)).unwrap();
    let started = || std::fs::read_to_string(&starts).unwrap().lines().count();
    let data = visits();
    let spec = spec("trivial", &data);
    let run = |spec: &RunSpec| match supervise(spec, &runners, &mut |_| {}, &Cancel::new()) {
        Outcome::Succeeded(success) => opened(spec, &success),
        other => panic!("{other:?}"),
    };
    let first = run(&spec);
    assert_eq!(started(), 2, "a compiler and a runner");
    assert_eq!(run(&spec), first);
    assert_eq!(started(), 3, "a runner alone");
    let mut other = spec;
    if let Some(limits) = &mut other.ticket.limits {
        limits.memory_bytes = 96 << 20;
    }
    assert_eq!(run(&other), first);
    assert_eq!(started(), 5, "code of other limits is other code");
}
