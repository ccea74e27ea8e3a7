use std::time::Duration;

use sekisho_proto::v1::RunLimits;

use crate::failure::Failed;

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
    /// Rows given to the guest, those given again included.
    pub(crate) rows: u64,
    pub(crate) min_cell: u32,
    /// Distinct patients below which nothing is made of a run.
    pub(crate) cohort_floor: u64,
}

impl Limits {
    /// Whether this many rows may be given to the guest.
    pub(crate) fn check_rows(&self, rows: u64) -> Result<(), Failed> {
        if rows <= self.rows {
            return Ok(());
        }
        Err(Failed::limit("rows", format!("more than {} rows were to be read", self.rows)))
    }

    /// Whether outputs may have this many cells together.
    pub(crate) fn check_cells(&self, cells: u64) -> Result<(), Failed> {
        if cells <= u64::from(self.output_cells) {
            return Ok(());
        }
        Err(Failed::limit("output_cells", format!("the outputs have {cells} cells")))
    }
}

impl From<RunLimits> for Limits {
    fn from(given: RunLimits) -> Self {
        let or = |value: u64, default: u64| if value == 0 { default } else { value };
        let memory = or(given.memory_bytes, MEMORY_BYTES).min(MOST_MEMORY_BYTES);
        let bytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let quota = or(given.fuel_quota, u64::MAX);
        Self {
            memory_bytes: bytes(memory),
            patient_memory_bytes: bytes(memory.min(MOST_MEMORY_BYTES_PER_PATIENT)),
            wall: Duration::from_secs(or(given.wall_seconds, WALL_SECONDS)),
            fuel_per_patient: or(given.fuel, FUEL_PER_PATIENT).min(quota),
            cohort_fuel: Some(or(given.fuel, u64::MAX).min(quota)).filter(|fuel| *fuel < u64::MAX),
            output_bytes: or(given.output_bytes, OUTPUT_BYTES),
            output_cells: if given.output_cells == 0 { OUTPUT_CELLS } else { given.output_cells },
            rows: or(given.rows, u64::MAX),
            cohort_floor: u64::from(given.cohort_floor),
            min_cell: if given.min_cell == 0 { MIN_CELL } else { given.min_cell },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sv_4_a_fuel_quota_narrows_what_the_site_gives_and_never_widens_it() {
        for (fuel, fuel_quota, of_a_patient, of_a_cohort) in [
            (0, 0, FUEL_PER_PATIENT, None),
            (0, 1000, 1000, Some(1000)),
            (0, 1 << 40, FUEL_PER_PATIENT, Some(1 << 40)),
            (5000, 0, 5000, Some(5000)),
            (5000, 1000, 1000, Some(1000)),
            (5000, 9000, 5000, Some(5000)),
        ] {
            let limits = Limits::from(RunLimits { fuel, fuel_quota, ..RunLimits::default() });
            let found = (limits.fuel_per_patient, limits.cohort_fuel);
            assert_eq!(found, (of_a_patient, of_a_cohort), "{fuel} {fuel_quota}");
        }
    }
}
