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
    use super::*;

    #[tokio::test]
    async fn a_collector_that_is_away_is_no_reason_to_fail() {
        for endpoint in ["http://127.0.0.1:9", "https://localhost:9"] {
            assert!(providers(endpoint).is_ok(), "{endpoint}");
        }
        assert!(providers("not a url").is_err());
    }
}
