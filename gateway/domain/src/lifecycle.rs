//! State machines as data: one table of transitions each, from which the check, the
//! property tests and the diagrams of the documentation are all made.

use std::fmt;

/// One allowed step.
#[derive(Debug, Clone, Copy)]
pub struct Transition<S: 'static, E: 'static> {
    /// State before.
    pub from: S,
    /// What happens.
    pub event: E,
    /// State after.
    pub to: S,
}

/// The event does not apply in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible when {state}")]
pub struct TransitionError {
    /// State the thing was in.
    pub state: &'static str,
    /// What was tried.
    pub event: &'static str,
}

/// A state machine with its one table.
pub trait Lifecycle: Copy + Eq + fmt::Debug + Sized + 'static {
    /// What can happen.
    type Event: Copy + Eq + fmt::Debug + 'static;

    /// Every allowed step; whatever is not listed is refused.
    const TABLE: &'static [Transition<Self, Self::Event>];

    /// The state's stable name, as stored and shown.
    fn name(self) -> &'static str;

    /// The event's stable name.
    fn event_name(event: Self::Event) -> &'static str;

    /// The state after `event`.
    ///
    /// # Errors
    /// [`TransitionError`] when the table has no such step.
    fn apply(self, event: Self::Event) -> Result<Self, TransitionError> {
        Self::TABLE
            .iter()
            .find(|step| step.from == self && step.event == event)
            .map(|step| step.to)
            .ok_or(TransitionError { state: self.name(), event: Self::event_name(event) })
    }

    /// Whether nothing can happen any more.
    fn is_final(self) -> bool {
        !Self::TABLE.iter().any(|step| step.from == self)
    }
}

/// The table as a Mermaid state diagram, for the documentation.
#[must_use]
pub fn mermaid<S: Lifecycle>() -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    lines.extend(S::TABLE.iter().map(|step| {
        let event = S::event_name(step.event);
        format!("    {} --> {}: {event}", step.from.name(), step.to.name())
    }));
    lines.join("\n") + "\n"
}

/// Declares a machine: its states, its events, and the table between them.
macro_rules! lifecycle {
    (
        $(#[$sdoc:meta])* state $state:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)* }
        $(#[$edoc:meta])* event $event:ident { $($(#[$evdoc:meta])* $evariant:ident = $ename:literal,)* }
        table { $($from:ident + $on:ident => $to:ident,)* }
    ) => {
        $(#[$sdoc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $state { $($(#[$vdoc])* #[serde(rename = $name)] $variant,)* }

        impl $state {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }

        $(#[$edoc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $event { $($(#[$evdoc])* $evariant,)* }

        impl $event {
            /// Every event.
            pub const ALL: &'static [Self] = &[$(Self::$evariant,)*];
        }

        impl $crate::lifecycle::Lifecycle for $state {
            type Event = $event;

            const TABLE: &'static [$crate::lifecycle::Transition<Self, $event>] = &[
                $($crate::lifecycle::Transition { from: Self::$from, event: $event::$on, to: Self::$to },)*
            ];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn event_name(event: $event) -> &'static str {
                match event { $($event::$evariant => $ename,)* }
            }
        }
    };
}
pub(crate) use lifecycle;
