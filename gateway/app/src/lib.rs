//! What the gateway does, one use case per file. Each takes a [`Caller`], asks `access`
//! for a permit, and hands that permit to the store.
//!
//! Start with [`runs`], then [`work`], its other side.
//!
//! Invariants: no use case touches state without a permit (logins, which earn one, and
//! the gateway's own housekeeping excepted); what goes back to a person is `Visible`.
//! Must never depend on a transport. Knows neither Cedar nor SQL.

pub mod admission;
pub mod alerts;
pub mod audit;
mod background;
pub mod bring_ins;
mod budget;
mod bundle;
pub mod catalogue;
pub mod closing;
pub mod error;
pub mod heartbeat;
pub mod keys;
pub mod linkage;
pub mod login;
pub mod modules;
pub mod outputs;
mod quota;
pub mod reidentifications;
pub mod releases;
pub mod reviews;
mod row_filter;
pub mod runs;
pub mod sessions;
pub mod site;
pub mod step_up;
pub mod steward;
mod terms;
pub mod work;

use std::sync::Arc;

use sekisho_access::{Authorizer, Caller, StepUps, linkage::LinkageMatrix};
use sekisho_deployment::Deployment;
use sekisho_domain::{Alert, Clock, RunId};
use sekisho_identity::{
    certificates::SiteCa,
    oidc::{OidcConfig, OidcProvider},
    webauthn::{AssertionState, SecondFactor},
};
use sekisho_proto::v1;
use sekisho_store::Store;
use sekisho_vault::SigningIdentity;
use tokio::sync::{Notify, OnceCell, broadcast};

pub use error::AppError;
pub use sekisho_store::{closing::ErasureProof, keys::RootKey};
pub use site::{AppConfig, DatabaseUrl, FoundedSite, Founding};

/// The gateway's use cases. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The parts an app is made of; none is public.
#[doc(hidden)]
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) authorizer: Authorizer,
    pub(crate) linkage: LinkageMatrix,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ca: SiteCa,
    pub(crate) oidc_config: OidcConfig,
    pub(crate) oidc: OnceCell<OidcProvider>,
    pub(crate) second_factor: SecondFactor,
    pub(crate) logins: login::Logins,
    pub(crate) step_ups: StepUps<AssertionState>,
    pub(crate) ticket_signer: SigningIdentity,
    pub(crate) verifier_key: String,
    pub(crate) deployment: Deployment,
    pub(crate) session_seconds: i64,
    pub(crate) limits: v1::RunLimits,
    /// The run that changed; `None` when it may be any.
    pub(crate) run_changes: broadcast::Sender<Option<RunId>>,
    pub(crate) raised: broadcast::Sender<Alert>,
    pub(crate) queued: Notify,
    pub(crate) questions: budget::QuestionBudget,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// The one clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }
}

/// The session id of a caller who must be a person.
pub(crate) fn session_of(caller: &Caller) -> Result<&sekisho_access::ActiveSession, AppError> {
    caller.session().ok_or(AppError::Unauthenticated { code: "NOT_A_PERSON" })
}
