//! Identifiers: a prefix that names the kind and a UUIDv7 (RFC 9562), so that an id
//! in a log line says what it is and ids sort by creation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: expected {kind}_ and 32 hexadecimal digits")]
pub struct IdError {
    /// Prefix of the expected kind.
    pub kind: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Kind prefix, also the entity's name in policies.
            pub const KIND: &'static str = $prefix;

            /// A fresh identifier ordered by `now`.
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                let seconds = u64::try_from(now.millis().div_euclid(1000)).unwrap_or(0);
                let nanos = u32::try_from(now.millis().rem_euclid(1000)).unwrap_or(0) * 1_000_000;
                let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
                Self(Uuid::new_v7(stamp))
            }

            /// The bare UUID, for protocols that want one.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32)
                    .filter(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(IdError { kind: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A certified organisation.
    OrganisationId = "organisation";
    /// A named person.
    PersonId = "person";
    /// A two-factor session.
    SessionId = "session";
    /// A worker of the pseudonymised zone.
    WorkerId = "worker";
    /// An agreement (取決め).
    AgreementId = "agreement";
    /// A project under an agreement.
    ProjectId = "project";
    /// An analysis program (解析プログラム).
    ModuleId = "module";
    /// A table that was brought in (持込み).
    BringInId = "bringin";
    /// A run (実行).
    RunId = "run";
    /// One leasing of a run by a worker.
    LeaseId = "lease";
    /// An output (成果物) of a run.
    OutputId = "output";
    /// A request to take outputs out (持出し申請).
    ReviewRequestId = "review";
    /// A release of outputs.
    ReleaseId = "release";
    /// An order of re-identification (再識別).
    ReidentificationId = "reidentification";
    /// A raised alert.
    AlertId = "alert";
    /// One login in progress.
    LoginId = "login";
    /// One fresh assertion in progress.
    StepUpId = "stepup";
    /// One call, for support and for the log.
    RequestId = "request";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_other_kinds_are_refused() {
        let id = RunId::new(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!(id.to_string().parse::<ModuleId>().is_err());
        for bad in ["", "run_", "run_xyz", "run_0190", "RUN_00000000000000000000000000000000"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_creation() {
        let early = RunId::new(Timestamp::from_millis(1_000_000));
        let late = RunId::new(Timestamp::from_millis(2_000_000));
        assert!(early < late);
    }
}
