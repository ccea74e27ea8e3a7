use std::net::{IpAddr, Ipv6Addr};

use sekisho_audit::EventKind;
use sekisho_domain::{AlertId, PersonId, SessionId, Timestamp, WorkerId};

/// The rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Many refusals in a short time (LG-3).
    DeniedBurst,
    /// Unusually many runs (SV-4).
    RunRate,
    /// Unusually much data read (SV-4).
    RowsRead,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::DeniedBurst, Self::RunRate, Self::RowsRead];

    /// Stable id, in the log, in alerts and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeniedBurst => "denied_burst",
            Self::RunRate => "run_rate",
            Self::RowsRead => "rows_read",
        }
    }

    pub(crate) const fn counted(self) -> &'static str {
        match self {
            Self::DeniedBurst => "refusals",
            Self::RunRate => "runs",
            Self::RowsRead => "rows read",
        }
    }
}

/// Whom an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A person, whatever their session.
    Person(PersonId),
    /// A worker.
    Worker(WorkerId),
    /// Whoever is behind an address, as far as it is known.
    Peer(Option<IpAddr>),
}

impl Subject {
    /// What is counted together: of IPv6 the /64, which one host can roam in freely
    /// (RFC 4291, section 2.5.4).
    pub(crate) fn key(self) -> Self {
        match self {
            Self::Peer(Some(address)) => Self::Peer(Some(match address.to_canonical() {
                IpAddr::V6(address) => {
                    IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
                }
                address @ IpAddr::V4(_) => address,
            })),
            known => known,
        }
    }
}

/// An alert about to be raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDraft {
    /// Rule that fired.
    pub rule: Rule,
    /// Whom it is about.
    pub subject: Subject,
    /// The session that completed the pattern, if a person's.
    pub session_id: Option<SessionId>,
    /// Index of the log entry that completed the pattern.
    pub entry_index: u64,
    /// Time of that entry.
    pub raised_at: Timestamp,
    /// What was counted in the window.
    pub measured: u64,
    /// One sentence for the watch; holds nothing that a caller chose.
    pub summary: String,
    /// Whether the subject's sessions are to end at once.
    pub cut_access: bool,
}

impl AlertDraft {
    /// The person it is about.
    #[must_use]
    pub const fn person_id(&self) -> Option<PersonId> {
        match self.subject {
            Subject::Person(person_id) => Some(person_id),
            Subject::Worker(_) | Subject::Peer(_) => None,
        }
    }

    /// The event that records it. `access_cut`: whether there was access and it was cut.
    #[must_use]
    pub fn event(&self, alert_id: AlertId, access_cut: bool) -> EventKind {
        let (worker_id, peer) = match self.subject {
            Subject::Person(_) => (None, None),
            Subject::Worker(worker_id) => (Some(worker_id), None),
            Subject::Peer(peer) => (None, peer),
        };
        EventKind::AlertRaised {
            alert_id,
            rule: self.rule.name().to_owned(),
            entry_index: self.entry_index,
            person_id: self.person_id(),
            session_id: self.session_id,
            worker_id,
            peer,
            summary: self.summary.clone(),
            access_cut,
        }
    }
}
