//! The gRPC face of the gateway: parses requests into domain types, calls the
//! application, renders what the caller may see.
//!
//! Start with [`record`], the layer around everything, then any file of `service`, then
//! [`status`], where errors become answers.
//!
//! Invariants: a handler of a method that is not in [`public::PUBLIC`] runs only after its
//! caller was admitted; every call is in the log with start and outcome; only
//! [`Visible`](sekisho_access::Visible) values are rendered; errors become statuses in one
//! place. Must never name `store`, Cedar or SQL.

mod convert;
mod decision;
mod gate;
mod held;
mod hidden;
pub mod limits;
mod peer;
pub mod public;
pub mod record;
mod service;
pub mod status;

use prost::Message;
use sekisho_app::App;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

pub use convert::Invalid;
pub use gate::Gate;
pub use peer::Peer;
pub use record::RecordLayer;

/// How the services are offered.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether gRPC reflection is offered, to admitted callers.
    pub reflection: bool,
    /// Cancelled when the gateway stops: long streams and long waits end.
    pub stopping: CancellationToken,
    /// Records of outcomes that nobody waits for any more; to be waited for at the end.
    pub pending: TaskTracker,
}

/// Every service behind the record layer, as a router that expects a [`Peer`] in the
/// extensions of each request.
///
/// # Errors
/// Fails when the descriptors of the contract cannot be offered for reflection.
pub fn router(
    app: &App,
    options: &Options,
) -> Result<axum::Router, tonic_reflection::server::Error> {
    let mut routes = service::routes(app, &options.stopping);
    if options.reflection {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_file_descriptor_set(hidden::told(descriptors()))
            .build_v1()?;
        routes = routes.add_service(reflection);
    }
    let layer = RecordLayer::new(app.clone(), options.pending.clone());
    Ok(layered(routes, layer))
}

fn layered<G: Gate>(routes: Routes, layer: RecordLayer<G>) -> axum::Router {
    routes.into_axum_router().layer(layer)
}

fn descriptors() -> prost_types::FileDescriptorSet {
    prost_types::FileDescriptorSet::decode(sekisho_proto::FILE_DESCRIPTOR_SET).unwrap_or_default()
}

/// Full names of all methods of the contract.
#[must_use]
pub fn methods() -> Vec<String> {
    let mut methods = Vec::new();
    for file in &descriptors().file {
        for service in &file.service {
            methods.extend(
                service.method.iter().map(|method| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                }),
            );
        }
    }
    methods
}
