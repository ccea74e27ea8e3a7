use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core files of this process, now and for good, and lets no other process of the
/// same user attach to it: keys and records are in its memory, and a core file would carry
/// them to disk (CR-1). The first thing a program that holds either does.
///
/// # Errors
/// When the kernel refuses, which no Linux does.
pub fn forbid_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
