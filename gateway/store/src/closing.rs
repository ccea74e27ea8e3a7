//! Close-out (SV-3): a project ends, and with its keys everything that was sealed under
//! them.
//!
//! Runs, requests, keys and the record of it all change in one transaction with the log;
//! sealed objects and what the database's journal still holds are removed after it, again
//! and again until that is done, across crashes.

mod scrub;

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{CloseProject, ReadErasure},
};
use sekisho_audit::{Actor, Event, EventKind, Hash};
use sekisho_domain::{
    BringIn, Closure, EndCause, Erasure, Module, Project, ProjectId, RequestId, ReviewRequest, Run,
    Timestamp, bring_in::BringInWithdrawal, lifecycle::Lifecycle, review::ReviewEvent,
};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Row};

use crate::{
    Store, StoreError, body, bring_ins, keys, log::next_index, modules, outputs,
    outputs::OutputRecord, projects::load_project, reidentifications, reviews, runs,
    runs::end_runs, writer::Outcome,
};

/// An erasure record with the log's own proof of it.
#[derive(Debug, Clone)]
pub struct ErasureProof {
    /// The record as its hash in the log covers it: JSON of [`Erasure`].
    pub erasure_json: String,
    /// Whether the sealed objects are gone from the store already.
    pub removed: bool,
    /// Index of the entry that closed the project.
    pub entry_index: u64,
    /// That entry's leaf bytes.
    pub entry: Vec<u8>,
    /// Newest checkpoint.
    pub checkpoint: String,
    /// Audit path of the entry under the checkpoint.
    pub inclusion: Vec<Hash>,
}

/// Who closes, when and in which call.
#[derive(Clone, Copy)]
struct Stamp {
    at: Timestamp,
    request_id: Option<RequestId>,
    actor: Actor,
}

impl Store {
    /// Closes a project by order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] `PROJECT_CLOSED` when it is closed already.
    pub async fn close_project(
        &self,
        permit: Permit<CloseProject>,
        reason: String,
    ) -> Result<Visible<Project>, StoreError> {
        let project_id = permit.resource().terms.project_id;
        let closure = Closure { at: permit.at(), by: permit.person_id(), reason };
        let request_id = Some(permit.request_id());
        let stamp = Stamp { at: permit.at(), request_id, actor: *permit.actor() };
        let done = self
            .writer
            .effect(&permit, move |tx| Box::pin(close(tx, project_id, closure, stamp)))
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// Closes the projects whose period of use ended `grace_seconds` ago or earlier (AG-6).
    /// The gateway does this by itself, as the log says. One that cannot be closed, or whose
    /// row cannot be read, holds up no other.
    ///
    /// # Errors
    /// [`StoreError`] when the projects cannot be read.
    pub async fn close_ended_projects(
        &self,
        now: Timestamp,
        grace_seconds: i64,
    ) -> Result<Vec<(ProjectId, Result<(), StoreError>)>, StoreError> {
        let rows =
            sqlx::query("SELECT id, body FROM project ORDER BY id").fetch_all(&self.pool).await?;
        let ended = |project: &Project| {
            let end = project.agreement.period_end.plus_seconds(grace_seconds);
            project.closure.is_none() && end <= now
        };
        let mut closed = Vec::new();
        for row in rows {
            let id = row.try_get::<String, _>("id")?;
            let project_id =
                id.parse::<ProjectId>().map_err(|_| StoreError::NotFound("project"))?;
            match body::decode(&row) {
                Ok(project) if ended(&project) => (),
                Ok(_) => continue,
                Err(unreadable) => {
                    closed.push((project_id, Err(unreadable)));
                    continue;
                }
            }
            let reason = "the period of use has ended".to_owned();
            let closure = Closure { at: now, by: None, reason };
            let stamp = Stamp { at: now, request_id: None, actor: Actor::System {} };
            let done =
                self.writer.commit(move |tx| Box::pin(close(tx, project_id, closure, stamp))).await;
            closed.push((project_id, done.map(|_| ())));
        }
        Ok(closed)
    }

    /// Removes what closed projects left in the object store and in the database's journal.
    /// What fails is tried again by the next call, and holds up no other project, nor does a
    /// record that cannot be read.
    ///
    /// # Errors
    /// [`StoreError`] with the first that could not be removed.
    pub async fn finish_erasures(&self, now: Timestamp) -> Result<(), StoreError> {
        let pending = "SELECT project_id AS id, body FROM erasure
                       WHERE pending = 1 ORDER BY project_id";
        let rows = sqlx::query(pending).fetch_all(&self.pool).await?;
        let (mut removed, mut failed) = (Vec::new(), None);
        for erasure in body::decode_readable::<Erasure>("erasure", &rows)? {
            match self.remove_objects(&erasure).await {
                Ok(()) => removed.push(erasure),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        if !removed.is_empty() {
            self.scrub().await?;
            self.record_removal(removed, now).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    async fn remove_objects(&self, erasure: &Erasure) -> Result<(), StoreError> {
        for name in &erasure.objects {
            self.objects.remove_all(name).await?;
        }
        Ok(())
    }

    async fn record_removal(
        &self,
        erasures: Vec<Erasure>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let mut events = Vec::with_capacity(erasures.len());
                    for erasure in erasures {
                        let project_id = erasure.project_id;
                        let done = sqlx::query(
                            "UPDATE erasure SET pending = 0 WHERE project_id = $1 AND pending = 1",
                        )
                        .bind(project_id.to_string())
                        .execute(&mut *tx)
                        .await?;
                        // Somebody else may have finished it meanwhile, and said so.
                        if done.rows_affected() == 1 {
                            let kind = EventKind::ErasureFinished { project_id };
                            let actor = Actor::System {};
                            events.push(Event { at, request_id: None, actor, kind });
                        }
                    }
                    Ok(((), events))
                })
            })
            .await?;
        Ok(())
    }

    /// The erasure record (消去記録) of a closed project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] while the project is open.
    pub async fn erasure(
        &self,
        permit: Permit<ReadErasure>,
    ) -> Result<Visible<ErasureProof>, StoreError> {
        let row = sqlx::query("SELECT body, pending FROM erasure WHERE project_id = $1")
            .bind(permit.resource().terms.project_id.to_string())
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NotFound("erasure record"))?;
        let Erasure { entry_index, .. } = body::decode(&row)?;
        let (tree_size, checkpoint) = self.newest_checkpoint().await?;
        let proof = ErasureProof {
            erasure_json: row.try_get("body")?,
            removed: row.try_get::<i64, _>("pending")? == 0,
            entry_index,
            entry: self.entry(entry_index).await?,
            checkpoint,
            inclusion: self.inclusion(entry_index, tree_size)?,
        };
        Ok(permit.reveal(Guarded::new(proof)))
    }
}

/// Refuses what belongs to a closed project, inside the transaction that would add to it.
pub(crate) async fn check_open(
    connection: &mut AnyConnection,
    project_id: ProjectId,
) -> Result<(), StoreError> {
    match load_project(connection, project_id).await?.closure {
        None => Ok(()),
        Some(_) => Err(already_closed()),
    }
}

pub(crate) fn already_closed() -> StoreError {
    StoreError::conflict("PROJECT_CLOSED", "the project is closed and its keys are destroyed")
}

async fn close(
    tx: &mut AnyConnection,
    project_id: ProjectId,
    closure: Closure,
    stamp: Stamp,
) -> Outcome<Project> {
    let id = project_id.to_string();
    let mut project = load_project(tx, project_id).await?;
    if project.closure.is_some() {
        return Err(already_closed());
    }
    let mut kinds = Vec::new();
    let mut runs = runs::runs_of(tx, project_id).await?;
    end_runs(tx, &mut runs, closure.at, EndCause::ProjectClosed, &mut kinds).await?;
    end_requests(tx, &id, &mut kinds).await?;
    let tokens = reidentifications::end_with_project(tx, project_id, &mut kinds).await?;
    let Closure { at, by, ref reason } = closure;
    let withdrawal = BringInWithdrawal { by, at, reason: reason.clone() };
    let tables = bring_ins::end_with_project(tx, project_id, withdrawal, &mut kinds).await?;
    let modules: Vec<Module> = body::decode_all(
        &of_project(tx, "SELECT body FROM module WHERE project_id = $1", &id).await?,
    )?;
    let contents = Contents { project_id, modules, tables, runs };
    let keys = contents.destroy_keys(tx).await?;
    let objects = contents.objects(tx).await?;
    let erasure = Erasure {
        project_id,
        agreement_id: project.agreement.agreement_id,
        rule: "SV-3".to_owned(),
        closure: closure.clone(),
        keys,
        objects: objects.into_iter().chain(tokens).collect(),
        entry_index: next_index(tx).await? + kinds.len() as u64,
    };
    kinds.push(insert_erasure(tx, &erasure).await?);
    project.closure = Some(closure);
    sqlx::query("UPDATE project SET body = $1 WHERE id = $2")
        .bind(body::encode(&project)?)
        .bind(&id)
        .execute(&mut *tx)
        .await?;
    let Stamp { at, request_id, actor } = stamp;
    let events = kinds.into_iter().map(|kind| Event { at, request_id, actor, kind });
    Ok((project, events.collect()))
}

/// What was made in a project.
struct Contents {
    project_id: ProjectId,
    modules: Vec<Module>,
    tables: Vec<BringIn>,
    runs: Vec<Run>,
}

impl Contents {
    /// The sealed objects, to be removed.
    async fn objects(&self, tx: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
        let sealed = "SELECT output.body AS body FROM output JOIN run ON run.id = output.run_id
                      WHERE run.project_id = $1 ORDER BY output.id";
        let outputs = of_project(tx, sealed, &self.project_id.to_string()).await?;
        let outputs: Vec<OutputRecord> = body::decode_all(&outputs)?;
        let mut objects: Vec<String> = Vec::new();
        let modules = self.modules.iter();
        objects.extend(modules.flat_map(|module| modules::object_names(module.module_id)));
        objects.extend(self.tables.iter().flat_map(bring_ins::object_names));
        objects.push(bring_ins::folder(self.project_id));
        objects.extend(self.runs.iter().map(|run| runs::parameters_name(run.run_id)));
        let name = |output: &OutputRecord| outputs::output_name(output.run_id, output.output_id);
        objects.extend(outputs.iter().map(name));
        objects.extend(self.runs.iter().map(|run| outputs::outputs_folder(run.run_id)));
        Ok(objects)
    }

    /// Deletes the project's key and all keys under it; gives what they were for.
    async fn destroy_keys(&self, tx: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
        use keys::Scope;
        let id = self.project_id;
        let mut scopes = vec![Scope::Project(id)];
        scopes.extend(self.modules.iter().map(|module| Scope::Module(id, module.module_id)));
        scopes.extend(self.tables.iter().map(|table| Scope::BringIn(id, table.bring_in_id)));
        scopes.extend(self.runs.iter().map(|run| Scope::Run(id, run.run_id)));
        let mut names = Vec::new();
        for scope in scopes {
            scope.destroy(tx).await?;
            names.push(scope.name());
        }
        Ok(names)
    }
}

/// Keeps the record while its objects are removed, and after; gives its entry of the log.
async fn insert_erasure(
    tx: &mut AnyConnection,
    erasure: &Erasure,
) -> Result<EventKind, StoreError> {
    let text = body::encode(erasure)?;
    let kind = EventKind::ProjectClosed {
        project_id: erasure.project_id,
        agreement_id: erasure.agreement_id,
        reason: erasure.closure.reason.clone(),
        erasure_sha256: hex::encode(Sha256::digest(&text)),
    };
    sqlx::query("INSERT INTO erasure (project_id, pending, body) VALUES ($1, 1, $2)")
        .bind(erasure.project_id.to_string())
        .bind(text)
        .execute(tx)
        .await?;
    Ok(kind)
}

/// Takes back the requests that nobody can answer any more.
async fn end_requests(
    tx: &mut AnyConnection,
    project: &str,
    kinds: &mut Vec<EventKind>,
) -> Result<(), StoreError> {
    let query = "SELECT body FROM review_request WHERE project_id = $1 ORDER BY id";
    let requests: Vec<ReviewRequest> = body::decode_all(&of_project(tx, query, project).await?)?;
    for mut request in requests.into_iter().filter(|request| !request.state.is_final()) {
        request.state = request.state.apply(ReviewEvent::Withdraw)?;
        reviews::update(tx, &request).await?;
        let (review_request_id, outcome) = (request.review_request_id, request.state);
        kinds.push(EventKind::ReviewDecided { review_request_id, outcome });
    }
    Ok(())
}

async fn of_project(
    tx: &mut AnyConnection,
    query: &'static str,
    project: &str,
) -> Result<Vec<sqlx::any::AnyRow>, StoreError> {
    Ok(sqlx::query(query).bind(project).fetch_all(tx).await?)
}
