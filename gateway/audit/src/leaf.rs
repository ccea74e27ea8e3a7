//! The one byte form of an event: compact JSON with a schema version.
//!
//! `{"v":1,"at":MILLIS,"request_id":"..","actor":{"type":..},"event":{"kind":..}}`, keys
//! in exactly this order, optional ones left out when unset. Reading is strict: bytes that
//! would not be written again exactly as they are do not decode. What a newer gateway
//! wrote is told apart from what is damaged ([`LeafError::Version`],
//! [`LeafError::UnknownKind`]); the verifier never needs to decode, so an old one still
//! proves a newer log.

use sekisho_domain::{RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{Actor, Event, EventKind};

/// Schema version written.
pub const VERSION: u32 = 1;

/// Longest leaf in bytes; assertions kept as evidence are the largest part.
pub const MAX_LEAF_BYTES: usize = 256 * 1024;

/// Why bytes are not an event, or an event has no byte form.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Longer than [`MAX_LEAF_BYTES`].
    #[error("a leaf of {0} bytes is longer than {MAX_LEAF_BYTES}")]
    TooLong(usize),
    /// Written by another schema version.
    #[error("leaf schema version {0} is not known here")]
    Version(u32),
    /// The kind is not known here, or not any more.
    #[error("event kind {0:?} is not known here")]
    UnknownKind(String),
    /// Not an event of this version.
    #[error("not an event")]
    Malformed(#[source] serde_json::Error),
    /// An event, but not in its one byte form.
    #[error("not the canonical form of its event")]
    NotCanonical,
}

impl LeafError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "leaf_too_long",
            Self::Version(_) => "leaf_version",
            Self::UnknownKind(_) => "leaf_unknown_kind",
            Self::Malformed(_) => "leaf_malformed",
            Self::NotCanonical => "leaf_not_canonical",
        }
    }
}

/// The bytes that are stored, hashed and exported.
///
/// # Errors
/// [`LeafError::TooLong`].
pub fn encode(event: &Event) -> Result<Vec<u8>, LeafError> {
    let written = Written {
        v: VERSION,
        at: event.at,
        request_id: event.request_id,
        actor: event.actor,
        event: &event.kind,
    };
    let bytes = serde_json::to_vec(&written).map_err(LeafError::Malformed)?;
    if bytes.len() > MAX_LEAF_BYTES { Err(LeafError::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// The event that `bytes` record.
///
/// # Errors
/// Any [`LeafError`].
pub fn decode(bytes: &[u8]) -> Result<Event, LeafError> {
    if bytes.len() > MAX_LEAF_BYTES {
        return Err(LeafError::TooLong(bytes.len()));
    }
    let read: Read = serde_json::from_slice(bytes).map_err(|error| explain(bytes, error))?;
    if read.v != VERSION {
        return Err(LeafError::Version(read.v));
    }
    let event =
        Event { at: read.at, request_id: read.request_id, actor: read.actor, kind: read.event };
    if encode(&event)? == bytes { Ok(event) } else { Err(LeafError::NotCanonical) }
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    actor: Actor,
    event: &'a EventKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    v: u32,
    at: Timestamp,
    #[serde(default)]
    request_id: Option<RequestId>,
    actor: Actor,
    event: EventKind,
}

/// What a reader of any version can tell.
#[derive(Deserialize)]
struct Probe {
    v: u32,
    event: ProbedKind,
}

#[derive(Deserialize)]
struct ProbedKind {
    kind: String,
}

fn explain(bytes: &[u8], error: serde_json::Error) -> LeafError {
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(probe) if probe.v != VERSION => LeafError::Version(probe.v),
        Ok(Probe { event: ProbedKind { kind }, .. })
            if !EventKind::NAMES.iter().any(|(name, _)| *name == kind) =>
        {
            LeafError::UnknownKind(kind)
        }
        _ => LeafError::Malformed(error),
    }
}
