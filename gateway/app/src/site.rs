//! Opening a site, and founding one.

use std::{fmt, path::PathBuf, sync::Arc};

use sekisho_access::{Authorizer, PolicyEngine, StepUps, linkage::LinkageMatrix};
use sekisho_audit::{Actor, CheckpointSigner, EventKind};
use sekisho_deployment::{Deployment, DeploymentError, Holds};
use sekisho_domain::{Clock, Organisation, OrganisationId, OrganisationKind, Role};
use sekisho_identity::{
    certificates::SiteCa,
    oidc::OidcConfig,
    webauthn::{AllowList, SecondFactor},
};
use sekisho_proto::v1;
use sekisho_store::{Store, StoreConfig};
use sekisho_vault::{SigningIdentity, VaultPlace};
use sekisho_watch::{Watch, WatchConfig};
use tokio::sync::{Notify, OnceCell, broadcast, mpsc};

use crate::{
    App, AppError, Inner,
    login::Logins,
    steward::{NewPerson, enter},
};

/// `sqlite:///path/to/file` or `postgres://…`; never shown, for it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes an address as it is; it is looked at when the site is opened.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split_once(':').map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}:…")
    }
}

/// Where a site's parts are and how it behaves; paths are absolute.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Where the database is.
    pub database_url: DatabaseUrl,
    /// Folder of sealed objects.
    pub objects: PathBuf,
    /// The gateway's own key vault.
    pub vault: VaultPlace,
    /// Folder of the site's CA.
    pub ca: PathBuf,
    /// PKCS#8 PEM of the key that signs checkpoints.
    pub checkpoint_key: PathBuf,
    /// PKCS#8 PEM of the key that signs run tickets.
    pub ticket_key: PathBuf,
    /// Name of the log, as in its checkpoints.
    pub log_origin: String,
    /// WebAuthn relying party id.
    pub rp_id: String,
    /// WebAuthn origin.
    pub origin: String,
    /// Allow-list of authenticator models (TOML).
    pub authenticators: PathBuf,
    /// First factor.
    pub oidc: OidcConfig,
    /// Rules of the watch.
    pub watch: WatchConfig,
    /// Record of the machines that the site's data lie on (CL-1, CL-2).
    pub deployment: PathBuf,
    /// Length of a session in seconds, at most 8 hours.
    pub session_seconds: i64,
    /// Upper bounds of every run; `min_cell` comes from the agreement.
    pub limits: v1::RunLimits,
}

impl AppConfig {
    /// Reads the deployment record: results lie here, and the modules of researchers.
    ///
    /// # Errors
    /// [`DeploymentError`]: the site must not be served where the record says.
    pub fn deployment(&self) -> Result<Deployment, DeploymentError> {
        Deployment::read(&self.deployment, Holds::PseudonymisedInformation)
    }
}

/// Who founds a site.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The producer's name.
    pub producer_name: String,
    /// The first steward's name.
    pub steward_name: String,
    /// Their issuer.
    pub oidc_issuer: String,
    /// Their subject there.
    pub oidc_subject: String,
}

/// What founding gives back.
#[derive(Debug)]
pub struct FoundedSite {
    /// The producer.
    pub organisation_id: OrganisationId,
    /// The first steward's invitation; shown once.
    pub invitation: String,
}

impl App {
    /// Opens a site and starts its own work.
    ///
    /// # Errors
    /// [`AppError::Internal`] naming the part that cannot be used.
    pub async fn open(config: AppConfig, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let broken = |part: &'static str| {
            move |error: &dyn std::fmt::Display| AppError::Internal(format!("{part}: {error}"))
        };
        let deployment = config.deployment().map_err(|e| broken(e.code())(&e))?;
        let vault = config.vault.open().map_err(|e| broken("vault")(&e))?;
        let ca = SiteCa::open(&config.ca).map_err(|e| broken("ca")(&e))?;
        let ticket_signer =
            SigningIdentity::load(&config.ticket_key).map_err(|e| broken("ticket key")(&e))?;
        let signer = checkpoint_signer(&config)?;
        let verifier_key = signer.verifier().to_string();
        let second_factor = second_factor(&config)?;
        let policies = PolicyEngine::new().map_err(|e| broken("policies")(&e))?;
        let linkage = LinkageMatrix::shipped().map_err(|e| broken("linkage")(&e))?;
        let (tap, committed) = mpsc::unbounded_channel();
        let store = Store::open(StoreConfig {
            database_url: &config.database_url.0,
            objects: &config.objects,
            vault,
            linkage: linkage.clone(),
            signer,
            tap,
        })
        .await
        .map_err(|e| broken("store")(&e))?;
        let authorizer = Authorizer::new(Arc::new(policies), Arc::new(store.clone()));
        let app = Self(Arc::new(Inner {
            store,
            authorizer,
            linkage,
            clock,
            ca,
            oidc_config: config.oidc,
            oidc: OnceCell::new(),
            second_factor,
            logins: Logins::default(),
            step_ups: StepUps::default(),
            ticket_signer,
            verifier_key,
            deployment,
            session_seconds: config.session_seconds,
            limits: config.limits,
            run_changes: broadcast::channel(1024).0,
            raised: broadcast::channel(256).0,
            queued: Notify::new(),
            questions: Default::default(),
        }));
        let mut watch = Watch::new(config.watch).map_err(|e| broken("watch")(&e))?;
        let back = i64::try_from(watch.replay_seconds()).unwrap_or(i64::MAX);
        let recent = app.store.recent_events(app.clock.now().plus_seconds(-back)).await?;
        let missed = watch.catch_up(recent);
        app.start_background(committed, watch, missed);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        app.record(EventKind::GatewayStarted { version }, Actor::System {}, None).await?;
        Ok(app)
    }

    /// Records the producer and its first steward; only while the site has no people.
    ///
    /// # Errors
    /// [`AppError::Conflict`] when it has.
    pub async fn found(&self, founding: Founding) -> Result<FoundedSite, AppError> {
        let now = self.clock.now();
        let organisation_id = OrganisationId::new(now);
        let producer = Organisation {
            organisation_id,
            name: founding.producer_name,
            kind: OrganisationKind::Producer,
        };
        let steward = NewPerson {
            display_name: founding.steward_name,
            organisation_id,
            roles: vec![Role::Steward],
            oidc_issuer: founding.oidc_issuer,
            oidc_subject: founding.oidc_subject,
            training_until: None,
            pledged_at: None,
        };
        let (person, invitation, code) = enter(steward, now)?;
        self.store.found(producer, person, invitation, now).await?;
        Ok(FoundedSite { organisation_id, invitation: code })
    }

    /// Whether the site has its first person; until then there is nobody to serve.
    ///
    /// # Errors
    /// [`AppError::Unavailable`].
    pub async fn is_founded(&self) -> Result<bool, AppError> {
        Ok(self.store.is_founded().await?)
    }

    /// Records that the gateway stops in good order.
    ///
    /// # Errors
    /// [`AppError::Unavailable`].
    pub async fn stopped(&self) -> Result<(), AppError> {
        self.record(EventKind::GatewayStopped {}, Actor::System {}, None).await?;
        Ok(())
    }
}

fn checkpoint_signer(config: &AppConfig) -> Result<CheckpointSigner, AppError> {
    let broken =
        |error: &dyn std::fmt::Display| AppError::Internal(format!("checkpoint key: {error}"));
    let bytes = sekisho_vault::read_private_file(&config.checkpoint_key).map_err(|e| broken(&e))?;
    let pem = std::str::from_utf8(&bytes).map_err(|e| broken(&e))?;
    CheckpointSigner::from_pkcs8_pem(&config.log_origin, pem).map_err(|e| broken(&e))
}

fn second_factor(config: &AppConfig) -> Result<SecondFactor, AppError> {
    let broken =
        |error: &dyn std::fmt::Display| AppError::Internal(format!("authenticators: {error}"));
    let text = std::fs::read_to_string(&config.authenticators).map_err(|e| broken(&e))?;
    let folder = config.authenticators.parent().unwrap_or(std::path::Path::new("."));
    let allow_list = AllowList::parse(&text, folder).map_err(|e| broken(&e))?;
    SecondFactor::new(&config.rp_id, &config.origin, allow_list).map_err(|e| broken(&e))
}
