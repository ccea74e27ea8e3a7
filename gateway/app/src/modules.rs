//! Modules: checked by a machine, then by a person (OU-3).

use sekisho_access::{
    Caller, Visible,
    action::{DecideModule, ListModuleQueue, ListModules, ReadModule, SubmitModule},
    resource::{ProjectResource, Site},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    Agreement, Module, ModuleId, ModuleState, Page, PageRequest, ProjectId, World,
    module::ModuleEvent,
};
use sekisho_module::{Manifest, TableInput, inspect};
use sha2::{Digest, Sha256};

use crate::{App, AppError, session_of};

/// Longest analysis.toml, in bytes.
const MAX_MANIFEST: usize = 64 * 1024;

/// What comes with a component.
#[derive(Debug)]
pub struct NewModule {
    /// Into which project.
    pub project_id: ProjectId,
    /// The submitter's name for it.
    pub name: String,
    /// analysis.toml.
    pub manifest: String,
    /// SHA-256 that the client computed.
    pub sha256: [u8; 32],
}

/// A module with its manifest.
#[derive(Debug)]
pub struct ModuleWithManifest {
    /// The module.
    pub module: Module,
    /// analysis.toml.
    pub manifest: String,
}

impl App {
    /// Brings a component in; it waits for a module reviewer.
    ///
    /// # Errors
    /// [`AppError::Invalid`] when the hash, the manifest or the component is refused by
    /// the static checks, or the manifest wants more than the agreement grants (AG-3); that
    /// refusal is in the log.
    pub async fn submit_module(
        &self,
        caller: &Caller,
        new: NewModule,
        component: Vec<u8>,
    ) -> Result<Visible<Module>, AppError> {
        let submitted_by = session_of(caller)?.person().person_id;
        let (project, terms) = self.project_terms(caller, new.project_id).await?;
        let resource = ProjectResource { terms };
        let permit = self.authorizer.authorize::<SubmitModule>(caller, resource).await?;
        let checked = check(&new, &component, &project.for_decision().agreement);
        let sha256 = hex::encode(Sha256::digest(&component));
        let (manifest, report_json) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                let code = error.code().to_owned();
                let project_id = new.project_id;
                let kind = EventKind::ModuleRefusedStatically { project_id, sha256, code };
                self.record(kind, caller.actor(), Some(caller.request_id)).await?;
                return Err(error);
            }
        };
        let module = Module {
            module_id: ModuleId::new(caller.at),
            project_id: new.project_id,
            name: new.name,
            world: world(manifest.world),
            state: ModuleState::InReview,
            sha256,
            manifest_sha256: hex::encode(Sha256::digest(&new.manifest)),
            size_bytes: component.len() as u64,
            submitted_by,
            submitted_at: caller.at,
            decided_by: None,
            decision_comment: String::new(),
            report_json,
            inputs: inputs(&manifest),
        };
        Ok(self.store.submit_module(permit, module, &component, &new.manifest).await?)
    }

    /// One module with its report and manifest.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn module(
        &self,
        caller: &Caller,
        module_id: ModuleId,
    ) -> Result<Visible<ModuleWithManifest>, AppError> {
        let module = self.store.module(module_id).await?;
        let resource = self.module_resource(caller, module.for_decision()).await?;
        let permit = self.authorizer.authorize::<ReadModule>(caller, resource).await?;
        let manifest = self.store.manifest(&permit, module.for_decision()).await?;
        Ok(permit.reveal(module.map(|module| ModuleWithManifest { module, manifest })))
    }

    /// A project's modules; without a project those that wait for the caller's review.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn list_modules(
        &self,
        caller: &Caller,
        project_id: Option<ProjectId>,
        page: PageRequest,
    ) -> Result<Visible<Page<Module>>, AppError> {
        if let Some(project_id) = project_id {
            let resource = self.project_resource(caller, project_id).await?;
            let permit = self.authorizer.authorize::<ListModules>(caller, resource).await?;
            return Ok(self.store.project_modules(permit, &page).await?);
        }
        let permit = self.authorizer.authorize::<ListModuleQueue>(caller, Site).await?;
        let queue = self.store.module_queue(&permit, &page).await?;
        let mut allowed = Vec::new();
        for module in &queue.for_decision().items {
            let resource = self.module_resource(caller, module).await?;
            if self.authorizer.would_permit::<DecideModule>(caller, &resource) {
                allowed.push(module.clone());
            }
        }
        Ok(permit.reveal(queue.map(|page| Page { items: allowed, next: page.next })))
    }

    /// A module reviewer's decision.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when it was decided before.
    pub async fn decide_module(
        &self,
        caller: &Caller,
        module_id: ModuleId,
        approve: bool,
        comment: String,
    ) -> Result<Visible<Module>, AppError> {
        let module = self.store.module(module_id).await?;
        let resource = self.module_resource(caller, module.for_decision()).await?;
        let permit = self.authorizer.authorize::<DecideModule>(caller, resource).await?;
        if !approve && comment.trim().is_empty() {
            return Err(AppError::invalid(
                "COMMENT_MISSING",
                "comment",
                "say why, so that the researcher can mend it",
            ));
        }
        let decision = if approve { ModuleEvent::Approve } else { ModuleEvent::Refuse };
        Ok(self.store.decide_module(permit, decision, comment).await?)
    }
}

/// The machine's checks: the manifest, and the report for the reviewer as JSON.
fn check(
    new: &NewModule,
    component: &[u8],
    agreement: &Agreement,
) -> Result<(Manifest, String), AppError> {
    if <[u8; 32]>::from(Sha256::digest(component)) != new.sha256 {
        return Err(AppError::invalid(
            "HASH_MISMATCH",
            "sha256",
            "the bytes that arrived are not those that were hashed; send it again",
        ));
    }
    if new.manifest.len() > MAX_MANIFEST {
        return Err(AppError::invalid("MANIFEST_TOO_LARGE", "manifest", "at most 64 KiB"));
    }
    let manifest = Manifest::parse(&new.manifest)
        .map_err(|errors| AppError::invalid("MANIFEST_REFUSED", "manifest", errors.to_string()))?;
    let inputs = inputs(&manifest);
    let wanted = inputs.iter().map(|(table, columns)| (table.as_str(), &columns[..]));
    let ungranted = agreement.ungranted(wanted);
    if !ungranted.is_empty() {
        let message = format!("the agreement does not grant {} (AG-3)", ungranted.join(", "));
        return Err(AppError::invalid("NOT_GRANTED", "manifest", message));
    }
    let report = inspect(component, manifest.world)
        .map_err(|refusal| AppError::invalid(refusal.code(), "component", refusal.to_string()))?;
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| serde_json::json!({ "code": finding.code, "message": finding.message }))
        .collect();
    let report = serde_json::json!({
        "imports": report.imports,
        "exports": report.exports,
        "functions": report.functions,
        "data_bytes": report.data_bytes,
        "initial_memory_bytes": report.initial_memory_bytes,
        "findings": findings,
    });
    Ok((manifest, report.to_string()))
}

/// What is read of the datasets: columns that are looked up elsewhere left out, those by
/// which is looked up taken in.
fn inputs(manifest: &Manifest) -> Vec<(String, Vec<String>)> {
    let columns = |table: &TableInput| table.read().into_iter().map(str::to_owned).collect();
    manifest.tables.iter().map(|table| (table.name.clone(), columns(table))).collect()
}

fn world(world: sekisho_module::World) -> World {
    match world {
        sekisho_module::World::PerPatient => World::PerPatient,
        sekisho_module::World::Cohort => World::Cohort,
        sekisho_module::World::Rounds => World::Rounds,
    }
}
