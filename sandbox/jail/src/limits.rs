use rustix::mm::MlockAllFlags;
use rustix::process::{Resource, Rlimit};

use crate::{JailError, JailRecord};

/// Files the engine may hold open: one per column bucket of a data set and a few pipes.
const OPEN_FILES: u64 = 1024;
/// Threads of the engine's pools, with room to spare.
const THREADS: u64 = 128;

/// Sets the resource limits of a jailed process.
///
/// Memory is bounded by `RLIMIT_DATA`, which counts private writable pages: the address space
/// that WebAssembly memories reserve without using (`PROT_NONE`) stays free, which
/// `RLIMIT_AS` would not allow, and no control group is needed.
pub(crate) fn apply(data_bytes: u64, record: &mut JailRecord) -> Result<(), JailError> {
    set(Resource::Core, 0, "RLIMIT_CORE")?;
    set(Resource::Fsize, 0, "RLIMIT_FSIZE")?;
    set(Resource::Nofile, OPEN_FILES, "RLIMIT_NOFILE")?;
    set(Resource::Msgqueue, 0, "RLIMIT_MSGQUEUE")?;
    set(Resource::Data, data_bytes, "RLIMIT_DATA")?;
    record.applied("rlimits");
    record.applied("memory:rlimit-data");
    // Counted per user; only a user namespace of its own keeps other processes out of the sum.
    if record.has("userns") {
        set(Resource::Nproc, THREADS, "RLIMIT_NPROC")?;
        record.applied("rlimit-nproc");
    }
    Ok(())
}

/// Whether the host swaps to no device at all, so that no plaintext page can reach a disk.
/// Where that cannot be known it is not so.
#[must_use]
pub fn swap_is_off() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|table| lists_no_device(&table))
}

/// The table has one line of headers.
fn lists_no_device(table: &str) -> bool {
    table.lines().count() <= 1
}

/// Lifts the limit on locked memory where the process may; [`lock_memory`] needs it.
pub(crate) fn allow_locked_memory() {
    let unlimited = Rlimit { current: None, maximum: None };
    // Best effort: without it locking fails later, and the record then says so.
    let _ = rustix::process::setrlimit(Resource::Memlock, unlimited);
}

/// Keeps every page mapped so far and from now on out of swap, where the kernel agrees.
pub(crate) fn lock_memory(record: &mut JailRecord) {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if rustix::mm::mlockall(all).is_ok() {
        record.applied("keys-locked");
    }
}

/// Ends the locking of pages to come; those that hold keys by now stay out of swap. WebAssembly
/// memories need this: they are reset in a way that the kernel refuses for locked pages.
pub fn keys_are_read() {
    // Fails only where nothing was locked in the first place.
    let _ = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT);
}

fn set(resource: Resource, most: u64, doing: &'static str) -> Result<(), JailError> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let most = hard.map_or(most, |hard| most.min(hard));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(resource, limit).map_err(JailError::kernel(doing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr_1_a_host_with_a_swap_device_is_known() {
        let headers = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(lists_no_device(headers));
        let device = "/dev/dm-1                               partition\t8388604\t\t0\t\t-2\n";
        assert!(!lists_no_device(&format!("{headers}{device}")));
    }
}
