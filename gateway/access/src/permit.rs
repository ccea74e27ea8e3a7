//! Proof that an action was decided, and what it unlocks.

use sekisho_audit::Actor;
use sekisho_domain::{PersonId, RequestId, Timestamp};

use crate::{Action, Caller, step_up::FreshAssertion};

/// One permitted action, once. The effect that consumes it takes it by value; it can
/// be neither forged, copied nor used for another action.
#[derive(Debug)]
#[must_use = "a permit that is not spent has had no effect"]
pub struct Permit<A: Action> {
    resource: A::Resource,
    actor: Actor,
    person_id: Option<PersonId>,
    request_id: RequestId,
    at: Timestamp,
    decision_index: u64,
    fresh: Option<FreshAssertion>,
}

impl<A: Action> Permit<A> {
    pub(crate) fn issue(
        caller: &Caller,
        resource: A::Resource,
        decision_index: u64,
        fresh: Option<FreshAssertion>,
    ) -> Self {
        Self {
            resource,
            actor: caller.actor(),
            person_id: caller.person_id(),
            request_id: caller.request_id,
            at: caller.at,
            decision_index,
            fresh,
        }
    }

    /// What the action was permitted on.
    #[must_use]
    pub fn resource(&self) -> &A::Resource {
        &self.resource
    }

    /// By whom.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The person; `None` for workers.
    #[must_use]
    pub fn person_id(&self) -> Option<PersonId> {
        self.person_id
    }

    /// In which call.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// When it was decided.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Index in the log of the decision.
    #[must_use]
    pub fn decision_index(&self) -> u64 {
        self.decision_index
    }

    /// The fresh assertion that came with the decision.
    #[must_use]
    pub fn fresh_assertion(&self) -> Option<&FreshAssertion> {
        self.fresh.as_ref()
    }

    /// Unlocks something read from the store for this caller to see.
    pub fn reveal<T>(&self, guarded: Guarded<T>) -> Visible<T> {
        Visible(guarded.0)
    }
}

/// Something read from the store that nobody has been permitted to see yet.
#[derive(Debug, Clone)]
pub struct Guarded<T>(T);

impl<T> Guarded<T> {
    /// Guards a value; the store does so with whatever it reads.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, only to decide on it or to derive what the caller may see.
    pub fn for_decision(&self) -> &T {
        &self.0
    }

    /// Narrows or extends the value while it stays guarded.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Guarded<U> {
        Guarded(f(self.0))
    }
}

/// Something its caller may see. Only this can be rendered.
#[derive(Debug, Clone)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Narrows the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Visible<U> {
        Visible(f(self.0))
    }
}

impl<T> AsRef<T> for Visible<T> {
    fn as_ref(&self) -> &T {
        &self.0
    }
}
