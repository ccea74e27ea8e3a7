//! Logs as JSON lines on stderr; traces and figures over OTLP when a collector is named.
//! Neither is the audit log: telemetry may lose things, and says nothing of data.

use anyhow::Context;
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::{
    MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig,
    tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Telemetry;

/// What must be flushed before the process ends.
#[must_use]
pub struct Installed(Option<(SdkTracerProvider, SdkMeterProvider)>);

impl Installed {
    /// Sends what is still held back.
    pub fn flush(self) {
        let Some((tracer, meter)) = self.0 else { return };
        for ended in [tracer.shutdown(), meter.shutdown()] {
            if let Err(error) = ended {
                tracing::warn!(%error, "telemetry was lost");
            }
        }
    }
}

/// Installs logging, and telemetry as configured. Must run inside the runtime, once.
///
/// # Errors
/// Fails when the filter or the collector's address cannot be used.
pub fn install(config: &Telemetry) -> anyhow::Result<Installed> {
    let providers = config.otlp_endpoint.as_deref().map(providers).transpose()?;
    let spans = providers.as_ref().map(|(tracer, _)| {
        tracing_opentelemetry::layer().with_tracer(tracer.tracer("sekisho-gateway"))
    });
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(EnvFilter::try_new(&config.log)?)
        .with(lines)
        .with(spans)
        .try_init()
        .context("logging is installed already")?;
    if let Some((_, meter)) = &providers {
        global::set_meter_provider(meter.clone());
    }
    Ok(Installed(providers))
}

fn providers(endpoint: &str) -> anyhow::Result<(SdkTracerProvider, SdkMeterProvider)> {
    let mut spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    let mut figures = MetricExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https://") {
        let tls = || ClientTlsConfig::new().with_native_roots();
        (spans, figures) = (spans.with_tls_config(tls()), figures.with_tls_config(tls()));
    }
    let resource = Resource::builder().with_service_name("sekisho-gateway").build();
    let tracer = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(spans.build().context("the OTLP collector for traces")?)
        .build();
    let meter = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(figures.build().context("the OTLP collector for figures")?)
        .build();
    Ok((tracer, meter))
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Mutex};

    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_proto::tonic::collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    };
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::{Request, Response, Status, transport::Server};

    use super::*;

    /// The names of what a collector was sent.
    #[derive(Clone, Default)]
    struct Collector(std::sync::Arc<Mutex<Vec<String>>>);

    impl Collector {
        async fn listen(self) -> SocketAddr {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = Server::builder()
                .add_service(TraceServiceServer::new(self.clone()))
                .add_service(MetricsServiceServer::new(self));
            tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
            address
        }

        fn keep(&self, names: impl Iterator<Item = String>) {
            self.0.lock().unwrap().extend(names);
        }
    }

    #[tonic::async_trait]
    impl TraceService for Collector {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            let scopes =
                request.into_inner().resource_spans.into_iter().flat_map(|all| all.scope_spans);
            self.keep(scopes.flat_map(|scope| scope.spans).map(|span| span.name));
            Ok(Response::new(Default::default()))
        }
    }

    #[tonic::async_trait]
    impl MetricsService for Collector {
        async fn export(
            &self,
            request: Request<ExportMetricsServiceRequest>,
        ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
            let scopes =
                request.into_inner().resource_metrics.into_iter().flat_map(|all| all.scope_metrics);
            self.keep(scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name));
            Ok(Response::new(Default::default()))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_gets_spans_and_figures() {
        let collector = Collector::default();
        let address = collector.clone().listen().await;
        let (tracer, meter) = providers(&format!("http://{address}")).unwrap();
        let spans = tracing_opentelemetry::layer().with_tracer(tracer.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans), || {
            tracing::info_span!("call", otel.name = "StartRun").in_scope(|| ());
        });
        meter.meter("test").u64_counter("calls").build().add(1, &[]);
        let installed = Installed(Some((tracer, meter)));
        tokio::task::spawn_blocking(|| installed.flush()).await.unwrap();
        let mut names = collector.0.lock().unwrap().clone();
        names.sort();
        assert_eq!(names, ["StartRun", "calls"]);
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_no_reason_to_fail() {
        for endpoint in ["http://127.0.0.1:9", "https://localhost:9"] {
            assert!(providers(endpoint).is_ok(), "{endpoint}");
        }
        assert!(providers("not a url").is_err());
    }
}
