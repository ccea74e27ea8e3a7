//! The end of a trace: its tokens, sealed for the identified zone, or its failure. A trace is
//! one long lease without heartbeats; a lost one is handed out again.

use sekisho_proto::v1;
use tonic::Status;

use crate::attend::{FIRST_PAUSE, LONGEST_PAUSE, Report};
use crate::gateway::{Gateway, may_pass};

/// Tries before a report is given up; the lease runs out then.
const TRIES: u32 = 20;

/// Delivers how a trace ended, through restarts of the gateway.
pub(crate) async fn deliver(mut gateway: Gateway, report: Option<Report>, trace_id: String) {
    let Some(report) = report else { return };
    let mut pause = FIRST_PAUSE;
    for _ in 0..TRIES {
        match send(&mut gateway, &report, &trace_id).await {
            Ok(()) => return,
            Err(status) if !may_pass(&status) => {
                tracing::warn!(code = ?status.code(), "the gateway did not take the trace");
                return;
            }
            Err(status) => tracing::warn!(code = ?status.code(), "trace waits for the gateway"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn send(gateway: &mut Gateway, report: &Report, trace_id: &str) -> Result<(), Status> {
    let trace_id = trace_id.to_owned();
    match report {
        Ok(done) => {
            let sealed = done.outputs.first().map(|output| output.sealed.clone());
            let lease_id = done.lease_id.clone();
            let sealed_tokens = sealed.unwrap_or_default();
            let request = v1::CompleteTraceRequest { trace_id, lease_id, sealed_tokens };
            gateway.complete_trace(request).await
        }
        Err(failed) => {
            let (lease_id, failure_class) = (failed.lease_id.clone(), failed.failure_class);
            let request = v1::FailTraceRequest { trace_id, lease_id, failure_class };
            gateway.fail_trace(request).await
        }
    }
}
