//! Modules: sealed when they enter, decided by a reviewer, opened only by a run.

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{DecideModule, ListModuleQueue, ListModules, ReadModule, StartRun, SubmitModule},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    Module, ModuleId, ModuleState, Page, PageRequest, ProjectId, lifecycle::Lifecycle,
    module::ModuleEvent,
};
use sekisho_vault::{Context, Key, open, seal};
use sha2::{Digest, Sha256};

use crate::{
    Store, StoreError, body, closing::check_open, keys::Scope, log::record, projects::page,
};

const MODULE: &str = "SELECT body FROM module WHERE id = $1";

/// Context under which a module's component is sealed; workers open it under the same.
#[must_use]
pub fn component_context(module_id: ModuleId) -> Context {
    Context::new("module").text(&module_id.to_string())
}

fn manifest_context(module_id: ModuleId) -> Context {
    Context::new("manifest").text(&module_id.to_string())
}

/// A sealed component with what opens it; goes to a worker under a lease.
pub struct SealedModule {
    /// As stored.
    pub sealed: Vec<u8>,
    /// Opens it.
    pub key: Key,
    /// analysis.toml.
    pub manifest: String,
}

impl Store {
    /// Brings a module in, sealed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn submit_module(
        &self,
        permit: Permit<SubmitModule>,
        module: Module,
        component: &[u8],
        manifest: &str,
    ) -> Result<Visible<Module>, StoreError> {
        let module_id = module.module_id;
        let event = record(
            &permit,
            EventKind::ModuleSubmitted {
                module_id,
                project_id: module.project_id,
                sha256: module.sha256.clone(),
                manifest_sha256: module.manifest_sha256.clone(),
            },
        );
        let key = self.keys.create(Scope::Module(module.project_id, module_id)).await?;
        let component = seal(&key.key, &component_context(module_id), component)?;
        let manifest = seal(&key.key, &manifest_context(module_id), manifest.as_bytes())?;
        self.objects.put(&component_name(module_id), component).await?;
        self.objects.put(&manifest_name(module_id), manifest).await?;
        let row = module.clone();
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    check_open(tx, row.project_id).await?;
                    sqlx::query(
                        "INSERT INTO module (id, project_id, state, body)
                         VALUES ($1, $2, $3, $4)",
                    )
                    .bind(row.module_id.to_string())
                    .bind(row.project_id.to_string())
                    .bind(row.state.name())
                    .bind(body::encode(&row)?)
                    .execute(&mut *tx)
                    .await?;
                    key.insert(tx).await?;
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(module)))
    }

    /// A reviewer's decision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was decided before.
    pub async fn decide_module(
        &self,
        permit: Permit<DecideModule>,
        decision: ModuleEvent,
        comment: String,
    ) -> Result<Visible<Module>, StoreError> {
        let module_id = permit.resource().module_id;
        let (decided_by, event) = (
            permit.person_id(),
            record(
                &permit,
                EventKind::ModuleDecided {
                    module_id,
                    approved: decision == ModuleEvent::Approve,
                    comment_sha256: hex::encode(Sha256::digest(&comment)),
                },
            ),
        );
        let done = self
            .writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let id = module_id.to_string();
                    let mut module: Module = body::one(tx, "module", MODULE, &id).await?;
                    module.state = module.state.apply(decision)?;
                    module.decided_by = decided_by;
                    module.decision_comment = comment;
                    sqlx::query(
                        "UPDATE module SET state = $1, body = $2
                         WHERE id = $3",
                    )
                    .bind(module.state.name())
                    .bind(body::encode(&module)?)
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
                    Ok((module, vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(Guarded::new(done.value)))
    }

    /// A module, to decide on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn module(&self, module_id: ModuleId) -> Result<Guarded<Module>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let id = module_id.to_string();
        Ok(Guarded::new(body::one(&mut connection, "module", MODULE, &id).await?))
    }

    /// A module's manifest, for whoever may read the module.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn manifest(
        &self,
        permit: &Permit<ReadModule>,
        module: &Module,
    ) -> Result<String, StoreError> {
        if permit.resource().module_id != module.module_id {
            return Err(StoreError::NotFound("module"));
        }
        let key = self.keys.find(Scope::Module(module.project_id, module.module_id)).await?;
        self.open_manifest(&key, module.module_id).await
    }

    /// The manifest of the module that a run is permitted for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn run_manifest(&self, permit: &Permit<StartRun>) -> Result<String, StoreError> {
        let plan = permit.resource();
        let scope = Scope::Module(plan.terms.project_id, plan.module_id);
        self.open_manifest(&self.keys.find(scope).await?, plan.module_id).await
    }

    async fn open_manifest(&self, key: &Key, module_id: ModuleId) -> Result<String, StoreError> {
        let sealed = self.objects.read(&manifest_name(module_id)).await?;
        let bytes = open(key, &manifest_context(module_id), &sealed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The sealed component of a module that is being leased to a worker.
    pub(crate) async fn sealed_module(
        &self,
        project_id: ProjectId,
        module_id: ModuleId,
    ) -> Result<SealedModule, StoreError> {
        let key = self.keys.find(Scope::Module(project_id, module_id)).await?;
        let manifest = self.open_manifest(&key, module_id).await?;
        let sealed = self.objects.read(&component_name(module_id)).await?;
        Ok(SealedModule { sealed, key, manifest })
    }

    /// A project's modules, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn project_modules(
        &self,
        permit: Permit<ListModules>,
        request: &PageRequest,
    ) -> Result<Visible<Page<Module>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM module WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(permit.resource().terms.project_id.to_string())
        .bind(request.after.clone().unwrap_or_else(|| "~".to_owned()))
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |module: &Module| module.module_id.to_string();
        Ok(permit.reveal(Guarded::new(page(body::decode_all(&rows)?, request, key))))
    }

    /// Modules that wait for a reviewer, oldest first. Each must still be permitted.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn module_queue(
        &self,
        _: &Permit<ListModuleQueue>,
        request: &PageRequest,
    ) -> Result<Guarded<Page<Module>>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM module WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(ModuleState::InReview.name())
        .bind(request.after.clone().unwrap_or_default())
        .bind(i64::from(request.size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let key = |module: &Module| module.module_id.to_string();
        Ok(Guarded::new(page(body::decode_all(&rows)?, request, key)))
    }
}

/// Every sealed object of a module.
pub(crate) fn object_names(module_id: ModuleId) -> [String; 2] {
    [component_name(module_id), manifest_name(module_id)]
}

fn component_name(module_id: ModuleId) -> String {
    format!("modules/{module_id}/component")
}

fn manifest_name(module_id: ModuleId) -> String {
    format!("modules/{module_id}/manifest")
}
