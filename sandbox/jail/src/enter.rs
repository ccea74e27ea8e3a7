use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, Pid, Signal};

use crate::{Control, JailError, JailRecord, Lowered, files, limits, namespaces, syscalls};

/// How to confine the calling process.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// The folders that stay readable; absolute.
    pub readable: Vec<PathBuf>,
    /// Most private writable memory, in bytes, that the process may hold.
    pub data_bytes: u64,
    /// Controls the site does without.
    pub lowered: Lowered,
    /// The process that must outlive this one; its death kills this one.
    pub supervisor: Option<i32>,
}

impl Confinement {
    /// Confines the calling process for good. On an error the caller must exit: parts of the
    /// jail may be in force, none can be taken back.
    ///
    /// # Errors
    /// [`JailError::Missing`] names a required control this host lacks; the other variants say
    /// that the process was started wrongly.
    pub fn enter(&self) -> Result<JailRecord, JailError> {
        require_single_thread()?;
        self.readable.iter().try_for_each(|folder| require_folder(folder))?;
        let mut record = JailRecord::default();
        // Looked up first: once Landlock holds, /proc cannot be read.
        let swap = limits::swap_is_off();
        limits::allow_locked_memory();
        self.required(Control::Network, namespaces::isolate, &mut record)?;
        namespaces::drop_capabilities()?;
        record.applied("no-capabilities");
        self.tie_to_supervisor()?;
        forbid_dumps()?;
        record.applied("no-dumps");
        rustix::thread::set_no_new_privs(true).map_err(JailError::kernel("no_new_privs"))?;
        record.applied("no-new-privileges");
        limits::apply(self.data_bytes, &mut record)?;
        if swap {
            record.applied("no-swap");
        } else {
            limits::lock_memory(&mut record);
        }
        let restrict = |record: &mut JailRecord| files::restrict(&self.readable, record);
        self.required(Control::Files, restrict, &mut record)?;
        // Last: from here on not even the calls of the steps above are left.
        self.required(Control::SystemCalls, syscalls::allow_list, &mut record)?;
        Ok(record)
    }

    fn required(
        &self,
        control: Control,
        apply: impl FnOnce(&mut JailRecord) -> Result<(), String>,
        record: &mut JailRecord,
    ) -> Result<(), JailError> {
        if self.lowered.contains(control) {
            record.lowered(control);
            return Ok(());
        }
        apply(record).map_err(|reason| JailError::Missing { control, reason })
    }

    fn tie_to_supervisor(&self) -> Result<(), JailError> {
        let Some(supervisor) = self.supervisor else {
            return Ok(());
        };
        // Set before the look at the parent: a death in between is seen by one or the other.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(JailError::kernel("the death signal"))?;
        if rustix::process::getppid() == Pid::from_raw(supervisor) {
            Ok(())
        } else {
            Err(JailError::Orphan)
        }
    }
}

/// Closes every descriptor but the standard three. To be called first thing in a process
/// that was started for the jail, before it opens anything.
///
/// # Errors
/// [`JailError::Kernel`] when the kernel has no `close_range` (before Linux 5.9).
pub fn shed_inherited() -> Result<(), JailError> {
    #[allow(unsafe_code, reason = "rustix has no close_range; libc's binding is unsafe")]
    // SAFETY: the caller has opened nothing yet, so no owned descriptor is closed under
    // anyone's feet; the call touches no memory.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed == 0 {
        Ok(())
    } else {
        Err(JailError::Kernel {
            doing: "closing inherited descriptors",
            source: std::io::Error::last_os_error(),
        })
    }
}

fn require_single_thread() -> Result<(), JailError> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|source| JailError::Kernel { doing: "counting threads", source })?
        .count();
    if threads == 1 { Ok(()) } else { Err(JailError::Threads(threads)) }
}

fn require_folder(path: &Path) -> Result<(), JailError> {
    if path.is_absolute() && path.is_dir() {
        Ok(())
    } else {
        Err(JailError::Folder { path: path.to_owned() })
    }
}

/// No core file, and no other process of the same user may attach or read memory.
fn forbid_dumps() -> Result<(), JailError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(JailError::kernel("forbidding dumps"))
}
