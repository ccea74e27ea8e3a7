//! Runs, as the researcher asks for them and watches them.

use futures::{Stream, stream};
use prost::Message;
use sekisho_access::{
    Caller, Guarded, Permit, Visible,
    action::{CancelRun, ListRuns, ReadModule, ReadProject, ReadRun, StartRun},
    resource::{ProjectTerms, RunPlan},
};
use sekisho_domain::{
    JoinedDataset, Module, ModuleId, Page, PageRequest, Project, ProjectId, Run, RunId, RunState,
    lifecycle::Lifecycle,
};
use sekisho_module::{Manifest, Value};
use sekisho_proto::v1;
use sekisho_store::runs::RunOrder;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{App, AppError, session_of};

/// A run that is asked for.
#[derive(Debug)]
pub struct RunRequest {
    /// Under which project.
    pub project_id: ProjectId,
    /// Which module.
    pub module_id: ModuleId,
    /// Its parameters.
    pub parameters: Vec<v1::Parameter>,
    /// Makes a retry find the first answer.
    pub request_key: Option<String>,
}

impl App {
    /// Asks for a run.
    ///
    /// # Errors
    /// [`AppError::Refused`] with the clause; [`AppError::Invalid`] for parameters that
    /// the module does not declare; [`AppError::Limit`] above the agreement's rate;
    /// [`AppError::UsedUp`] `RUNS_PER_DAY` when the day's runs have been asked for.
    pub async fn start_run(
        &self,
        caller: &Caller,
        request: RunRequest,
    ) -> Result<Visible<Run>, AppError> {
        let (project, terms) = self.project_terms(caller, request.project_id).await?;
        let module = self.store.module(request.module_id).await?;
        let (project, module) = (project.for_decision(), module.for_decision());
        let plan = self.plan(caller, project, terms, module).await?;
        let permit = self.authorizer.authorize::<StartRun>(caller, plan).await?;
        let manifest = self.store.run_manifest(&permit).await?;
        let manifest = Manifest::parse(&manifest)
            .map_err(|errors| AppError::Internal(format!("stored manifest: {errors}")))?;
        check_parameters(&manifest, &request.parameters)?;
        let names: Vec<&str> = manifest.bring_ins().into_iter().collect();
        let bring_ins = self.store.approved_bring_ins(&permit, &names).await?;
        let mut order = order(caller, request, project, module)?;
        order.run.bring_ins = bring_ins;
        order.run.decision_index = permit.decision_index();
        Ok(self.store.start_run(permit, order).await?)
    }

    /// What is decided on: a module of this project, and what it wants beyond the view.
    async fn plan(
        &self,
        caller: &Caller,
        project: &Project,
        terms: ProjectTerms,
        module: &Module,
    ) -> Result<RunPlan, AppError> {
        // Another project's module looks like none at all to whoever may not read it (ZN-1).
        let readable = self.module_resource(caller, module).await?;
        let _may_read = self.authorizer.authorize::<ReadModule>(caller, readable).await?;
        if module.project_id != project.project_id {
            // Which only those learn who may know of both projects.
            let resource = self.project_resource(caller, project.project_id).await?;
            let _may_know = self.authorizer.authorize::<ReadProject>(caller, resource).await?;
            let why = "the module was brought into another project; submit it to this one";
            return Err(AppError::invalid("OTHER_PROJECT", "module_id", why));
        }
        let wanted = module.inputs.iter().map(|(table, columns)| (table.as_str(), &columns[..]));
        let ungranted = project.agreement.ungranted(wanted);
        let unlinkable =
            self.store.unlinkable(&project.agreement, tables(module), caller.at).await?;
        let (module_id, module_state) = (module.module_id, module.state);
        Ok(RunPlan { terms, module_id, module_state, ungranted, unlinkable })
    }

    /// One run's state.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn run(&self, caller: &Caller, run_id: RunId) -> Result<Visible<Run>, AppError> {
        let (permit, run) = self.readable_run(caller, run_id).await?;
        Ok(permit.reveal(run))
    }

    /// A project's runs, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn list_runs(
        &self,
        caller: &Caller,
        project_id: ProjectId,
        page: PageRequest,
    ) -> Result<Visible<Page<Run>>, AppError> {
        let resource = self.project_resource(caller, project_id).await?;
        let permit = self.authorizer.authorize::<ListRuns>(caller, resource).await?;
        Ok(self.store.runs(permit, &page).await?)
    }

    /// Ends a run that has not finished.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when it is final.
    pub async fn cancel_run(
        &self,
        caller: &Caller,
        run_id: RunId,
    ) -> Result<Visible<Run>, AppError> {
        let run = self.store.run(run_id).await?;
        let resource = self.run_resource(caller, run.for_decision()).await?;
        let permit = self.authorizer.authorize::<CancelRun>(caller, resource).await?;
        Ok(self.store.cancel_run(permit).await?)
    }

    /// A run's states as they change, until it is final.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn watch_run(
        &self,
        caller: &Caller,
        run_id: RunId,
    ) -> Result<impl Stream<Item = Result<Visible<Run>, AppError>> + use<>, AppError> {
        // Listen before the first look, so that no change falls in between.
        let changes = self.run_changes.subscribe();
        let (permit, run) = self.readable_run(caller, run_id).await?;
        let watch = Watching { app: self.clone(), permit, run_id, changes, next: Some(run) };
        Ok(stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.step().await {
                Ok((run, false)) => Some((Ok(run), Some(watch))),
                Ok((run, true)) => Some((Ok(run), None)),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn readable_run(
        &self,
        caller: &Caller,
        run_id: RunId,
    ) -> Result<(Permit<ReadRun>, Guarded<Run>), AppError> {
        let run = self.store.run(run_id).await?;
        let resource = self.run_resource(caller, run.for_decision()).await?;
        let permit = self.authorizer.authorize::<ReadRun>(caller, resource).await?;
        Ok((permit, run))
    }
}

struct Watching {
    app: App,
    permit: Permit<ReadRun>,
    run_id: RunId,
    changes: broadcast::Receiver<Option<RunId>>,
    next: Option<Guarded<Run>>,
}

impl Watching {
    /// The next state and whether it is final.
    async fn step(&mut self) -> Result<(Visible<Run>, bool), AppError> {
        let run = match self.next.take() {
            Some(run) => run,
            None => {
                self.change().await?;
                self.app.store.run(self.run_id).await?
            }
        };
        let last = run.for_decision().state.is_final();
        Ok((self.permit.reveal(run), last))
    }

    async fn change(&mut self) -> Result<(), AppError> {
        loop {
            match self.changes.recv().await {
                Ok(changed) if changed != Some(self.run_id) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return Ok(()),
                Err(RecvError::Closed) => {
                    return Err(AppError::Unavailable("the gateway is stopping".to_owned()));
                }
            }
        }
    }
}

/// The tables a module reads.
fn tables(module: &Module) -> impl Iterator<Item = &str> {
    module.inputs.iter().map(|(table, _)| table.as_str())
}

/// What is recorded of the run, but for what only its permit gives: the decision, and the
/// brought-in tables.
fn order(
    caller: &Caller,
    request: RunRequest,
    project: &Project,
    module: &Module,
) -> Result<RunOrder, AppError> {
    let requested_by = session_of(caller)?.person().person_id;
    let agreement = &project.agreement;
    let joined = agreement.joined_by(tables(module));
    let ticket = v1::RunTicket { parameters: request.parameters, ..Default::default() };
    let parameters = ticket.encode_to_vec();
    let run = Run {
        run_id: RunId::new(caller.at),
        project_id: project.project_id,
        module_id: module.module_id,
        requested_by,
        state: RunState::Queued,
        failure_class: None,
        progress_tenths: 0,
        created_at: caller.at,
        ended_at: None,
        dataset_id: agreement.dataset_id.clone(),
        dataset_version: agreement.dataset_version.clone(),
        joined: joined.iter().map(JoinedDataset::version).collect(),
        bring_ins: vec![],
        end_cause: None,
        parameters_sha256: hex::encode(Sha256::digest(&parameters)),
        output_count: 0,
        decision_index: 0,
        attempts: 0,
        lease: None,
    };
    Ok(RunOrder {
        run,
        // One person's key means nothing to another.
        request_key: request.request_key.map(|key| format!("{requested_by}/{key}")),
        parameters,
        module_sha256: module.sha256.clone(),
        tables: agreement.tables.clone(),
        joined,
        runs_per_hour: agreement.runs_per_hour,
        runs_per_day: agreement.runs_per_day,
    })
}

/// Whether the module declares these parameters so.
fn check_parameters(manifest: &Manifest, parameters: &[v1::Parameter]) -> Result<(), AppError> {
    use v1::parameter::Value as Sent;
    let invalid = |message: String| AppError::invalid("PARAMETER_REFUSED", "parameters", message);
    let mut given = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let value = match &parameter.value {
            Some(Sent::Number(number)) => Value::Number(*number),
            Some(Sent::Integer(integer)) => Value::Integer(*integer),
            Some(Sent::Text(text)) => Value::Text(text.clone()),
            Some(Sent::Flag(flag)) => Value::Flag(*flag),
            None => return Err(invalid(format!("{} has no value", parameter.name))),
        };
        given.push((parameter.name.clone(), value));
    }
    manifest.bind(&given).map(|_| ()).map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        invalid(errors.join("; "))
    })
}
