//! A project, people and things, and what is answered when somebody asks for one.

use std::net::IpAddr;

use async_trait::async_trait;
use sekisho_access::{
    Action, ActiveSession, Authorizer, Caller, DecisionLog, FreshAssertion, LogUnavailable, Permit,
    Refusal, SessionRecord, StepUps, Who, resource::*,
};
use sekisho_audit::Event;
use sekisho_domain::*;

/// Accepts every record.
pub(crate) struct Accepting;

#[async_trait]
impl DecisionLog for Accepting {
    async fn append(&self, _: Vec<Event>) -> Result<u64, LogUnavailable> {
        Ok(0)
    }
}

/// Accepts none.
pub(crate) struct Broken;

#[async_trait]
impl DecisionLog for Broken {
    async fn append(&self, _: Vec<Event>) -> Result<u64, LogUnavailable> {
        Err(LogUnavailable("disk full".to_owned()))
    }
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) struct Stage {
    pub(crate) project: Project,
    pub(crate) researcher: Person,
    pub(crate) stranger: Person,
    pub(crate) staff: Vec<(&'static str, Person)>,
    pub(crate) own_reviewer: Person,
    pub(crate) worker: WorkerId,
}

pub(crate) fn person(organisation_id: OrganisationId, roles: &[Role]) -> Person {
    Person {
        person_id: PersonId::new(NOW),
        display_name: "somebody".to_owned(),
        organisation_id,
        roles: roles.to_vec(),
        active: true,
        oidc_issuer: "https://idp.example".to_owned(),
        oidc_subject: "subject".to_owned(),
        training_until: Some(NOW.plus_seconds(86_400)),
        pledged_at: Some(NOW.plus_seconds(-86_400)),
    }
}

pub(crate) fn stage() -> Stage {
    let (producer, user) = (OrganisationId::new(NOW), OrganisationId::new(NOW));
    let researcher = person(user, &[Role::Handler]);
    let staff = Role::ALL
        .into_iter()
        .filter(|role| *role != Role::Handler)
        .map(|role| (role.name(), person(producer, &[role])))
        .collect();
    let agreement = Agreement {
        agreement_id: AgreementId::new(NOW),
        organisation_id: user,
        purpose: "study".to_owned(),
        handlers: vec![researcher.person_id],
        places: vec!["127.0.0.0/8".to_owned().try_into().unwrap()],
        dataset_id: "lung".to_owned(),
        dataset_version: "v1".to_owned(),
        tables: vec![],
        joined: vec![],
        period_start: NOW.plus_seconds(-3600),
        period_end: NOW.plus_seconds(3600),
        provision_method: ProvisionMethod::Visiting,
        bring_in: true,
        take_out: true,
        min_cell: 10,
        cohort_floor: 0,
        runs_per_hour: 10,
        runs_per_day: 0,
        run_quota: RunQuota::default(),
    };
    let project = Project {
        project_id: ProjectId::new(NOW),
        name: "study".to_owned(),
        agreement,
        closure: None,
    };
    Stage {
        project,
        researcher,
        stranger: person(user, &[Role::Handler]),
        staff,
        own_reviewer: person(user, &[Role::OutputReviewer, Role::ModuleReviewer]),
        worker: WorkerId::new(NOW),
    }
}

pub(crate) fn caller(person: &Person, level: BiometricLevel, at: Timestamp, peer: &str) -> Caller {
    let record = SessionRecord {
        session_id: SessionId::new(NOW),
        person_id: person.person_id,
        level,
        credential_id: "credential".to_owned(),
        started_at: at,
        expires_at: at.plus_seconds(60),
        ended_at: None,
    };
    let session = ActiveSession::admit(record, person.clone(), at).unwrap();
    Caller {
        who: Who::Person(Box::new(session)),
        peer: peer.parse().unwrap(),
        request_id: RequestId::new(NOW),
        at,
    }
}

/// An assertion as a redeemed ceremony gives it.
pub(crate) fn fresh(level: BiometricLevel) -> FreshAssertion {
    let (ledger, session) = (StepUps::default(), SessionId::new(NOW));
    let id = ledger.begin(session, "00".to_owned(), (), NOW);
    let (redeemed, ()) = ledger.redeem(id, session, "00", NOW).unwrap();
    redeemed.verified(level)
}

/// Asks for one action and says what came of it in one word.
pub(crate) async fn ask<A: Action>(
    authorizer: &Authorizer,
    caller: &Caller,
    resource: A::Resource,
) -> String {
    let result = match A::NAME {
        "CastVote"
        | "CloseProject"
        | "RecordAgreement"
        | "SetLinkageDate"
        | "RotateVaultKey"
        | "DecideBringIn"
        | "OrderReidentification"
        | "ConfirmReidentification" => {
            authorizer.authorize_fresh::<A>(caller, resource, fresh(BiometricLevel::B1)).await
        }
        _ => authorizer.authorize::<A>(caller, resource).await,
    };
    answer(result)
}

pub(crate) fn answer<A: Action>(result: Result<Permit<A>, Refusal>) -> String {
    match result {
        Ok(_) => "yes".to_owned(),
        Err(Refusal::Hidden) => "hidden".to_owned(),
        Err(Refusal::Denied(rules)) => rules
            .iter()
            .map(|rule| format!("{}({})", rule.policy, rule.rule))
            .collect::<Vec<_>>()
            .join(" "),
        Err(Refusal::Log(error)) => format!("error: {error}"),
    }
}

pub(crate) struct Resources {
    pub(crate) terms: ProjectTerms,
    pub(crate) worker: WorkerId,
    pub(crate) requester: PersonId,
    pub(crate) organisation: OrganisationId,
}

impl Resources {
    pub(crate) fn new(stage: &Stage, peer: IpAddr) -> Self {
        Self {
            terms: ProjectTerms::new(&stage.project, peer),
            worker: stage.worker,
            requester: stage.researcher.person_id,
            organisation: stage.researcher.organisation_id,
        }
    }

    pub(crate) fn project(&self) -> ProjectResource {
        ProjectResource { terms: self.terms.clone() }
    }

    pub(crate) fn plan(&self, ungranted: &[&str], module_state: ModuleState) -> RunPlan {
        RunPlan {
            terms: self.terms.clone(),
            module_id: ModuleId::new(NOW),
            module_state,
            ungranted: ungranted.iter().map(|name| (*name).to_owned()).collect(),
            unlinkable: vec![],
        }
    }

    pub(crate) fn unlinkable_plan(&self) -> RunPlan {
        let unlinkable = vec!["jisedai (pseudonymised_info) with ndb (anonymised_info)".to_owned()];
        RunPlan { unlinkable, ..self.plan(&[], ModuleState::Approved) }
    }

    pub(crate) fn module(&self) -> ModuleResource {
        let module_id = ModuleId::new(NOW);
        ModuleResource { terms: self.terms.clone(), module_id, submitted_by: self.requester }
    }

    pub(crate) fn bring_in(&self) -> BringInResource {
        let bring_in_id = BringInId::new(NOW);
        BringInResource { terms: self.terms.clone(), bring_in_id, submitted_by: self.requester }
    }

    pub(crate) fn run(&self) -> RunResource {
        RunResource {
            terms: self.terms.clone(),
            run_id: RunId::new(NOW),
            requested_by: self.requester,
            state: RunState::Running,
            held_by: Some(self.worker),
        }
    }

    pub(crate) fn output(&self, released: bool) -> OutputResource {
        let output_id = OutputId::new(NOW);
        OutputResource { terms: self.terms.clone(), output_id, released, under_review: true }
    }

    pub(crate) fn review(&self) -> ReviewResource {
        ReviewResource {
            terms: self.terms.clone(),
            review_request_id: ReviewRequestId::new(NOW),
            requested_by: self.requester,
            organisation: self.organisation,
            state: ReviewState::InReview,
            voters: vec![],
        }
    }

    pub(crate) fn reidentification(&self) -> ReidentificationResource {
        ReidentificationResource {
            reidentification_id: ReidentificationId::new(NOW),
            ordered_by: self.requester,
            held_by: Some(self.worker),
        }
    }

    pub(crate) fn release(&self) -> ReleaseResource {
        ReleaseResource { terms: self.terms.clone(), release_id: ReleaseId::new(NOW) }
    }
}
