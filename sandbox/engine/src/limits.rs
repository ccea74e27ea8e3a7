use std::time::Duration;

use sekisho_proto::v1::RunLimits;

/// Bytes of linear memory when the job gives none.
const MEMORY_BYTES: u64 = 1 << 30;
/// Wall-clock seconds when the job gives none.
const WALL_SECONDS: u64 = 15 * 60;
/// Fuel of one patient's call when the job gives none: some tens of milliseconds.
const FUEL_PER_PATIENT: u64 = 20_000_000;
const OUTPUT_BYTES: u64 = 4 << 20;
const OUTPUT_CELLS: u32 = 20_000;
/// Minimum cell when the job gives none.
const MIN_CELL: u32 = 10;
/// A 32-bit guest cannot address more.
const MOST_MEMORY_BYTES: u64 = 1 << 32;
/// One patient's records are small; more memory than this costs, and only hides mistakes.
const MOST_MEMORY_BYTES_PER_PATIENT: u64 = 64 << 20;

/// A job's limits with the defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: usize,
    pub(crate) patient_memory_bytes: usize,
    pub(crate) wall: Duration,
    pub(crate) fuel_per_patient: u64,
    /// Unset: the epoch deadline alone bounds a cohort run.
    pub(crate) cohort_fuel: Option<u64>,
    pub(crate) output_bytes: u64,
    pub(crate) output_cells: u32,
    pub(crate) min_cell: u32,
    /// Distinct patients below which nothing is made of a run.
    pub(crate) cohort_floor: u64,
}

impl From<RunLimits> for Limits {
    fn from(given: RunLimits) -> Self {
        let or = |value: u64, default: u64| if value == 0 { default } else { value };
        let memory = or(given.memory_bytes, MEMORY_BYTES).min(MOST_MEMORY_BYTES);
        let bytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            memory_bytes: bytes(memory),
            patient_memory_bytes: bytes(memory.min(MOST_MEMORY_BYTES_PER_PATIENT)),
            wall: Duration::from_secs(or(given.wall_seconds, WALL_SECONDS)),
            fuel_per_patient: or(given.fuel, FUEL_PER_PATIENT),
            cohort_fuel: (given.fuel > 0).then_some(given.fuel),
            output_bytes: or(given.output_bytes, OUTPUT_BYTES),
            output_cells: if given.output_cells == 0 { OUTPUT_CELLS } else { given.output_cells },
            cohort_floor: u64::from(given.cohort_floor),
            min_cell: if given.min_cell == 0 { MIN_CELL } else { given.min_cell },
        }
    }
}
