//! Why a run ends without a result, inside the engine.

use std::time::Instant;

use sekisho_proto::v1::FailureClass;

use crate::run::Notes;
use crate::{RunFailure, SourceError};

/// A failure on its way to [`RunFailure`](crate::RunFailure).
#[derive(Clone, Debug)]
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

impl Failed {
    /// What of it is told: the detail only to the developer over dummy data.
    pub(crate) fn told(self, mut notes: Notes, started: Instant, dummy: bool) -> RunFailure {
        notes.developer.messages.insert(0, self.detail);
        RunFailure {
            class: self.class,
            code: self.code,
            usage: notes.usage(started),
            developer: dummy.then_some(notes.developer),
        }
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
