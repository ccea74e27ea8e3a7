//! Why a run ends without a result, inside the engine.

use sekisho_proto::v1::FailureClass;

use crate::SourceError;

/// A failure on its way to [`RunFailure`](crate::RunFailure).
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) class: FailureClass,
    /// Stable and made by the host.
    pub(crate) code: &'static str,
    /// May quote the guest: only for the developer over dummy data.
    pub(crate) detail: String,
}

impl Failed {
    pub(crate) fn contract(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: FailureClass::ContractViolation, code, detail: detail.into() }
    }

    pub(crate) fn limit(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: FailureClass::LimitExceeded, code, detail: detail.into() }
    }

    pub(crate) fn module(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: FailureClass::ModuleError, code, detail: detail.into() }
    }

    pub(crate) fn environment(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: FailureClass::Environment, code, detail: detail.into() }
    }
}

impl From<SourceError> for Failed {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::NotGranted(_) => Self::contract("not_granted", error.to_string()),
            SourceError::Unreadable(_) => Self::environment("data_unreadable", error.to_string()),
        }
    }
}
