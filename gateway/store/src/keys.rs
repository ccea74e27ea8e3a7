//! The gateway's keys: one per project under the gateway's vault, one per module, per
//! brought-in table and per run under the project's. Destroying a project's key makes all of them useless.

use std::{collections::BTreeMap, sync::Arc};

use sekisho_access::{
    Guarded, Permit, Visible,
    action::{ListVaultKeys, RotateVaultKey},
};
use sekisho_audit::{Event, EventKind};
use sekisho_domain::{BringInId, ModuleId, ProjectId, RunId};
use sekisho_vault::{Context, GenerationStatus, Key, RotatingVault, WrappedKey, unwrap, wrap};
use sqlx::{AnyConnection, AnyPool, Row};

use crate::{Store, StoreError, closing::already_closed};

/// What a key is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Project(ProjectId),
    Module(ProjectId, ModuleId),
    BringIn(ProjectId, BringInId),
    /// Outputs and parameters of a run.
    Run(ProjectId, RunId),
}

impl Scope {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Project(id) => id.to_string(),
            Self::Module(_, id) => id.to_string(),
            Self::BringIn(_, id) => id.to_string(),
            Self::Run(_, id) => id.to_string(),
        }
    }

    fn context(self) -> Context {
        Context::new("gateway-key").text(&self.name())
    }

    /// Deletes the wrapped key: what it sealed opens no more.
    pub(crate) async fn destroy(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM wrapped_key WHERE scope = $1")
            .bind(self.name())
            .execute(connection)
            .await?;
        Ok(())
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
    vault: Arc<dyn RotatingVault>,
}

impl Keys {
    pub(crate) fn new(pool: AnyPool, vault: Arc<dyn RotatingVault>) -> Self {
        Self { pool, vault }
    }

    pub(crate) async fn create(&self, scope: Scope) -> Result<NewKey, StoreError> {
        let key = Key::generate()?;
        let wrapped = match scope {
            Scope::Project(_) => self.vault.wrap(&scope.context(), &key)?,
            Scope::Module(project, _) | Scope::BringIn(project, _) | Scope::Run(project, _) => {
                let kek = self.project(project).await?;
                wrap(&kek, &scope.context(), &key)?
            }
        };
        Ok(NewKey { key, scope: scope.name(), wrapped })
    }

    pub(crate) async fn find(&self, scope: Scope) -> Result<Key, StoreError> {
        match scope {
            Scope::Project(id) => self.project(id).await,
            Scope::Module(project, _) | Scope::BringIn(project, _) | Scope::Run(project, _) => {
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

    /// Wraps every project's key under the vault's current root key.
    async fn rewrap(&self, connection: &mut AnyConnection) -> Result<u64, StoreError> {
        let wrapped = project_keys(connection).await?;
        for (scope, wrapped) in &wrapped {
            let context = Scope::Project(*scope).context();
            sqlx::query("UPDATE wrapped_key SET wrapped = $1 WHERE scope = $2")
                .bind(self.vault.rewrap(&context, wrapped)?.as_bytes().to_vec())
                .bind(scope.to_string())
                .execute(&mut *connection)
                .await?;
        }
        Ok(wrapped.len() as u64)
    }
}

/// One root key of the gateway's vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKey {
    /// Its age, uses and standing.
    pub status: GenerationStatus,
    /// Keys of projects wrapped under it.
    pub wraps: u64,
}

impl Store {
    /// The root keys of the gateway's vault, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn vault_keys(
        &self,
        permit: Permit<ListVaultKeys>,
    ) -> Result<Visible<Vec<RootKey>>, StoreError> {
        Ok(permit.reveal(self.root_keys().await?))
    }

    /// Makes a new root key and wraps every project's key under it; what those keys seal
    /// stays as it is. After an error everything still opens, and it can be tried again; a
    /// root key that was made for nothing then stays without a use and without a record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rotate_vault_key(
        &self,
        permit: Permit<RotateVaultKey>,
    ) -> Result<Visible<Vec<RootKey>>, StoreError> {
        let keys = self.keys.clone();
        let (at, actor, request_id) = (permit.at(), *permit.actor(), permit.request_id());
        self.writer
            .effect(&permit, move |tx| {
                Box::pin(async move {
                    let generation = keys.vault.rotate()?.number();
                    let rewrapped = keys.rewrap(tx).await?;
                    let kind = EventKind::VaultKeyRotated { generation, rewrapped };
                    let event = Event { at, request_id: Some(request_id), actor, kind };
                    Ok(((), vec![event]))
                })
            })
            .await?;
        Ok(permit.reveal(self.root_keys().await?))
    }

    async fn root_keys(&self) -> Result<Guarded<Vec<RootKey>>, StoreError> {
        let mut wraps = BTreeMap::new();
        for (_, wrapped) in project_keys(&mut *self.pool.acquire().await?).await? {
            *wraps.entry(wrapped.generation()).or_default() += 1;
        }
        let root = |status: GenerationStatus| RootKey {
            wraps: wraps.get(&Some(status.generation)).copied().unwrap_or_default(),
            status,
        };
        Ok(Guarded::new(self.keys.vault.status()?.into_iter().map(root).collect()))
    }
}

/// The wrapped keys of all projects that are not closed.
async fn project_keys(
    connection: &mut AnyConnection,
) -> Result<Vec<(ProjectId, WrappedKey)>, StoreError> {
    let rows = sqlx::query(
        "SELECT project.id AS id, wrapped FROM wrapped_key
         JOIN project ON project.id = wrapped_key.scope ORDER BY project.id",
    )
    .fetch_all(connection)
    .await?;
    let key = |row: &sqlx::any::AnyRow| {
        let id: String = row.try_get("id")?;
        let id = id.parse().map_err(|_| StoreError::NotFound("project"))?;
        Ok((id, WrappedKey::from_bytes(row.try_get("wrapped")?)))
    };
    rows.iter().map(key).collect()
}
