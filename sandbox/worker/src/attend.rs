use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prost::Message as _;
use sekisho_proto::v1;
use sekisho_runner::{Outcome, RunSpec, supervise};
use tokio::sync::oneshot;
use tonic::Status;

use crate::gateway::{Gateway, may_pass};
use crate::hold::Hold;
use crate::prepare::prepare;
use crate::{Refusal, Site, VerifiedTicket, trace};

/// How a run of this worker ended, for the drain.
type Report = Result<v1::CompleteRunRequest, v1::FailRunRequest>;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Takes one lease from ticket to report. `give_up` ends the runner and gives the run back.
pub(crate) async fn attend(
    site: Arc<Site>,
    gateway: Gateway,
    lease: v1::Lease,
    give_up: tokio_util::sync::CancellationToken,
) {
    let signed = lease.signed_ticket.clone().unwrap_or_default();
    let verified = VerifiedTicket::verify(&signed, &site.ticket_key, SystemTime::now());
    // Ids of a ticket that is not verified name nothing but the lease to hand back.
    let ids = v1::RunTicket::decode(signed.ticket.as_slice()).unwrap_or_default();
    tracing::Span::current().record("run_id", ids.run_id.as_str());
    let hold = Arc::new(Hold::new(&ids, lease.lease_expires_at));
    let run = async {
        let report = match verified {
            Ok(ticket) => carry_out(&site, ticket, lease, &hold, &give_up).await,
            Err(refusal) => Some(refused(&refusal, &hold)),
        };
        hold.sealing();
        if let Some(report) = report {
            deliver(gateway.clone(), report, ids.trace.as_ref(), &hold).await;
        }
    };
    tokio::select! {
        // The heartbeat goes on until the report is delivered; when it ends by itself the
        // lease is lost, and the run's side winds down.
        () = run => {}
        () = async { hold.keep(gateway.clone()).await; std::future::pending().await } => {}
    }
}

/// Runs the job; `None` when there is nobody left to report to.
async fn carry_out(
    site: &Arc<Site>,
    ticket: VerifiedTicket,
    lease: v1::Lease,
    hold: &Arc<Hold>,
    give_up: &tokio_util::sync::CancellationToken,
) -> Option<Report> {
    let opened = {
        let site = Arc::clone(site);
        tokio::task::spawn_blocking(move || prepare(&site, ticket, lease)).await
    };
    let spec = match opened {
        Ok(Ok(spec)) => spec,
        Ok(Err(refusal)) => return Some(refused(&refusal, hold)),
        Err(_) => return Some(environment(hold)),
    };
    tracing::info!(module_id = spec.ticket.module_id, "run starts");
    let mut outcome = start(site, spec, Arc::clone(hold));
    let outcome = tokio::select! {
        outcome = &mut outcome => outcome,
        () = give_up.cancelled() => {
            hold.cancel.cancel();
            outcome.await
        }
    };
    match outcome {
        Ok(Outcome::Succeeded(success)) => {
            let usage = &success.usage;
            tracing::info!(
                outputs = success.outputs.len(),
                rows_read = usage.rows_read,
                wall_millis = usage.wall_millis,
                jail = usage.jail,
                "run succeeded"
            );
            Some(Ok(hold.completion(success.outputs, success.usage)))
        }
        Ok(Outcome::Failed(failure)) => {
            let usage = &failure.usage;
            tracing::warn!(
                class = ?failure.class,
                code = failure.code,
                wall_millis = usage.wall_millis,
                jail = usage.jail,
                "run failed"
            );
            Some(Err(hold.failure(failure.class, failure.usage)))
        }
        Ok(Outcome::Cancelled) if hold.lost.is_cancelled() => {
            tracing::info!("run stopped");
            None
        }
        Ok(Outcome::Cancelled) => {
            tracing::info!("run given back");
            Some(environment(hold))
        }
        Err(_) => Some(environment(hold)),
    }
}

/// Supervises on a thread that lives exactly as long as the run: the kernel ties the runner
/// to the thread that started it.
fn start(site: &Arc<Site>, spec: RunSpec, hold: Arc<Hold>) -> oneshot::Receiver<Outcome> {
    let (tell, outcome) = oneshot::channel();
    let site = Arc::clone(site);
    let span = tracing::Span::current();
    std::thread::spawn(move || {
        let _entered = span.entered();
        let mut progress = |tenths| hold.progress(tenths);
        let outcome = supervise(&spec, &site.runners, &mut progress, &hold.cancel);
        // Nobody listens only when the worker itself is ending.
        let _ = tell.send(outcome);
    });
    outcome
}

fn refused(refusal: &Refusal, hold: &Hold) -> Report {
    tracing::error!(code = refusal.code(), "run refused: {refusal}");
    environment(hold)
}

/// The environment failed or gives the run back; the gateway may hand it out again.
fn environment(hold: &Hold) -> Report {
    Err(hold.failure(v1::FailureClass::Environment, v1::RunUsage::default()))
}

/// Delivers the report, through restarts of the gateway, until the lease is lost.
async fn deliver(mut gateway: Gateway, report: Report, traced: Option<&v1::Trace>, hold: &Hold) {
    let mut pause = FIRST_PAUSE;
    loop {
        // Not cut when the lease ends: this report may have ended it, and a heartbeat that
        // waited may be answered first.
        match send(&mut gateway, &report, traced).await {
            Ok(()) => return,
            Err(status) if !may_pass(&status) => {
                tracing::warn!(code = ?status.code(), "the gateway did not take the report");
                return;
            }
            Err(status) => tracing::warn!(code = ?status.code(), "report waits for the gateway"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = hold.lost.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn send(
    gateway: &mut Gateway,
    report: &Report,
    traced: Option<&v1::Trace>,
) -> Result<(), Status> {
    match (report, traced) {
        (Ok(run), None) => gateway.complete(run.clone()).await,
        (Err(run), None) => gateway.fail(run.clone()).await,
        (Ok(run), Some(trace)) => gateway.complete_trace(trace::completion(trace, run)).await,
        (Err(run), Some(trace)) => gateway.fail_trace(trace::failure(trace, run)).await,
    }
}
