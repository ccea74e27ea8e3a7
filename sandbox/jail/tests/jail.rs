//! Every refusal of the jail, attempted for real in a child process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

/// What became of an attempt.
#[derive(Debug, PartialEq)]
enum Fate {
    Done,
    Refused(i32),
    Killed(i32),
    NotConfined(String),
}

struct Attempt {
    jail: String,
    fate: Fate,
}

fn attempt(what: &str, lowered: &[&str]) -> Attempt {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inside"), "sealed").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho-jail-probe"))
        .arg(what)
        .arg(folder.path().canonicalize().unwrap())
        .args(lowered)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(folder.path().join("inside").exists(), "the folder was changed");
    assert!(!folder.path().join("planted").exists(), "the folder was changed");
    read(&output)
}

fn read(output: &Output) -> Attempt {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = |prefix: &str| text.lines().find_map(|line| line.strip_prefix(prefix));
    let fate = match output.status.signal() {
        Some(signal) => Fate::Killed(signal),
        None => match (line("done"), line("refused "), line("cannot enter: ")) {
            (Some(_), None, None) => Fate::Done,
            (None, Some(errno), None) => Fate::Refused(errno.parse().unwrap()),
            (None, None, Some(code)) => Fate::NotConfined(code.to_owned()),
            _ => panic!("unexpected output {text:?} and {}", output.status),
        },
    };
    Attempt { jail: line("jail: ").unwrap_or_default().to_owned(), fate }
}

const SIGSYS: i32 = 31;
const SIGABRT: i32 = 6;
const ENOSYS: i32 = 38;
const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EFBIG: i32 = 27;
const ENETUNREACH: i32 = 101;

#[test]
fn record_names_every_part_in_force() {
    let jail = attempt("read-inside", &[]).jail;
    for part in [
        "userns",
        "netns",
        "ipcns",
        "utsns",
        "no-capabilities",
        "no-dumps",
        "no-new-privileges",
        "rlimits",
        "memory:rlimit-data",
        "landlock-",
        "seccomp-",
    ] {
        assert!(jail.contains(part), "{part} is not in {jail:?}");
    }
    assert!(!jail.contains("lowered"));
}

#[test]
fn what_the_engine_needs_still_works() {
    for what in ["read-inside", "thread", "memory-within"] {
        assert_eq!(attempt(what, &[]).fate, Fate::Done, "{what}");
    }
}

#[test]
fn system_calls_outside_the_list_kill_the_process() {
    for what in [
        "socket",
        "execute",
        "fork",
        "trace-parent",
        "kill-parent",
        "write-inside",
        "append-inside",
        "remove-inside",
        "write-elsewhere",
        "writable-code",
    ] {
        assert_eq!(attempt(what, &[]).fate, Fate::Killed(SIGSYS), "{what}");
    }
}

/// The attempts of `probe/raw.rs`.
fn calls() -> Vec<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sekisho-jail-probe")).arg("calls").output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// As if code that took the runner over jumped to the call, from its first thread or another.
#[test]
fn code_that_took_over_reaches_no_call_outside_the_list() {
    let calls = calls();
    assert!(calls.len() > 70, "{calls:?}");
    for call in calls {
        let absent = ["call-clone3", "call-memfd"].contains(&call.as_str());
        let fate = if absent { Fate::Refused(ENOSYS) } else { Fate::Killed(SIGSYS) };
        assert_eq!(attempt(&call, &[]).fate, fate, "{call}");
        assert_eq!(attempt(&format!("thread-{call}"), &[]).fate, fate, "{call}, from a thread");
    }
}

#[test]
fn zn_2_files_outside_the_folder_cannot_be_read() {
    for what in ["read-passwd", "read-memory-of-parent", "list-elsewhere"] {
        assert_eq!(attempt(what, &[]).fate, Fate::Refused(EACCES), "{what}");
    }
}

#[test]
fn files_stay_closed_without_the_system_call_list() {
    for what in ["write-inside", "append-inside", "remove-inside", "execute"] {
        let attempt = attempt(what, &["system-calls"]);
        assert_eq!(attempt.fate, Fate::Refused(EACCES), "{what}");
        assert!(attempt.jail.contains("lowered:system-calls"));
    }
}

#[test]
fn other_processes_stay_out_of_reach_without_the_system_call_list() {
    for what in ["trace-parent", "kill-parent"] {
        assert_eq!(attempt(what, &["system-calls"]).fate, Fate::Refused(EPERM), "{what}");
    }
}

#[test]
fn the_network_stays_unreachable_without_the_system_call_list() {
    let fate = attempt("socket", &["system-calls", "files"]).fate;
    assert_eq!(fate, Fate::Refused(ENETUNREACH));
}

#[test]
fn no_byte_reaches_a_file_even_with_only_the_limits_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho-jail-probe"))
        .args(["write-inside".as_ref(), path.as_os_str()])
        .args(["system-calls", "files", "network"])
        .output()
        .unwrap();
    let attempt = read(&output);
    // Without a handler SIGXFSZ ends the process before EFBIG is seen.
    assert!(matches!(attempt.fate, Fate::Killed(25) | Fate::Refused(EFBIG)));
    assert_eq!(std::fs::metadata(path.join("planted")).unwrap().len(), 0, "bytes were written");
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    assert_eq!(attempt("memory-beyond", &[]).fate, Fate::Refused(ENOMEM));
}

#[test]
fn a_panic_may_still_end_the_process() {
    assert_eq!(attempt("abort", &[]).fate, Fate::Killed(SIGABRT));
}

#[test]
fn a_process_with_threads_is_not_confined() {
    assert_eq!(attempt("many-threads", &[]).fate, Fate::NotConfined("jail.threads".to_owned()));
}

#[test]
fn a_relative_or_missing_folder_is_refused() {
    for folder in [".", "/nonexistent/folder"] {
        let output = Command::new(env!("CARGO_BIN_EXE_sekisho-jail-probe"))
            .args(["read-inside", folder])
            .output()
            .unwrap();
        assert_eq!(read(&output).fate, Fate::NotConfined("jail.folder".to_owned()));
    }
}

#[test]
fn a_host_without_a_required_control_is_refused_unless_lowered() {
    // A host without namespaces: a user namespace that allows no further one, entered without
    // any capability.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let run = |lowered: &[&str]| {
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "sh", "-c"])
            .arg("echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$@\"")
            .arg(env!("CARGO_BIN_EXE_sekisho-jail-probe"))
            .args(["read-inside".as_ref(), path.as_os_str()])
            .args(lowered)
            .output()
            .unwrap();
        read(&output)
    };
    std::fs::write(path.join("inside"), "sealed").unwrap();
    assert_eq!(run(&[]).fate, Fate::NotConfined("jail.missing_network".to_owned()));
    let lowered = run(&["network"]);
    assert_eq!(lowered.fate, Fate::Done);
    assert!(lowered.jail.contains("lowered:network"));
}
