//! Anomalies as the security watch sees them (異常検知, LG-3).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{AlertId, PersonId, SessionId, Timestamp, WorkerId};

/// One raised alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Identifier.
    pub alert_id: AlertId,
    /// Stable rule id, such as `denied_burst`.
    pub rule: String,
    /// Whom it is about, if a person.
    pub person_id: Option<PersonId>,
    /// Their session.
    pub session_id: Option<SessionId>,
    /// Whom it is about, if a worker.
    pub worker_id: Option<WorkerId>,
    /// Whom it is about, if nobody known.
    pub peer: Option<IpAddr>,
    /// One sentence for the watch.
    pub summary: String,
    /// Index of the log entry that completed the pattern.
    pub entry_index: u64,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// Whether the rule cut access.
    pub access_cut: bool,
}
