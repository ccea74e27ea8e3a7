//! One file per service. A handler parses, asks the application, and shows; it decides
//! nothing.

mod alert;
mod audit;
mod bring_in;
mod catalogue;
mod module;
mod output;
mod project;
mod reidentification;
mod review;
mod run;
mod session;
mod steward;
mod upload;
mod worker;

use std::sync::Arc;

use sekisho_app::App;
use sekisho_domain::RunId;
use sekisho_proto::v1;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    convert::{Invalid, id},
    held::Hold,
    limits::{MESSAGE_BYTES, READMIT_EVERY, UPLOADS, WORKER_MESSAGE_BYTES},
    record::origin,
    status::status,
};

/// What an answer is.
type Answer<T> = Result<Response<T>, Status>;

/// The run a call is about, named in the log lines of the call.
fn run_id(text: &str) -> Result<RunId, Invalid> {
    let run_id = id(text, "run_id")?;
    tracing::Span::current().record("run_id", tracing::field::display(run_id));
    Ok(run_id)
}

/// What every service works with.
#[derive(Clone)]
struct Desk {
    app: App,
    stopping: CancellationToken,
    uploads: Arc<Semaphore>,
}

impl Desk {
    /// What keeps the stream that answers `request` open.
    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    fn hold<T>(&self, request: &Request<T>) -> Result<Hold<App>, Status> {
        let (peer, request_id) = origin(request)?;
        let (gate, stopping) = (self.app.clone(), self.stopping.clone());
        Ok(Hold { gate, peer, request_id, every: READMIT_EVERY, stopping })
    }
}

/// Every service of the contract, and health.
pub(crate) fn routes(app: &App, stopping: &CancellationToken) -> Routes {
    use v1::{
        alert_service_server::AlertServiceServer, audit_service_server::AuditServiceServer,
        bring_in_service_server::BringInServiceServer,
        catalogue_service_server::CatalogueServiceServer,
        module_service_server::ModuleServiceServer, output_service_server::OutputServiceServer,
        project_service_server::ProjectServiceServer,
        reidentification_service_server::ReidentificationServiceServer,
        review_service_server::ReviewServiceServer, run_service_server::RunServiceServer,
        session_service_server::SessionServiceServer, steward_service_server::StewardServiceServer,
        worker_service_server::WorkerServiceServer,
    };
    let uploads = Arc::new(Semaphore::new(UPLOADS));
    let desk = Desk { app: app.clone(), stopping: stopping.clone(), uploads };
    let mut routes = Routes::builder();
    macro_rules! offer {
        ($server:ident, $service:expr, $bytes:expr) => {
            routes.add_service(
                $server::new($service(desk.clone())).max_decoding_message_size($bytes),
            );
        };
    }
    offer!(SessionServiceServer, session::Service, MESSAGE_BYTES);
    offer!(CatalogueServiceServer, catalogue::Service, MESSAGE_BYTES);
    offer!(ProjectServiceServer, project::Service, MESSAGE_BYTES);
    offer!(ModuleServiceServer, module::Service, MESSAGE_BYTES);
    offer!(BringInServiceServer, bring_in::Service, MESSAGE_BYTES);
    offer!(RunServiceServer, run::Service, MESSAGE_BYTES);
    offer!(OutputServiceServer, output::Service, MESSAGE_BYTES);
    offer!(ReviewServiceServer, review::Service, MESSAGE_BYTES);
    offer!(ReidentificationServiceServer, reidentification::Service, MESSAGE_BYTES);
    offer!(AuditServiceServer, audit::Service, MESSAGE_BYTES);
    offer!(AlertServiceServer, alert::Service, MESSAGE_BYTES);
    offer!(StewardServiceServer, steward::Service, MESSAGE_BYTES);
    offer!(WorkerServiceServer, worker::Service, WORKER_MESSAGE_BYTES);
    // The reporter's default is that the whole server serves, which is all it is asked.
    routes.add_service(tonic_health::server::health_reporter().1);
    routes.routes()
}
