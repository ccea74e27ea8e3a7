//! The pseudonymised zone's side of the queue.

use std::time::Duration;

use sekisho_app::heartbeat::Beat;
use sekisho_proto::v1::{self, worker_service_server::WorkerService};
use tonic::{Request, Response};

use super::{Answer, Desk, run_id, status};
use crate::{
    convert::{Invalid, failure_class, held_state, id, invalid, list, name, usage},
    limits::LIST,
    record::admitted,
};

/// Longest wait for work, seconds.
const WAIT_SECONDS: u32 = 20;

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl WorkerService for Service {
    async fn lease_run(
        &self,
        request: Request<v1::LeaseRunRequest>,
    ) -> Answer<v1::LeaseRunResponse> {
        let (caller, message) = admitted(request)?;
        let wait = message.wait_seconds.min(WAIT_SECONDS);
        let lease = tokio::select! {
            // Whatever was leased in that very moment is handed out again when it runs out.
            () = self.0.stopping.cancelled() => None,
            lease = self.0.app.lease_run(&caller, wait) => lease.map_err(status)?,
        };
        Ok(Response::new(v1::LeaseRunResponse { lease }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Answer<v1::HeartbeatResponse> {
        let (caller, message) = admitted(request)?;
        let beat = Beat {
            run_id: run_id(&message.run_id)?,
            lease_id: id(&message.lease_id, "lease_id")?,
            state: held_state(message.state)?,
            progress_tenths: tenths(message.progress_tenths)?,
            wait: Duration::from_millis(message.wait_millis.into()),
        };
        let answer = self.0.app.heartbeat(&caller, beat, self.0.stopping.cancelled()).await;
        Ok(Response::new(answer.map_err(status)?))
    }

    async fn complete_run(
        &self,
        request: Request<v1::CompleteRunRequest>,
    ) -> Answer<v1::CompleteRunResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let lease_id = id(&message.lease_id, "lease_id")?;
        let outputs = list(message.outputs, "outputs", LIST, sealed_output)?;
        let usage = usage(message.usage)?;
        let app = &self.0.app;
        app.complete_run(&caller, run_id, lease_id, outputs, usage).await.map_err(status)?;
        Ok(Response::new(v1::CompleteRunResponse {}))
    }

    async fn fail_run(&self, request: Request<v1::FailRunRequest>) -> Answer<v1::FailRunResponse> {
        let (caller, message) = admitted(request)?;
        let run_id = run_id(&message.run_id)?;
        let lease_id = id(&message.lease_id, "lease_id")?;
        let class = failure_class(message.failure_class)?;
        let usage = usage(message.usage)?;
        let app = &self.0.app;
        app.fail_run(&caller, run_id, lease_id, class, usage).await.map_err(status)?;
        Ok(Response::new(v1::FailRunResponse {}))
    }

    async fn complete_trace(
        &self,
        request: Request<v1::CompleteTraceRequest>,
    ) -> Answer<v1::CompleteTraceResponse> {
        let (caller, message) = admitted(request)?;
        let trace_id = id(&message.trace_id, "trace_id")?;
        let lease_id = id(&message.lease_id, "lease_id")?;
        if message.sealed_tokens.is_empty() {
            return Err(invalid("REQUIRED", "sealed_tokens", "must be given").into());
        }
        let app = &self.0.app;
        app.complete_trace(&caller, trace_id, lease_id, message.sealed_tokens)
            .await
            .map_err(status)?;
        Ok(Response::new(v1::CompleteTraceResponse {}))
    }

    async fn fail_trace(
        &self,
        request: Request<v1::FailTraceRequest>,
    ) -> Answer<v1::FailTraceResponse> {
        let (caller, message) = admitted(request)?;
        let trace_id = id(&message.trace_id, "trace_id")?;
        let lease_id = id(&message.lease_id, "lease_id")?;
        let class = failure_class(message.failure_class)?;
        self.0.app.fail_trace(&caller, trace_id, lease_id, class).await.map_err(status)?;
        Ok(Response::new(v1::FailTraceResponse {}))
    }
}

fn sealed_output(output: v1::SealedOutput, field: &str) -> Result<v1::SealedOutput, Invalid> {
    let name = name(output.name, &format!("{field}.name"))?;
    if output.sealed.is_empty() {
        return Err(invalid("REQUIRED", format!("{field}.sealed"), "must be given"));
    }
    Ok(v1::SealedOutput { name, sealed: output.sealed })
}

fn tenths(tenths: u32) -> Result<u32, Invalid> {
    match tenths {
        0..=10 => Ok(tenths),
        _ => Err(invalid("OUT_OF_RANGE", "progress_tenths", "must be 0 to 10")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_sends_is_checked() {
        assert_eq!(tenths(10), Ok(10));
        assert_eq!(tenths(11).unwrap_err().code, "OUT_OF_RANGE");
        let empty = v1::SealedOutput { name: "km".to_owned(), sealed: Vec::new() };
        assert_eq!(sealed_output(empty, "outputs[0]").unwrap_err().field, "outputs[0].sealed");
    }
}
