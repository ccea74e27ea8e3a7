//! Attempts, from inside the jail, what the jail must refuse. Built for tests only.
//!
//! `sekisho-jail-probe <attempt> <folder> [lowered control]...` enters the jail and makes the
//! attempt for real. It prints the record of the jail, then `done` when the attempt succeeded
//! or `refused <errno>` when the kernel answered with an error; a refused system call kills it.
//! `sekisho-jail-probe calls` prints the attempts of `raw.rs`.

mod raw;

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use sekisho_jail::{Confinement, Control, Lowered};

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let attempt = args.next().unwrap_or_default();
    if attempt == "calls" {
        raw::names().for_each(say);
        return ExitCode::SUCCESS;
    }
    let folder = PathBuf::from(args.next().unwrap_or_default());
    let lowered = Lowered::new(args.filter_map(|name| Control::from_name(&name)));
    let elsewhere = env::temp_dir();
    let parent_memory = format!("/proc/{}/mem", std::os::unix::process::parent_id());
    if attempt == "many-threads" {
        std::thread::spawn(std::thread::park);
    }
    let readable = vec![folder.clone()];
    let confinement = Confinement { readable, data_bytes: 64 << 20, lowered, supervisor: None };
    let record = match confinement.enter() {
        Ok(record) => record,
        Err(error) => {
            say(&format!("cannot enter: {}", error.code()));
            return ExitCode::from(3);
        }
    };
    say(&format!("jail: {record}"));
    match try_it(&attempt, &folder, &elsewhere, &parent_memory) {
        Ok(()) => say("done"),
        Err(error) => say(&format!("refused {}", error.raw_os_error().unwrap_or(-1))),
    }
    ExitCode::SUCCESS
}

fn try_it(attempt: &str, folder: &Path, elsewhere: &Path, parent_memory: &str) -> io::Result<()> {
    match attempt {
        "read-inside" => fs::read(folder.join("inside")).map(drop),
        "read-passwd" => fs::read("/etc/passwd").map(drop),
        "read-memory-of-parent" => fs::read(parent_memory).map(drop),
        "list-elsewhere" => fs::read_dir(elsewhere).map(drop),
        "write-inside" => fs::write(folder.join("planted"), "x"),
        "append-inside" => {
            fs::OpenOptions::new().append(true).open(folder.join("inside")).map(drop)
        }
        "remove-inside" => fs::remove_file(folder.join("inside")),
        "write-elsewhere" => fs::write(elsewhere.join("sekisho-jail-planted"), "x"),
        "socket" => TcpStream::connect("127.0.0.1:9").map(drop),
        "execute" => Err(Command::new("/bin/true").exec()),
        "fork" => Command::new("/bin/true").status().map(drop),
        "trace-parent" => trace_parent(),
        "kill-parent" => kill_parent(),
        "thread" => {
            std::thread::spawn(|| ()).join().map_err(|_| io::Error::other("the thread panicked"))
        }
        "memory-within" => allocate(16 << 20),
        "memory-beyond" => allocate(256 << 20),
        "writable-code" => writable_code(),
        "abort" => std::process::abort(),
        other => match other.strip_prefix("thread-") {
            // Through a thread that the jail has never seen.
            Some(call) => {
                let call = call.to_owned();
                let made = std::thread::spawn(move || raw::call(&call)).join();
                made.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
            }
            None => raw::call(other),
        },
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The test sees a missing line; there is nobody else to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[allow(unsafe_code, reason = "attempts a raw system call")]
fn trace_parent() -> io::Result<()> {
    // SAFETY: PTRACE_ATTACH takes a pid and two ignored arguments.
    match unsafe { libc::ptrace(libc::PTRACE_ATTACH, libc::getppid(), 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[allow(unsafe_code, reason = "attempts a raw system call")]
fn kill_parent() -> io::Result<()> {
    // SAFETY: signal 0 only asks whether a signal could be sent.
    match unsafe { libc::kill(libc::getppid(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[allow(unsafe_code, reason = "attempts a raw system call")]
fn writable_code() -> io::Result<()> {
    let every = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for a fresh mapping at no fixed address.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), 4096, every, private, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn allocate(bytes: usize) -> io::Result<()> {
    let mut held: Vec<u8> = Vec::new();
    held.try_reserve_exact(bytes).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    held.resize(bytes, 1);
    std::hint::black_box(&held);
    Ok(())
}
