//! What is recorded (LG-1): who, when, from where, and exactly what.

use std::net::IpAddr;

use sekisho_domain::{OutputId, PersonId, RequestId, SessionId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

mod kind;

pub use kind::EventKind;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// The call it belongs to; absent when the gateway acted by itself.
    pub request_id: Option<RequestId>,
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: EventKind,
}

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// Somebody without a session.
    Anonymous {
        /// Where the connection came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
    },
    /// A named person in a session.
    Person {
        /// Who.
        person_id: PersonId,
        /// In which session.
        session_id: SessionId,
    },
    /// A worker of the pseudonymised zone.
    Worker {
        /// Which.
        worker_id: WorkerId,
    },
    /// The gateway itself.
    System {},
}

/// Which of the two logs of LG-1 an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// アクセスログ: who came, when, from where, in which session.
    Access,
    /// 操作ログ: what was done to which module, dataset, output.
    Operation,
}

impl LogStream {
    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access_log",
            Self::Operation => "operation_log",
        }
    }
}

/// A rule that decided, as cited to the person refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCited {
    /// Policy id in the policy set.
    pub policy: String,
    /// Requirement of the law, such as `AG-6`.
    pub rule: String,
    /// What it is about, by the glossary's identifier, such as `use_period`.
    pub clause: String,
}

/// What a run used, as its worker reported it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunUsage {
    /// Rows decrypted.
    pub rows_read: u64,
    /// Distinct patients among them.
    pub patients: u64,
    /// Wasmtime fuel; in the per-patient world what the patients' calls were allowed together.
    pub fuel_used: u64,
    /// Largest linear memory, bytes; in the per-patient world the most a patient was allowed.
    pub peak_memory_bytes: u64,
    /// Wall-clock time, milliseconds, in full seconds.
    pub wall_millis: u64,
    /// What confined the runner.
    pub jail: String,
}

/// One sealed output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedOutput {
    /// Which.
    pub output_id: OutputId,
    /// SHA-256 of the sealed bytes, hexadecimal.
    pub sha256: String,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its holder left.
    Logout,
    /// Its time was up.
    Expired,
    /// Somebody with the right to do so cut it.
    Revoked,
    /// Its holder was taken off the roster.
    PersonRemoved,
    /// A rule of the watch cut it (LG-3).
    Alert,
}
