//! The only maker of permits.

use std::sync::Arc;

use async_trait::async_trait;
use sekisho_audit::{Event, EventKind, RuleCited};

use crate::{Action, Caller, FreshAssertion, Permit, PolicyEngine, resource::Resource};

/// Where decisions are recorded. Returns only once the record is durable.
#[async_trait]
pub trait DecisionLog: Send + Sync {
    /// Appends `events` as one unit and returns the index of the last.
    async fn append(&self, events: Vec<Event>) -> Result<u64, LogUnavailable>;
}

/// The log cannot take a record, so nothing may happen.
#[derive(Debug, thiserror::Error)]
#[error("the audit log is unavailable: {0}")]
pub struct LogUnavailable(pub String);

/// Why an action was not permitted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The policies say no; the rules are cited.
    #[error("refused by {}", .0.first().map_or("AU-3", |rule| rule.rule.as_str()))]
    Denied(Vec<RuleCited>),
    /// The caller may not even know that the thing exists (ZN-1).
    #[error("there is no such thing")]
    Hidden,
    /// The decision could not be recorded.
    #[error(transparent)]
    Log(#[from] LogUnavailable),
}

/// Decides, records, and only then permits.
#[derive(Clone)]
pub struct Authorizer {
    policies: Arc<PolicyEngine>,
    log: Arc<dyn DecisionLog>,
}

impl Authorizer {
    /// Decides by `policies` and records in `log`.
    #[must_use]
    pub fn new(policies: Arc<PolicyEngine>, log: Arc<dyn DecisionLog>) -> Self {
        Self { policies, log }
    }

    /// Whether `caller` may do `A` to `resource`.
    ///
    /// # Errors
    /// [`Refusal`]; the refusal is in the log before this returns.
    pub async fn authorize<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
    ) -> Result<Permit<A>, Refusal> {
        self.decide(caller, resource, None).await
    }

    /// The same for a decision that needs a fresh assertion (design invariant 7).
    ///
    /// # Errors
    /// As [`Authorizer::authorize`].
    pub async fn authorize_fresh<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
        fresh: FreshAssertion,
    ) -> Result<Permit<A>, Refusal> {
        self.decide(caller, resource, Some(fresh)).await
    }

    /// Whether the policies would permit `A`: what a permitted listing may hold, or whether
    /// to go on to a decision. Gives no permit and leaves no record of its own.
    #[must_use]
    pub fn would_permit<A: Action>(&self, caller: &Caller, resource: &A::Resource) -> bool {
        self.policies.decide(caller, A::NAME, resource, None).allowed
    }

    async fn decide<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
        fresh: Option<FreshAssertion>,
    ) -> Result<Permit<A>, Refusal> {
        let verdict = self.policies.decide(caller, A::NAME, &resource, fresh.as_ref());
        let decision = Event {
            at: caller.at,
            request_id: Some(caller.request_id),
            actor: caller.actor(),
            kind: EventKind::Decision {
                action: A::NAME.to_owned(),
                resource: format!("{}::{}", A::Resource::TYPE, resource.id()),
                allowed: verdict.allowed,
                rules: verdict.rules.clone(),
                level: caller.session().map(|session| session.record().level),
            },
        };
        let index = self.log.append(vec![decision]).await?;
        if verdict.allowed {
            Ok(Permit::issue(caller, resource, index, fresh))
        } else if self.policies.decide(caller, "See", &resource, None).allowed {
            Err(Refusal::Denied(verdict.rules))
        } else {
            Err(Refusal::Hidden)
        }
    }
}
