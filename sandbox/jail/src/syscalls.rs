use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::JailRecord;

/// One allowed system call: number, condition on its arguments, and why the runner needs it.
struct Allowed {
    number: libc::c_long,
    when: When,
    #[allow(dead_code, reason = "read by people and by the tests")]
    why: &'static str,
}

/// Which arguments are accepted.
enum When {
    Always,
    /// All conditions hold.
    All(&'static [Is]),
    /// At least one condition holds.
    Any(&'static [Is]),
}

/// A condition on one argument: the bits under `mask` equal `value`.
struct Is {
    argument: u8,
    mask: u64,
    value: u64,
}

const fn is(argument: u8, mask: u64, value: u64) -> Is {
    Is { argument, mask, value }
}

const fn allow(number: libc::c_long, why: &'static str) -> Allowed {
    Allowed { number, when: When::Always, why }
}

const fn allow_all(number: libc::c_long, when: &'static [Is], why: &'static str) -> Allowed {
    Allowed { number, when: When::All(when), why }
}

const fn allow_any(number: libc::c_long, when: &'static [Is], why: &'static str) -> Allowed {
    Allowed { number, when: When::Any(when), why }
}

const WORD: u64 = u32::MAX as u64;
const WRITING: u64 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u64;
const EXECUTE: u64 = libc::PROT_EXEC as u64;
const WRITE_AND_EXECUTE: u64 = (libc::PROT_WRITE | libc::PROT_EXEC) as u64;
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
/// `PR_SET_VMA`, which libc does not name on every target.
const SET_VMA: u64 = 0x5356_4d41;

/// Everything the runner may ask of the kernel once confined. Anything else kills it.
const ALLOWED: &[Allowed] = &[
    // Pipes to the supervisor and the sealed data set.
    allow(libc::SYS_read, "reads the job from stdin and sealed files"),
    allow(libc::SYS_readv, "vectored form of read used by std"),
    allow(libc::SYS_pread64, "reads column chunks at an offset"),
    allow(libc::SYS_write, "writes frames to stdout; no other writable descriptor exists"),
    allow(libc::SYS_writev, "vectored form of write used by std"),
    allow_all(
        libc::SYS_openat,
        &[is(2, WRITING, 0)],
        "opens sealed files for reading; Landlock decides which",
    ),
    allow(libc::SYS_close, "closes sealed files"),
    allow(libc::SYS_lseek, "moves inside a sealed file"),
    allow(libc::SYS_fstat, "length of a sealed file"),
    allow(libc::SYS_newfstatat, "existence and length of a sealed file"),
    allow(libc::SYS_statx, "existence and length of a sealed file"),
    allow(libc::SYS_getdents64, "lists the data set's folder"),
    allow(libc::SYS_readlink, "resolves the data set's path"),
    allow(libc::SYS_getcwd, "resolves the data set's path"),
    allow_any(
        libc::SYS_fcntl,
        &[
            is(1, WORD, libc::F_GETFD as u64),
            is(1, WORD, libc::F_GETFL as u64),
            is(1, WORD, libc::F_DUPFD_CLOEXEC as u64),
        ],
        "clones a file handle; std checks descriptors in debug builds",
    ),
    allow(libc::SYS_fadvise64, "read-ahead hints"),
    // Memory.
    allow_all(
        libc::SYS_mmap,
        &[is(2, EXECUTE, 0)],
        "heap, stacks, wasm memories; never executable from the start",
    ),
    allow_any(
        libc::SYS_mprotect,
        &[
            is(2, WRITE_AND_EXECUTE, 0),
            is(2, WRITE_AND_EXECUTE, EXECUTE),
            is(2, WRITE_AND_EXECUTE, libc::PROT_WRITE as u64),
        ],
        "grows wasm memories, publishes compiled code; never writable and executable at once",
    ),
    allow(libc::SYS_munmap, "frees memory"),
    allow(libc::SYS_mremap, "grows large allocations"),
    allow(libc::SYS_madvise, "returns memory, resets wasm memories"),
    allow(libc::SYS_brk, "heap"),
    allow(libc::SYS_mlockall, "keeps keys out of swap"),
    // Threads and locks inside this process.
    allow_all(
        libc::SYS_clone,
        &[is(0, THREAD, THREAD), is(0, NEW_NAMESPACES, 0)],
        "threads of the engine; never a new process",
    ),
    allow(libc::SYS_set_robust_list, "start of a thread"),
    allow(libc::SYS_rseq, "start of a thread"),
    allow(libc::SYS_futex, "locks"),
    allow(libc::SYS_sched_yield, "spin locks"),
    allow(libc::SYS_sched_getaffinity, "number of processors, to size thread pools"),
    allow(libc::SYS_getcpu, "per-processor allocator caches where the vdso is absent"),
    allow(libc::SYS_membarrier, "publishes compiled code to other threads"),
    allow(libc::SYS_gettid, "names of threads, raising signals to itself"),
    allow(libc::SYS_getpid, "raising signals to itself"),
    allow_any(
        libc::SYS_prctl,
        &[is(0, WORD, libc::PR_SET_NAME as u64), is(0, WORD, SET_VMA)],
        "names a thread or a memory range",
    ),
    allow_all(libc::SYS_prlimit64, &[is(2, u64::MAX, 0)], "reads the stack limit; never sets one"),
    // The engine's event loop; its descriptors reach nothing outside.
    allow(libc::SYS_epoll_create1, "event loop"),
    allow(libc::SYS_epoll_ctl, "event loop"),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_epoll_wait, "event loop"),
    allow(libc::SYS_epoll_pwait, "event loop"),
    allow(libc::SYS_eventfd2, "wakes the event loop"),
    // Time and randomness of the host; no guest can reach them.
    allow(libc::SYS_clock_gettime, "durations where the vdso is absent"),
    allow(libc::SYS_clock_nanosleep, "the epoch thread sleeps"),
    allow(libc::SYS_nanosleep, "sleeps"),
    allow(libc::SYS_getrandom, "nonces, hash seeds"),
    allow(libc::SYS_getrusage, "peak memory for the record of the run"),
    // Traps of wasm code arrive as signals.
    allow(libc::SYS_rt_sigaction, "installs the trap handlers"),
    allow(libc::SYS_rt_sigprocmask, "start of a thread, trap handling"),
    allow(libc::SYS_rt_sigreturn, "return from a trap handler"),
    allow(libc::SYS_sigaltstack, "trap handling on stack overflow"),
    allow(libc::SYS_restart_syscall, "the kernel resumes an interrupted call"),
    // The end.
    allow(libc::SYS_exit, "end of a thread"),
    allow(libc::SYS_exit_group, "end of the process"),
];

/// Answered with `ENOSYS`, as an old kernel would, because callers then do without.
const ABSENT: &[(libc::c_long, &str)] = &[
    // Its flags lie in memory where no filter can see them; those of clone do not.
    (libc::SYS_clone3, "threads; the C library falls back to clone"),
    // An in-memory file could not be written anyway: no file may grow here.
    (libc::SYS_memfd_create, "images of wasm memories; wasmtime copies data segments instead"),
];

/// Installs the allow-list for every thread; a call outside it kills the process.
pub(crate) fn allow_list(record: &mut JailRecord) -> Result<(), String> {
    let allowed = rules(std::process::id())?;
    let count = allowed.len();
    // Filters stack and the strictest answer wins: of ENOSYS and allowed, ENOSYS.
    let absent = ABSENT.iter().map(|(number, _)| (*number, Vec::new()));
    install(
        absent.collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
    )?;
    install(allowed, SeccompAction::KillProcess, SeccompAction::Allow)?;
    record.applied(format!("seccomp-{count}"));
    Ok(())
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn install(rules: Rules, otherwise: SeccompAction, listed: SeccompAction) -> Result<(), String> {
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(|error| format!("no system call table for this processor: {error}"))?;
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, listed, arch)
        .and_then(TryInto::try_into)
        .map_err(|error| format!("the filter cannot be built: {error}"))?;
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|error| format!("the kernel refused the filter: {error}"))
}

fn rules(own_pid: u32) -> Result<Rules, String> {
    let mut rules = Rules::new();
    for allowed in ALLOWED {
        rules.insert(allowed.number, conditions(&allowed.when)?);
    }
    for (number, _) in ABSENT {
        rules.insert(*number, Vec::new());
    }
    // A panic or a failed allocation ends the process by a signal to itself, to nobody else.
    let myself = is(0, WORD, u64::from(own_pid));
    rules.insert(libc::SYS_tgkill, vec![rule(std::slice::from_ref(&myself))?]);
    Ok(rules)
}

fn conditions(when: &When) -> Result<Vec<SeccompRule>, String> {
    match when {
        When::Always => Ok(Vec::new()),
        When::All(all) => Ok(vec![rule(all)?]),
        When::Any(any) => any.iter().map(|one| rule(std::slice::from_ref(one))).collect(),
    }
}

fn rule(conditions: &[Is]) -> Result<SeccompRule, String> {
    let conditions = conditions
        .iter()
        .map(|is| {
            SeccompCondition::new(
                is.argument,
                SeccompCmpArgLen::Qword,
                SeccompCmpOp::MaskedEq(is.mask),
                is.value,
            )
        })
        .collect::<Result<Vec<_>, _>>()
        .and_then(SeccompRule::new);
    conditions.map_err(|error| format!("the filter cannot be built: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_call_is_listed_once_with_a_reason() {
        let mut seen = std::collections::BTreeSet::new();
        for allowed in ALLOWED {
            assert!(seen.insert(allowed.number), "twice: {}", allowed.number);
            assert!(allowed.why.len() > 3, "no reason: {}", allowed.number);
        }
        for (number, why) in ABSENT {
            assert!(seen.insert(*number), "twice: {number}");
            assert!(why.len() > 3, "no reason: {number}");
        }
    }

    #[test]
    fn calls_that_reach_outside_are_not_listed() {
        let listed = rules(1).unwrap();
        for number in [
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_sendmsg,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_kill,
            libc::SYS_unlinkat,
            libc::SYS_renameat2,
            libc::SYS_mount,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_openat2,
            libc::SYS_ioctl,
            libc::SYS_pidfd_open,
        ] {
            assert!(!listed.contains_key(&number), "listed: {number}");
        }
    }
}
