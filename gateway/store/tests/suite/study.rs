//! A project with an agreement, a module, people and a worker: what runs and reviews
//! stand on.

use sekisho_access::{
    Permit,
    action::{
        CastVote, DecideModule, EnrolWorker, HoldRun, LeaseRun, RecordAgreement, RegisterDataset,
        RegisterOrganisation, RequestRelease, StartRun, SubmitModule,
    },
    resource::{
        ModuleResource, ProjectResource, ProjectTerms, ReleaseResource, ReviewResource, RunPlan,
        RunResource, Site as TheSite,
    },
};
use sekisho_audit::RunUsage;
use sekisho_domain::{
    Agreement, AgreementId, Dataset, Module, ModuleId, ModuleState, OrganisationKind, OutputId,
    Project, ProjectId, ProvisionMethod, Release, ReviewRequest, ReviewRequestId, ReviewState,
    Role, Run, RunId, RunQuota, RunState, Timestamp, Verdict, Vote, WorkerId, World,
    module::ModuleEvent,
};
use sekisho_store::{
    StoreError,
    leases::Leased,
    outputs::{OutputRecord, output_context},
    runs::RunOrder,
};
use sekisho_vault::seal;
use sha2::{Digest, Sha256};

use super::site::{BEGINNING, Login, Site, organisation};

pub(crate) const COMPONENT: &[u8] = b"\0asm component of the study";
pub(crate) const MANIFEST: &str = "name = \"manifest of the study\"";
pub(crate) const PARAMETERS: &[u8] = b"parameters of the study";

/// A study in progress.
pub(crate) struct Study {
    pub(crate) steward: Login,
    pub(crate) researcher: Login,
    pub(crate) module_reviewer: Login,
    pub(crate) reviewers: [Login; 2],
    pub(crate) project: Project,
    pub(crate) module: Module,
    pub(crate) worker: WorkerId,
}

impl Study {
    /// Founds the site and brings a study up to an approved module.
    pub(crate) async fn begin(site: &Site) -> Self {
        let steward = site.found().await;
        let producer = steward.person.organisation_id;
        let user = organisation(site.now(), OrganisationKind::UserOrg);
        let permit = site.permit::<RegisterOrganisation>(&steward, TheSite).await;
        site.store().register_organisation(permit, user.clone()).await.unwrap();
        let researcher = site.join(&steward, user.organisation_id, &[Role::Handler]).await;
        let module_reviewer = site.join(&steward, producer, &[Role::ModuleReviewer]).await;
        let reviewers = [
            site.join(&steward, producer, &[Role::OutputReviewer]).await,
            site.join(&steward, producer, &[Role::OutputReviewer]).await,
        ];
        let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
        site.store().register_dataset(permit, dataset("lung", "v1", site.now())).await.unwrap();
        let project = project(site, &[&researcher]);
        record(site, &steward, &project).await;
        let worker = WorkerId::new(site.now());
        let permit = site.permit::<EnrolWorker>(&steward, TheSite).await;
        site.store().enrol_worker(permit, worker, "worker".to_owned()).await.unwrap();
        let module = submit(site, &researcher, &project).await;
        let module =
            decide(site, &module_reviewer, &project, &module, ModuleEvent::Approve).await.unwrap();
        Self { steward, researcher, module_reviewer, reviewers, project, module, worker }
    }

    /// Another project of the same people, with a module of its own.
    pub(crate) async fn another(&self, site: &Site) -> Self {
        let project = project(site, &[&self.researcher]);
        record(site, &self.steward, &project).await;
        let module = submit(site, &self.researcher, &project).await;
        let approve = ModuleEvent::Approve;
        let module = decide(site, &self.module_reviewer, &project, &module, approve).await.unwrap();
        Self {
            steward: self.steward.clone(),
            researcher: self.researcher.clone(),
            module_reviewer: self.module_reviewer.clone(),
            reviewers: self.reviewers.clone(),
            project,
            module,
            worker: self.worker,
        }
    }

    pub(crate) fn terms(&self) -> ProjectTerms {
        terms(&self.project)
    }

    /// An order for a run by `login`, with nothing to limit it.
    pub(crate) fn order(&self, site: &Site, login: &Login) -> RunOrder {
        let now = site.now();
        let run = Run {
            run_id: RunId::new(now),
            project_id: self.project.project_id,
            module_id: self.module.module_id,
            requested_by: login.person.person_id,
            state: RunState::Queued,
            failure_class: None,
            progress_tenths: 0,
            created_at: now,
            ended_at: None,
            dataset_id: "lung".to_owned(),
            dataset_version: "v1".to_owned(),
            joined: vec![],
            bring_ins: vec![],
            end_cause: None,
            parameters_sha256: sha256(PARAMETERS),
            output_count: 0,
            decision_index: 0,
            attempts: 0,
            lease: None,
        };
        RunOrder {
            run,
            request_key: None,
            parameters: PARAMETERS.to_vec(),
            module_sha256: self.module.sha256.clone(),
            tables: vec![],
            joined: vec![],
            runs_per_hour: 1000,
            runs_per_day: 0,
        }
    }

    /// Asks for a run as ordered.
    pub(crate) async fn place(
        &self,
        site: &Site,
        login: &Login,
        order: RunOrder,
    ) -> Result<Run, StoreError> {
        let permit = self.start_permit(site, login).await;
        site.store().start_run(permit, order).await.map(|run| run.into_inner())
    }

    pub(crate) async fn start_permit(&self, site: &Site, login: &Login) -> Permit<StartRun> {
        let plan = RunPlan {
            terms: self.terms(),
            module_id: self.module.module_id,
            module_state: ModuleState::Approved,
            ungranted: vec![],
            unlinkable: vec![],
        };
        site.permit::<StartRun>(login, plan).await
    }

    /// Queues a run of the researcher's.
    pub(crate) async fn start(&self, site: &Site) -> Run {
        let order = self.order(site, &self.researcher);
        self.place(site, &self.researcher, order).await.unwrap()
    }

    /// Leases the oldest queued run for a minute.
    pub(crate) async fn lease(&self, site: &Site) -> Option<Leased> {
        let permit = self.lease_permit(site).await;
        let expires_at = permit.at().plus_seconds(60);
        site.store().lease_run(permit, self.worker, expires_at).await.unwrap()
    }

    pub(crate) async fn lease_permit(&self, site: &Site) -> Permit<LeaseRun> {
        site.permit_to::<LeaseRun>(&site.worker(self.worker), TheSite).await
    }

    /// A permit for the worker to report on a run that it holds, or held.
    pub(crate) async fn hold_permit(&self, site: &Site, run: &Run) -> Permit<HoldRun> {
        let resource = RunResource { held_by: Some(self.worker), ..self.run_resource(run) };
        site.permit_to::<HoldRun>(&site.worker(self.worker), resource).await
    }

    pub(crate) fn run_resource(&self, run: &Run) -> RunResource {
        RunResource {
            terms: self.terms(),
            run_id: run.run_id,
            requested_by: run.requested_by,
            state: run.state,
            held_by: run.lease.as_ref().map(|lease| lease.worker_id),
        }
    }

    /// Ends a leased run with one output that holds `content`.
    pub(crate) async fn complete(
        &self,
        site: &Site,
        leased: &Leased,
        content: &[u8],
    ) -> Result<Run, StoreError> {
        let permit = self.hold_permit(site, &leased.run).await;
        let outputs = vec![sealed(site, leased, content)];
        let usage = RunUsage { rows_read: 228, ..RunUsage::default() };
        site.store().complete_run(permit, leased.lease.lease_id, outputs, usage).await
    }

    /// A run that left one output.
    pub(crate) async fn succeeded(&self, site: &Site, content: &[u8]) -> Run {
        let run = self.start(site).await;
        let leased = self.lease(site).await.unwrap();
        assert_eq!(leased.run.run_id, run.run_id);
        self.complete(site, &leased, content).await.unwrap()
    }

    /// Asks for the release of a run's outputs.
    pub(crate) async fn request(
        &self,
        site: &Site,
        run: &Run,
    ) -> Result<ReviewRequest, StoreError> {
        let permit = site.permit::<RequestRelease>(&self.researcher, self.run_resource(run)).await;
        let request = ReviewRequest {
            review_request_id: ReviewRequestId::new(site.now()),
            project_id: run.project_id,
            run_id: run.run_id,
            requested_by: self.researcher.person.person_id,
            organisation_id: self.researcher.person.organisation_id,
            state: ReviewState::InReview,
            purpose: "a paper".to_owned(),
            round: 1,
            created_at: site.now(),
            votes: vec![],
            release_id: None,
            findings: 0,
        };
        let requested = site.store().request_release(permit, request).await?;
        Ok(requested.for_decision().clone())
    }

    pub(crate) fn review_resource(&self, request: &ReviewRequest) -> ReviewResource {
        ReviewResource {
            terms: self.terms(),
            review_request_id: request.review_request_id,
            requested_by: request.requested_by,
            organisation: request.organisation_id,
            state: request.state,
            voters: vec![],
        }
    }

    /// A permit to vote, as one has before any vote was cast.
    pub(crate) async fn vote_permit(
        &self,
        site: &Site,
        reviewer: &Login,
        request: &ReviewRequest,
    ) -> Permit<CastVote> {
        site.permit::<CastVote>(reviewer, self.review_resource(request)).await
    }

    /// Votes.
    pub(crate) async fn vote(
        &self,
        site: &Site,
        reviewer: &Login,
        request: &ReviewRequest,
        verdict: Verdict,
    ) -> Result<ReviewRequest, StoreError> {
        let permit = self.vote_permit(site, reviewer, request).await;
        let vote = vote(reviewer, request.round, verdict, site.now());
        Ok(site.store().cast_vote(permit, vote).await?.for_decision().clone())
    }

    /// The release of a run whose outputs both reviewers let out.
    pub(crate) async fn released(&self, site: &Site, run: &Run) -> Release {
        let request = self.request(site, run).await.unwrap();
        for reviewer in &self.reviewers {
            self.vote(site, reviewer, &request, Verdict::Approve).await.unwrap();
        }
        let request = site.store().review_request(request.review_request_id).await.unwrap();
        let release_id = request.for_decision().release_id.unwrap();
        site.store().release(release_id).await.unwrap().for_decision().clone()
    }

    pub(crate) fn release_resource(&self, release: &Release) -> ReleaseResource {
        ReleaseResource { terms: self.terms(), release_id: release.release_id }
    }
}

pub(crate) fn vote(reviewer: &Login, round: u32, verdict: Verdict, cast_at: Timestamp) -> Vote {
    Vote {
        reviewer: reviewer.person.person_id,
        round,
        verdict,
        comment: "comment".to_owned(),
        cast_at,
        decision_sha256: "00".to_owned(),
    }
}

/// What a worker hands in: `content`, sealed under the lease's key.
pub(crate) fn sealed(site: &Site, leased: &Leased, content: &[u8]) -> (OutputRecord, Vec<u8>) {
    let context = output_context(leased.run.run_id, 0, "table");
    let bytes = seal(&leased.output_key, &context, content).unwrap();
    let record = OutputRecord {
        output_id: OutputId::new(site.now()),
        run_id: leased.run.run_id,
        project_id: leased.run.project_id,
        name: "table".to_owned(),
        kind: "table".to_owned(),
        findings: 1,
        ordinal: 0,
        sha256: sha256(&bytes),
    };
    (record, bytes)
}

pub(crate) fn dataset(dataset_id: &str, version: &str, registered_at: Timestamp) -> Dataset {
    Dataset {
        dataset_id: dataset_id.to_owned(),
        version: version.to_owned(),
        title: Default::default(),
        description: Default::default(),
        tables: vec![],
        patients_rounded: 230,
        holds: Default::default(),
        database: "jisedai".to_owned(),
        id_space: "lung".to_owned(),
        min_cell: 10,
        next_update: String::new(),
        overdue_since: None,
        terms: Default::default(),
        licence: "licence".to_owned(),
        profile_toml: String::new(),
        manifest_sha256: sha256(version.as_bytes()),
        registered_at,
    }
}

/// A project of the handlers' organisation.
pub(crate) fn project(site: &Site, handlers: &[&Login]) -> Project {
    let agreement = Agreement {
        agreement_id: AgreementId::new(site.now()),
        organisation_id: handlers[0].person.organisation_id,
        purpose: "study".to_owned(),
        handlers: handlers.iter().map(|login| login.person.person_id).collect(),
        places: vec!["127.0.0.0/8".to_owned().try_into().unwrap()],
        dataset_id: "lung".to_owned(),
        dataset_version: "v1".to_owned(),
        tables: vec![],
        joined: vec![],
        period_start: BEGINNING.plus_seconds(-86_400),
        period_end: BEGINNING.plus_seconds(86_400),
        provision_method: ProvisionMethod::Visiting,
        bring_in: true,
        take_out: true,
        min_cell: 10,
        cohort_floor: 0,
        runs_per_hour: 1000,
        runs_per_day: 0,
        run_quota: RunQuota::default(),
    };
    Project {
        project_id: ProjectId::new(site.now()),
        name: "study".to_owned(),
        agreement,
        closure: None,
    }
}

pub(crate) async fn record(site: &Site, steward: &Login, project: &Project) {
    let permit = site.permit::<RecordAgreement>(steward, TheSite).await;
    site.store().record_agreement(permit, project.clone()).await.unwrap();
}

pub(crate) fn terms(project: &Project) -> ProjectTerms {
    ProjectTerms::new(project, [127, 0, 0, 1].into())
}

/// Brings a module into a project.
pub(crate) async fn submit(site: &Site, login: &Login, project: &Project) -> Module {
    let resource = ProjectResource { terms: terms(project) };
    let permit = site.permit::<SubmitModule>(login, resource).await;
    let module = Module {
        module_id: ModuleId::new(site.now()),
        project_id: project.project_id,
        name: "module".to_owned(),
        world: World::Cohort,
        state: ModuleState::InReview,
        sha256: sha256(COMPONENT),
        manifest_sha256: sha256(MANIFEST.as_bytes()),
        size_bytes: COMPONENT.len() as u64,
        submitted_by: login.person.person_id,
        submitted_at: site.now(),
        decided_by: None,
        decision_comment: String::new(),
        report_json: "{}".to_owned(),
        inputs: vec![],
    };
    let submitted = site.store().submit_module(permit, module, COMPONENT, MANIFEST).await;
    submitted.unwrap().into_inner()
}

pub(crate) fn module_resource(project: &Project, module: &Module) -> ModuleResource {
    let submitted_by = module.submitted_by;
    ModuleResource { terms: terms(project), module_id: module.module_id, submitted_by }
}

pub(crate) async fn decide(
    site: &Site,
    reviewer: &Login,
    project: &Project,
    module: &Module,
    decision: ModuleEvent,
) -> Result<Module, StoreError> {
    let permit = site.permit::<DecideModule>(reviewer, module_resource(project, module)).await;
    let decided = site.store().decide_module(permit, decision, "comment".to_owned()).await?;
    Ok(decided.into_inner())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
