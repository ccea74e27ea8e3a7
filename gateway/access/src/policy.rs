//! The one place that knows Cedar: policies in, decisions out.

use std::{collections::HashMap, fmt::Display};

use cedar_policy::{
    Authorizer as Cedar, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use sekisho_audit::RuleCited;

use crate::{Caller, FreshAssertion, Who, resource::Resource};

const SCHEMA: &str = include_str!("../../../policies/cedar/schema.cedarschema");
const POLICIES: [&str; 7] = [
    include_str!("../../../policies/cedar/roles.cedar"),
    include_str!("../../../policies/cedar/identity.cedar"),
    include_str!("../../../policies/cedar/agreement.cedar"),
    include_str!("../../../policies/cedar/bring_in.cedar"),
    include_str!("../../../policies/cedar/release.cedar"),
    include_str!("../../../policies/cedar/reidentification.cedar"),
    include_str!("../../../policies/cedar/visibility.cedar"),
];

/// The policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the policies cannot be used: {0}")]
pub struct PolicyError(String);

/// What the policies say to one question.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    /// Policies that decided; of a refusal, those that forbid.
    pub(crate) rules: Vec<RuleCited>,
}

/// The site's policies, validated against their schema.
pub struct PolicyEngine {
    cedar: Cedar,
    schema: Schema,
    policies: PolicySet,
}

impl PolicyEngine {
    /// The policies in `policies/cedar`, strictly validated.
    ///
    /// # Errors
    /// [`PolicyError`] when they do not parse or do not fit the schema.
    pub fn new() -> Result<Self, PolicyError> {
        let broken = |error: &dyn Display| PolicyError(error.to_string());
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| broken(&e))?;
        let policies: PolicySet = POLICIES.join("\n").parse().map_err(|e| broken(&e))?;
        let validation = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !validation.validation_passed() {
            return Err(broken(&validation));
        }
        Ok(Self { cedar: Cedar::new(), schema, policies })
    }

    /// Whether `caller` may do `action` to `resource`. A policy that errs denies.
    pub(crate) fn decide<R: Resource>(
        &self,
        caller: &Caller,
        action: &str,
        resource: &R,
        fresh: Option<&FreshAssertion>,
    ) -> Verdict {
        self.ask(caller, action, resource, fresh).unwrap_or_else(|error| {
            tracing::error!(%error, action, "a policy erred, which denies");
            let rule = RuleCited {
                policy: "policy_error".to_owned(),
                rule: "AU-3".to_owned(),
                clause: "least_privilege".to_owned(),
            };
            Verdict { allowed: false, rules: vec![rule] }
        })
    }

    fn ask<R: Resource>(
        &self,
        caller: &Caller,
        action: &str,
        resource: &R,
        fresh: Option<&FreshAssertion>,
    ) -> Result<Verdict, PolicyError> {
        let broken = |error: &dyn Display| PolicyError(error.to_string());
        let principal = principal(caller)?;
        let action = uid("Action", action)?;
        let target = entity(resource)?;
        // A decision is worth no more than the weaker of the two assertions it rests on.
        let session = caller.session().map(|session| session.record().level);
        let level = session.map(|level| fresh.map_or(level, |fresh| level.min(fresh.level())));
        let level = level.map_or(-1, |level| i64::from(level.rank()));
        let context = Context::from_pairs([
            ("now".to_owned(), RestrictedExpression::new_long(caller.at.seconds())),
            ("level".to_owned(), RestrictedExpression::new_long(level)),
            ("fresh_assertion".to_owned(), RestrictedExpression::new_bool(fresh.is_some())),
        ])
        .map_err(|e| broken(&e))?;
        let request =
            Request::new(principal.uid(), action, target.uid(), context, Some(&self.schema))
                .map_err(|e| broken(&e))?;
        let entities = Entities::from_entities([principal, target], Some(&self.schema))
            .map_err(|e| broken(&e))?;
        let response = self.cedar.is_authorized(&request, &self.policies, &entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Err(broken(error));
        }
        let mut rules: Vec<_> = diagnostics.reason().map(|id| self.cite(id)).collect();
        rules.sort_by(|a, b| a.policy.cmp(&b.policy));
        if rules.is_empty() {
            rules.push(RuleCited {
                policy: "default_deny".to_owned(),
                rule: "AU-3".to_owned(),
                clause: "least_privilege".to_owned(),
            });
        }
        Ok(Verdict { allowed: response.decision() == Decision::Allow, rules })
    }

    fn cite(&self, id: &cedar_policy::PolicyId) -> RuleCited {
        let annotation = |key| self.policies.annotation(id, key).unwrap_or_default().to_owned();
        RuleCited {
            policy: annotation("id"),
            rule: annotation("rule"),
            clause: annotation("clause"),
        }
    }
}

/// Collects an entity's attributes.
#[doc(hidden)]
#[derive(Default)]
pub struct Attributes(HashMap<String, RestrictedExpression>);

impl Attributes {
    pub(crate) fn text(&mut self, name: &str, value: impl Display) {
        self.put(name, RestrictedExpression::new_string(value.to_string()));
    }

    pub(crate) fn texts<T: Display>(&mut self, name: &str, values: &[T]) {
        let values = values.iter().map(|v| RestrictedExpression::new_string(v.to_string()));
        self.put(name, RestrictedExpression::new_set(values));
    }

    pub(crate) fn long(&mut self, name: &str, value: i64) {
        self.put(name, RestrictedExpression::new_long(value));
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.put(name, RestrictedExpression::new_bool(value));
    }

    pub(crate) fn record(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        // Field names are distinct literals, so the record always builds; were it not
        // to, the entity would miss the attribute and validation would refuse it.
        if let Ok(record) = RestrictedExpression::new_record(inner.0) {
            self.put(name, record);
        }
    }

    fn put(&mut self, name: &str, value: RestrictedExpression) {
        self.0.insert(name.to_owned(), value);
    }
}

fn principal(caller: &Caller) -> Result<Entity, PolicyError> {
    let mut attributes = Attributes::default();
    let uid = match &caller.who {
        Who::Person(session) => {
            let person = session.person();
            let roles: Vec<_> = person.roles.iter().map(|role| role.name()).collect();
            let training = person.training_until.map_or(0, |until| until.seconds());
            attributes.text("person_id", person.person_id);
            attributes.text("organisation", person.organisation_id);
            attributes.texts("roles", &roles);
            attributes.flag("active", person.active);
            attributes.long("training_until", training);
            attributes.flag("pledged", person.pledged_at.is_some_and(|at| at <= caller.at));
            uid("Person", &person.person_id.to_string())?
        }
        Who::Worker(worker_id) => {
            attributes.text("worker_id", worker_id);
            uid("Worker", &worker_id.to_string())?
        }
        Who::Visitor => uid("Visitor", "anybody")?,
    };
    build(uid, attributes)
}

fn entity<R: Resource>(resource: &R) -> Result<Entity, PolicyError> {
    let mut attributes = Attributes::default();
    resource.attributes(&mut attributes);
    build(uid(R::TYPE, &resource.id())?, attributes)
}

fn build(uid: EntityUid, attributes: Attributes) -> Result<Entity, PolicyError> {
    Entity::new(uid, attributes.0, std::collections::HashSet::new())
        .map_err(|error| PolicyError(error.to_string()))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, PolicyError> {
    let kind: EntityTypeName = kind.parse().map_err(|_| PolicyError(format!("type {kind}")))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
