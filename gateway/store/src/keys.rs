//! The gateway's keys: one per project under the gateway's vault, one per module and
//! per run under the project's. Destroying a project's key makes all of them useless.

use std::sync::Arc;

use sekisho_domain::{ModuleId, ProjectId, RunId};
use sekisho_vault::{Context, Key, KeyVault, WrappedKey, unwrap, wrap};
use sqlx::{AnyConnection, AnyPool, Row};

use crate::{StoreError, closing::already_closed};

/// What a key is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Project(ProjectId),
    Module(ProjectId, ModuleId),
    /// Outputs and parameters of a run.
    Run(ProjectId, RunId),
}

impl Scope {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Project(id) => id.to_string(),
            Self::Module(_, id) => id.to_string(),
            Self::Run(_, id) => id.to_string(),
        }
    }

    fn context(self) -> Context {
        Context::new("gateway-key").text(&self.name())
    }
}

/// A fresh key and its wrapped form, to be stored with the thing it is for.
pub(crate) struct NewKey {
    pub(crate) key: Key,
    scope: String,
    wrapped: WrappedKey,
}

impl NewKey {
    pub(crate) async fn insert(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO wrapped_key (scope, wrapped) VALUES ($1, $2)")
            .bind(self.scope)
            .bind(self.wrapped.as_bytes().to_vec())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Makes and finds the gateway's keys.
#[derive(Clone)]
pub struct Keys {
    pool: AnyPool,
    vault: Arc<dyn KeyVault>,
}

impl Keys {
    pub(crate) fn new(pool: AnyPool, vault: Arc<dyn KeyVault>) -> Self {
        Self { pool, vault }
    }

    pub(crate) async fn create(&self, scope: Scope) -> Result<NewKey, StoreError> {
        let key = Key::generate()?;
        let wrapped = match scope {
            Scope::Project(_) => self.vault.wrap(&scope.context(), &key)?,
            Scope::Module(project, _) | Scope::Run(project, _) => {
                let kek = self.project(project).await?;
                wrap(&kek, &scope.context(), &key)?
            }
        };
        Ok(NewKey { key, scope: scope.name(), wrapped })
    }

    pub(crate) async fn find(&self, scope: Scope) -> Result<Key, StoreError> {
        match scope {
            Scope::Project(id) => self.project(id).await,
            Scope::Module(project, _) | Scope::Run(project, _) => {
                let kek = self.project(project).await?;
                Ok(unwrap(&kek, &scope.context(), &self.wrapped(scope).await?)?)
            }
        }
    }

    async fn project(&self, id: ProjectId) -> Result<Key, StoreError> {
        let scope = Scope::Project(id);
        let wrapped = match self.wrapped(scope).await {
            // Every project is opened with its key and closed without.
            Err(StoreError::NotFound(_)) => return Err(already_closed()),
            wrapped => wrapped?,
        };
        Ok(self.vault.unwrap(&scope.context(), &wrapped)?)
    }

    async fn wrapped(&self, scope: Scope) -> Result<WrappedKey, StoreError> {
        let row = sqlx::query("SELECT wrapped FROM wrapped_key WHERE scope = $1")
            .bind(scope.name())
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NotFound("key"))?;
        Ok(WrappedKey::from_bytes(row.try_get("wrapped")?))
    }
}
