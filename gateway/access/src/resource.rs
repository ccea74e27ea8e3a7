//! What actions act on, as far as policies need to know it. Attribute names are those
//! of `policies/cedar/schema.cedarschema`.

use std::net::IpAddr;

use sekisho_domain::{
    AgreementId, BringInId, ModuleId, ModuleState, OrganisationId, OutputId, PersonId, Project,
    ProjectId, ReidentificationId, ReleaseId, ReviewRequestId, ReviewState, RunId, RunState,
    Timestamp, WorkerId, lifecycle::Lifecycle,
};

use crate::policy::Attributes;

/// Something a policy decides about.
pub trait Resource: Send + Sync {
    /// Entity type in the schema.
    const TYPE: &'static str;

    /// Identifier within the type.
    fn id(&self) -> String;

    #[doc(hidden)]
    fn attributes(&self, attributes: &mut Attributes);
}

/// The site itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site;

impl Resource for Site {
    const TYPE: &'static str = "Site";

    fn id(&self) -> String {
        "site".to_owned()
    }

    fn attributes(&self, _: &mut Attributes) {}
}

/// What an agreement says about a call.
#[derive(Debug, Clone)]
pub struct ProjectTerms {
    /// Project.
    pub project_id: ProjectId,
    /// Its agreement.
    pub agreement_id: AgreementId,
    organisation: OrganisationId,
    handlers: Vec<PersonId>,
    period: (Timestamp, Timestamp),
    bring_in: bool,
    take_out: bool,
    place_declared: bool,
    closed: bool,
}

impl ProjectTerms {
    /// The terms of `project` for a call from `peer`.
    #[must_use]
    pub fn new(project: &Project, peer: IpAddr) -> Self {
        let agreement = &project.agreement;
        Self {
            project_id: project.project_id,
            agreement_id: agreement.agreement_id,
            organisation: agreement.organisation_id,
            handlers: agreement.handlers.clone(),
            period: (agreement.period_start, agreement.period_end),
            bring_in: agreement.bring_in,
            take_out: agreement.take_out,
            place_declared: agreement.declares_place(peer),
            closed: project.closure.is_some(),
        }
    }

    fn attributes(&self, attributes: &mut Attributes) {
        attributes.record("terms", |terms| {
            terms.text("organisation", self.organisation);
            terms.texts("handlers", &self.handlers);
            terms.long("period_start", self.period.0.seconds());
            terms.long("period_end", self.period.1.seconds());
            terms.flag("bring_in", self.bring_in);
            terms.flag("take_out", self.take_out);
            terms.flag("place_declared", self.place_declared);
            terms.flag("closed", self.closed);
        });
    }
}

/// A project.
#[derive(Debug, Clone)]
pub struct ProjectResource {
    /// Its terms.
    pub terms: ProjectTerms,
}

impl Resource for ProjectResource {
    const TYPE: &'static str = "Project";

    fn id(&self) -> String {
        self.terms.project_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
    }
}

/// A run that is asked for.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The module to run.
    pub module_id: ModuleId,
    /// Its state.
    pub module_state: ModuleState,
    /// What the module wants and the agreement does not grant (AG-3).
    pub ungranted: Vec<String>,
    /// Pairs of datasets that it would join and the linkage matrix keeps apart (LK-1).
    pub unlinkable: Vec<String>,
}

impl Resource for RunPlan {
    const TYPE: &'static str = "RunPlan";

    fn id(&self) -> String {
        format!("{}/{}", self.terms.project_id, self.module_id)
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.text("module_state", self.module_state.name());
        attributes.texts("ungranted", &self.ungranted);
        attributes.texts("unlinkable", &self.unlinkable);
    }
}

/// A module.
#[derive(Debug, Clone)]
pub struct ModuleResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The module.
    pub module_id: ModuleId,
    /// Who brought it in.
    pub submitted_by: PersonId,
}

impl Resource for ModuleResource {
    const TYPE: &'static str = "Module";

    fn id(&self) -> String {
        self.module_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.text("submitted_by", self.submitted_by);
    }
}

/// A brought-in table.
#[derive(Debug, Clone)]
pub struct BringInResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The table.
    pub bring_in_id: BringInId,
    /// Who brought it in.
    pub submitted_by: PersonId,
}

impl Resource for BringInResource {
    const TYPE: &'static str = "BringIn";

    fn id(&self) -> String {
        self.bring_in_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.text("submitted_by", self.submitted_by);
    }
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The run.
    pub run_id: RunId,
    /// Who asked for it.
    pub requested_by: PersonId,
    /// Its state.
    pub state: RunState,
    /// The worker that holds its lease.
    pub held_by: Option<WorkerId>,
}

impl Resource for RunResource {
    const TYPE: &'static str = "Run";

    fn id(&self) -> String {
        self.run_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.text("requested_by", self.requested_by);
        attributes.text("state", self.state.name());
        attributes
            .text("held_by", self.held_by.map(|worker| worker.to_string()).unwrap_or_default());
    }
}

/// An output of a run.
#[derive(Debug, Clone)]
pub struct OutputResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The output.
    pub output_id: OutputId,
    /// Whether it left.
    pub released: bool,
    /// Whether a review request for it exists.
    pub under_review: bool,
}

impl Resource for OutputResource {
    const TYPE: &'static str = "Output";

    fn id(&self) -> String {
        self.output_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.flag("released", self.released);
        attributes.flag("under_review", self.under_review);
    }
}

/// A review request.
#[derive(Debug, Clone)]
pub struct ReviewResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The request.
    pub review_request_id: ReviewRequestId,
    /// Who asked.
    pub requested_by: PersonId,
    /// Their organisation at that time.
    pub organisation: OrganisationId,
    /// Its state.
    pub state: ReviewState,
    /// Who voted in the open round.
    pub voters: Vec<PersonId>,
}

impl Resource for ReviewResource {
    const TYPE: &'static str = "ReviewRequest";

    fn id(&self) -> String {
        self.review_request_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
        attributes.text("requested_by", self.requested_by);
        attributes.text("organisation", self.organisation);
        attributes.text("state", self.state.name());
        attributes.texts("voters", &self.voters);
    }
}

/// A release.
#[derive(Debug, Clone)]
pub struct ReleaseResource {
    /// Terms of the project.
    pub terms: ProjectTerms,
    /// The release.
    pub release_id: ReleaseId,
}

impl Resource for ReleaseResource {
    const TYPE: &'static str = "Release";

    fn id(&self) -> String {
        self.release_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        self.terms.attributes(attributes);
    }
}

/// Where orders of re-identification are kept; whoever may not see it does not know that
/// there is such a thing (RI-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReidentificationRegister;

impl Resource for ReidentificationRegister {
    const TYPE: &'static str = "ReidentificationRegister";

    fn id(&self) -> String {
        "register".to_owned()
    }

    fn attributes(&self, _: &mut Attributes) {}
}

/// An order of re-identification.
#[derive(Debug, Clone)]
pub struct ReidentificationResource {
    /// The order.
    pub reidentification_id: ReidentificationId,
    /// Who gave it.
    pub ordered_by: PersonId,
    /// The worker that traces it.
    pub held_by: Option<WorkerId>,
}

impl Resource for ReidentificationResource {
    const TYPE: &'static str = "Reidentification";

    fn id(&self) -> String {
        self.reidentification_id.to_string()
    }

    fn attributes(&self, attributes: &mut Attributes) {
        attributes.text("ordered_by", self.ordered_by);
        attributes
            .text("held_by", self.held_by.map(|worker| worker.to_string()).unwrap_or_default());
    }
}
