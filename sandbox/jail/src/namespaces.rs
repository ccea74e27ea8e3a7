use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use crate::{JailError, JailRecord};

/// Gives the process a network of its own that has no interface, and with it its own IPC and
/// host name.
///
/// A PID namespace is left out on purpose: it needs a second process, and the system call
/// list already refuses every call that names another process.
pub(crate) fn isolate(record: &mut JailRecord) -> Result<(), String> {
    let alone = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    match unshare(alone | UnshareFlags::NEWUSER) {
        Ok(()) => record.applied("userns"),
        // Hosts that forbid user namespaces still let a privileged process do the rest.
        Err(with_user) => unshare(alone).map_err(|without_user| {
            format!(
                "unshare failed: {with_user} with a user namespace, {without_user} without one; \
                 allow unprivileged user namespaces or give the worker CAP_SYS_ADMIN"
            )
        })?,
    }
    for part in ["netns", "ipcns", "utsns"] {
        record.applied(part);
    }
    Ok(())
}

/// Drops every capability, those a new user namespace granted included.
pub(crate) fn drop_capabilities() -> Result<(), JailError> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(JailError::kernel("dropping capabilities"))
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    #[allow(unsafe_code, reason = "rustix marks unshare unsafe for one flag that is not used here")]
    // SAFETY: `UnshareFlags::FILES` is not among the flags, so no descriptor table splits.
    unsafe {
        rustix::thread::unshare_unsafe(flags)
    }
}
