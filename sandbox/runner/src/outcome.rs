use sekisho_proto::v1;

use crate::message::DeveloperDetail;

/// How a supervised run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All outputs came, sealed.
    Succeeded(Success),
    /// The run failed.
    Failed(Failure),
    /// The run was cancelled and its runner killed.
    Cancelled,
}

/// A run that gave its outputs.
#[derive(Debug)]
pub struct Success {
    /// One sealed `CheckedOutput` per declared output, in declared order.
    pub outputs: Vec<v1::SealedOutput>,
    /// Full figures, the jail's record included.
    pub usage: v1::RunUsage,
    /// Only over dummy data.
    pub developer: Option<Developer>,
}

/// A run that failed.
#[derive(Debug)]
pub struct Failure {
    /// The coarse class that may leave the site.
    pub class: v1::FailureClass,
    /// Stable code for the log of the pseudonymised zone; short, made of `a-z0-9._`.
    pub code: String,
    /// Full figures up to the failure.
    pub usage: v1::RunUsage,
    /// Only over dummy data, or when the host cannot give the jail.
    pub developer: Option<Developer>,
}

/// Detail for the author of a module; never made over real data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Developer {
    /// What went wrong, in the module's own words too.
    pub messages: Vec<String>,
    /// Patients whose call failed, so that their default contribution was taken.
    pub failed_patients: u64,
    /// Most fuel one call used (per-patient) or the run used (cohort).
    pub fuel_used: u64,
    /// Largest linear memory, bytes.
    pub peak_memory_bytes: u64,
}

impl From<DeveloperDetail> for Developer {
    fn from(detail: DeveloperDetail) -> Self {
        Self {
            messages: detail.messages,
            failed_patients: detail.failed_patients,
            fuel_used: detail.fuel_used,
            peak_memory_bytes: detail.peak_memory_bytes,
        }
    }
}

impl From<sekisho_engine::Developer> for DeveloperDetail {
    fn from(developer: sekisho_engine::Developer) -> Self {
        Self {
            messages: developer.messages,
            failed_patients: developer.failed_patients,
            fuel_used: developer.fuel_used,
            peak_memory_bytes: developer.peak_memory_bytes,
        }
    }
}
