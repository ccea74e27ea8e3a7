//! System calls that a runner has no business with, made as code that took it over would make
//! them: by number, with arguments that the kernel would otherwise look at.

use std::io;

/// Name of an attempt, the call, its arguments.
type Call = (&'static str, libc::c_long, [libc::c_long; 4]);

const HERE: libc::c_long = libc::AT_FDCWD as libc::c_long;
const NEW_USER: libc::c_long = libc::CLONE_NEWUSER as libc::c_long;
const THREAD: libc::c_long = (libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM) as _;

const CALLS: &[Call] = &[
    // Out to the network, or to other processes by descriptors.
    ("call-socket", libc::SYS_socket, [libc::AF_INET as _, libc::SOCK_STREAM as _, 0, 0]),
    ("call-socket-unix", libc::SYS_socket, [libc::AF_UNIX as _, libc::SOCK_STREAM as _, 0, 0]),
    ("call-socket-netlink", libc::SYS_socket, [libc::AF_NETLINK as _, libc::SOCK_RAW as _, 0, 0]),
    ("call-socketpair", libc::SYS_socketpair, [libc::AF_UNIX as _, libc::SOCK_STREAM as _, 0, 0]),
    ("call-connect", libc::SYS_connect, [0, 0, 0, 0]),
    ("call-bind", libc::SYS_bind, [0, 0, 0, 0]),
    ("call-sendmsg", libc::SYS_sendmsg, [1, 0, 0, 0]),
    ("call-recvmsg", libc::SYS_recvmsg, [0, 0, 0, 0]),
    ("call-pipe", libc::SYS_pipe2, [0, 0, 0, 0]),
    ("call-mq-open", libc::SYS_mq_open, [0, 0, 0, 0]),
    ("call-shmget", libc::SYS_shmget, [0, 4096, 0, 0]),
    // Files past openat.
    ("call-openat2", libc::SYS_openat2, [HERE, 0, 0, 0]),
    ("call-open-by-handle", libc::SYS_open_by_handle_at, [HERE, 0, 0, 0]),
    ("call-linkat", libc::SYS_linkat, [HERE, 0, HERE, 0]),
    ("call-renameat2", libc::SYS_renameat2, [HERE, 0, HERE, 0]),
    ("call-mkdirat", libc::SYS_mkdirat, [HERE, 0, 0, 0]),
    ("call-mknodat", libc::SYS_mknodat, [HERE, 0, 0, 0]),
    ("call-truncate", libc::SYS_truncate, [0, 0, 0, 0]),
    ("call-ftruncate", libc::SYS_ftruncate, [0, 0, 0, 0]),
    ("call-chroot", libc::SYS_chroot, [0, 0, 0, 0]),
    ("call-inotify", libc::SYS_inotify_init1, [0, 0, 0, 0]),
    ("call-fanotify", libc::SYS_fanotify_init, [0, 0, 0, 0]),
    ("call-sendfile", libc::SYS_sendfile, [1, 0, 0, 1]),
    ("call-splice", libc::SYS_splice, [0, 0, 1, 0]),
    // Other processes.
    ("call-ptrace", libc::SYS_ptrace, [libc::PTRACE_TRACEME as _, 0, 0, 0]),
    ("call-read-other-memory", libc::SYS_process_vm_readv, [1, 0, 0, 0]),
    ("call-write-other-memory", libc::SYS_process_vm_writev, [1, 0, 0, 0]),
    ("call-process-madvise", libc::SYS_process_madvise, [0, 0, 0, 0]),
    ("call-pidfd-open", libc::SYS_pidfd_open, [1, 0, 0, 0]),
    ("call-pidfd-getfd", libc::SYS_pidfd_getfd, [0, 0, 0, 0]),
    ("call-kcmp", libc::SYS_kcmp, [1, 1, 0, 0]),
    ("call-kill", libc::SYS_kill, [1, 0, 0, 0]),
    ("call-tgkill-other", libc::SYS_tgkill, [1, 1, 0, 0]),
    ("call-queue-signal", libc::SYS_rt_tgsigqueueinfo, [1, 1, 0, 0]),
    ("call-limits-of-other", libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as _, 1, 0]),
    ("call-setpriority", libc::SYS_setpriority, [0, 0, -20, 0]),
    // New processes and programs.
    ("call-execve", libc::SYS_execve, [0, 0, 0, 0]),
    ("call-execveat", libc::SYS_execveat, [HERE, 0, 0, 0]),
    ("call-clone-process", libc::SYS_clone, [libc::SIGCHLD as _, 0, 0, 0]),
    ("call-clone-in-new-user", libc::SYS_clone, [THREAD | NEW_USER, 0, 0, 0]),
    #[cfg(target_arch = "x86_64")]
    ("call-fork", libc::SYS_fork, [0, 0, 0, 0]),
    #[cfg(target_arch = "x86_64")]
    ("call-vfork", libc::SYS_vfork, [0, 0, 0, 0]),
    // Devices and the kernel itself.
    ("call-ioctl", libc::SYS_ioctl, [0, libc::FIONREAD as _, 0, 0]),
    ("call-ioctl-typing", libc::SYS_ioctl, [0, libc::TIOCSTI as _, 0, 0]),
    ("call-bpf", libc::SYS_bpf, [0, 0, 0, 0]),
    ("call-userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0]),
    ("call-io-uring-setup", libc::SYS_io_uring_setup, [1, 0, 0, 0]),
    ("call-io-uring-enter", libc::SYS_io_uring_enter, [0, 0, 0, 0]),
    ("call-io-setup", libc::SYS_io_setup, [1, 0, 0, 0]),
    ("call-perf-event-open", libc::SYS_perf_event_open, [0, 0, -1, -1]),
    ("call-keyctl", libc::SYS_keyctl, [0, -3, 0, 0]),
    ("call-add-key", libc::SYS_add_key, [0, 0, 0, 0]),
    ("call-request-key", libc::SYS_request_key, [0, 0, 0, 0]),
    ("call-init-module", libc::SYS_init_module, [0, 0, 0, 0]),
    ("call-kexec", libc::SYS_kexec_load, [0, 0, 0, 0]),
    ("call-syslog", libc::SYS_syslog, [0, 0, 0, 0]),
    ("call-reboot", libc::SYS_reboot, [0, 0, 0, 0]),
    ("call-personality", libc::SYS_personality, [-1, 0, 0, 0]),
    // Out of the jail.
    ("call-mount", libc::SYS_mount, [0, 0, 0, 0]),
    ("call-umount", libc::SYS_umount2, [0, 0, 0, 0]),
    ("call-move-mount", libc::SYS_move_mount, [0, 0, 0, 0]),
    ("call-open-tree", libc::SYS_open_tree, [HERE, 0, 0, 0]),
    ("call-fsopen", libc::SYS_fsopen, [0, 0, 0, 0]),
    ("call-pivot-root", libc::SYS_pivot_root, [0, 0, 0, 0]),
    ("call-unshare", libc::SYS_unshare, [NEW_USER, 0, 0, 0]),
    ("call-setns", libc::SYS_setns, [0, 0, 0, 0]),
    ("call-seccomp", libc::SYS_seccomp, [2, 0, 0, 0]),
    ("call-dumpable", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as _, 1, 0, 0]),
    ("call-death-signal", libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as _, 0, 0, 0]),
    ("call-setuid", libc::SYS_setuid, [0, 0, 0, 0]),
    ("call-capset", libc::SYS_capset, [0, 0, 0, 0]),
    ("call-munlockall", libc::SYS_munlockall, [0, 0, 0, 0]),
    ("call-set-descriptor-flags", libc::SYS_fcntl, [0, libc::F_SETFL as _, 0, 0]),
    ("call-set-owner", libc::SYS_fcntl, [0, libc::F_SETOWN as _, 1, 0]),
    // Code made while it runs.
    ("call-map-code", libc::SYS_mmap, [0, 4096, libc::PROT_EXEC as _, 0]),
    ("call-pkey-mprotect", libc::SYS_pkey_mprotect, [0, 0, 0, 0]),
    // Answered as by a kernel that does not have them.
    ("call-clone3", libc::SYS_clone3, [0, 0, 0, 0]),
    ("call-memfd", libc::SYS_memfd_create, [0, 0, 0, 0]),
];

/// Makes the call of this name; without a name, prints all.
pub(crate) fn call(name: &str) -> io::Result<()> {
    let found = CALLS.iter().find(|(known, ..)| *known == name);
    let Some((_, number, [a, b, c, d])) = found else {
        return Err(io::Error::other(format!("no such attempt: {name}")));
    };
    #[allow(unsafe_code, reason = "attempts a raw system call")]
    // SAFETY: every pointer among the arguments is null, which the kernel refuses to follow.
    let result = unsafe { libc::syscall(*number, *a, *b, *c, *d, 0_i64) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The names of all calls.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|(name, ..)| *name)
}
