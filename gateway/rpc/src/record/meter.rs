//! Figures about calls, for telemetry; the log is the record.

use std::{collections::HashSet, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, global, metrics::Histogram};

/// Measures calls; does nothing unless the server installed a meter provider.
#[derive(Clone)]
pub(super) struct CallMeter {
    duration: Histogram<f64>,
    known: Arc<HashSet<String>>,
}

impl CallMeter {
    pub(super) fn new() -> Self {
        let meter = global::meter("sekisho-gateway");
        let duration = meter
            .f64_histogram("sekisho.call.duration")
            .with_unit("s")
            .with_description("From the arrival of a call to the end of its answer.")
            .build();
        Self { duration, known: Arc::new(crate::methods().into_iter().collect()) }
    }

    /// One series per method there is: clients may invent any number of names.
    pub(super) fn ended(&self, method: &str, code: &'static str, after: Duration) {
        let method = if self.known.contains(method) { method } else { "other" };
        let attributes = [
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.grpc.status", code),
        ];
        self.duration.record(after.as_secs_f64(), &attributes);
    }
}
