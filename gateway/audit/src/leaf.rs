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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::IpAddr};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Every kind as it stands in logs already written: lines are added, never changed.
    const GOLDEN: &str = include_str!("leaf/golden.jsonl");

    #[test]
    fn lg_1_every_kind_keeps_the_byte_form_it_was_written_in() {
        let mut kinds = BTreeSet::new();
        for line in GOLDEN.lines() {
            let event = decode(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            assert_eq!(String::from_utf8(encode(&event).unwrap()).unwrap(), line);
            kinds.insert(event.kind.name());
        }
        let all: BTreeSet<_> = EventKind::NAMES.iter().map(|(name, _)| *name).collect();
        assert_eq!(kinds, all, "every kind has a golden line");
    }

    #[test]
    fn fields_nobody_knows_are_refused_at_every_level() {
        for line in GOLDEN.lines() {
            for place in
                ["", "/actor", "/event", "/event/usage", "/event/rules/0", "/event/outputs/0"]
            {
                let mut value: Value = serde_json::from_str(line).unwrap();
                let Some(Value::Object(object)) = value.pointer_mut(place) else { continue };
                object.insert("smuggled".to_owned(), json!("x"));
                let error = decode(value.to_string().as_bytes()).unwrap_err();
                assert_eq!(error.code(), "leaf_malformed", "{value}");
            }
        }
    }

    #[test]
    fn another_form_of_the_same_event_is_refused() {
        let line = GOLDEN.lines().next().unwrap();
        let doubled = line.replace("\"v\":1", "\"v\":1,\"v\":1");
        assert_eq!(decode(doubled.as_bytes()).unwrap_err().code(), "leaf_malformed");
        for other in [
            line.replace("\"v\":1,", "\"v\": 1,"),
            line.replace("{\"v\":1,", "{").replace("}}", "},\"v\":1}"),
            line.replace("\"handshake_failed\",", "\"handshake_failed\",\"peer\":null,"),
            line.replace("bad_cert", "bad_\\u0063ert"),
            line.to_owned() + "\n",
        ] {
            assert_ne!(other, line);
            assert_eq!(
                decode(other.as_bytes()).unwrap_err().code(),
                "leaf_not_canonical",
                "{other}"
            );
        }
    }

    #[test]
    fn newer_writers_are_told_apart_from_damage() {
        let line = GOLDEN.lines().next().unwrap();
        let newer = line.replace("\"v\":1", "\"v\":2");
        assert!(matches!(decode(newer.as_bytes()), Err(LeafError::Version(2))));
        let reshaped = newer.replace("\"at\"", "\"when\"");
        assert!(matches!(decode(reshaped.as_bytes()), Err(LeafError::Version(2))));
        let unknown = line.replace("handshake_failed", "erased");
        assert!(
            matches!(decode(unknown.as_bytes()), Err(LeafError::UnknownKind(kind)) if kind == "erased")
        );
        for damaged in ["", "{}", "[]", "\u{0}", &line[1..], &line.replace("request_", "run_")] {
            assert_eq!(decode(damaged.as_bytes()).unwrap_err().code(), "leaf_malformed");
        }
    }

    #[test]
    fn a_leaf_has_a_longest_length() {
        let event = |length: usize| Event {
            at: Timestamp::from_millis(0),
            request_id: None,
            actor: Actor::System {},
            kind: EventKind::GatewayStarted { version: "x".repeat(length) },
        };
        let frame = encode(&event(0)).unwrap().len();
        let longest = encode(&event(MAX_LEAF_BYTES - frame)).unwrap();
        assert!(decode(&longest).is_ok());
        let error = encode(&event(MAX_LEAF_BYTES - frame + 1)).unwrap_err();
        assert_eq!(error.code(), "leaf_too_long");
        assert_eq!(decode(&vec![b' '; MAX_LEAF_BYTES + 1]).unwrap_err().code(), "leaf_too_long");
    }

    proptest! {
        #[test]
        fn any_text_and_number_survives(reason in any::<String>(), at in any::<i64>(), peer in any::<Option<IpAddr>>()) {
            let event = Event {
                at: Timestamp::from_millis(at),
                request_id: None,
                actor: Actor::Anonymous { peer },
                kind: EventKind::HandshakeFailed { peer, reason },
            };
            prop_assert_eq!(decode(&encode(&event).unwrap()).unwrap(), event);
        }
    }
}
