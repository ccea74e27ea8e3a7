//! How a trace is reported: its tokens, sealed for the identified zone, stand where a run has
//! its outputs.

use sekisho_proto::v1;

pub(crate) fn completion(
    trace: &v1::Trace,
    run: &v1::CompleteRunRequest,
) -> v1::CompleteTraceRequest {
    v1::CompleteTraceRequest {
        trace_id: trace.trace_id.clone(),
        lease_id: run.lease_id.clone(),
        sealed_tokens: run.outputs.first().map(|it| it.sealed.clone()).unwrap_or_default(),
    }
}

pub(crate) fn failure(trace: &v1::Trace, run: &v1::FailRunRequest) -> v1::FailTraceRequest {
    v1::FailTraceRequest {
        trace_id: trace.trace_id.clone(),
        lease_id: run.lease_id.clone(),
        failure_class: run.failure_class,
    }
}
