//! A cancelled run ends at once, and so does its runner: the heartbeat of its worker waits at
//! the gateway and is answered by the cancellation.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use sekisho_demo::site::{Signal, Site, Staff, StageName};
use sekisho_proto::v1::{
    HeartbeatRequest, HeartbeatResponse, LeaseRunRequest, RunState, RunTicket,
    worker_service_client::WorkerServiceClient,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Identity};

use crate::support::{
    clinic::Clinic,
    desk::{self, RESEARCHER, guest},
    log::{self, Entry},
    processes::children,
    wire,
};

/// Far above what anything here takes; what hangs ends the test.
const PATIENCE: Duration = Duration::from_secs(120);
/// A cancellation that takes longer than the gateway waits is tried again with another run.
const TRIES: usize = 10;
/// No heartbeat waits longer, whatever its worker asks for.
const LONGEST: u32 = u32::MAX;

/// A site whose project has the module `infinite-loop`.
struct Endless {
    site: Site,
    staff: Staff,
    project: String,
    module: String,
}

fn endless() -> Endless {
    let (site, staff) = Site::staffed().unwrap();
    let outside = tempfile::tempdir().unwrap();
    Clinic::seal(&site, outside.path());
    let project = desk::open_project(&site, &Clinic::agreement(&staff));
    let module = desk::bring_in(&site, &guest("infinite-loop"), &project);
    Endless { site, staff, project, module }
}

fn cancel(site: &Site, run: &str) -> Value {
    site.person(RESEARCHER).args(["run", "cancel", run]).json().unwrap()
}

fn running(site: &Site, run: &str) -> bool {
    desk::run_of(site, run)["state"] == "RUN_STATE_RUNNING"
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn au_2_a_run_that_is_ended_leaves_no_runner_behind() {
    let Endless { mut site, staff, project, module } = endless();
    let worker = site.worker().unwrap().id();
    let under_way = |site: &Site| {
        let run = desk::start(site, &project, &module, &[]);
        until("the run runs", || running(site, &run));
        until("its runner is there", || !children(worker).is_empty());
        run
    };
    let cancelled = under_way(&site);
    assert_eq!(cancel(&site, &cancelled)["state"], "RUN_STATE_CANCELLED");
    until("its runner is gone", || children(worker).is_empty());
    // The worker, which has one place, takes the next.
    let trivial = desk::bring_in(&site, &guest("trivial"), &project);
    desk::succeeded(&site, &project, &trivial, &[]);
    // Nobody cancels this one: its requester leaves.
    let left = under_way(&site);
    let words = ["steward", "person", "remove", staff.id(RESEARCHER), "--reason", "left"];
    site.person(StageName::Steward).args(words).succeed().unwrap();
    until("the runner of who left is gone", || children(worker).is_empty());
    // Once each, and no lease had to run out.
    let entries = log::entries(&site);
    for run in [&cancelled, &left] {
        let ends = |kind| entries.iter().filter(|entry| entry.is(kind, "run_id", run)).count();
        assert_eq!(["run_cancelled", "lease_lost", "run_failed"].map(ends), [1, 0, 0]);
    }
    log::verified(&site);
}

#[test]
fn a_heartbeat_that_waits_is_answered_by_the_cancellation() {
    let Endless { mut site, project, module, .. } = endless();
    site.worker().unwrap().end(Signal::Terminate).unwrap();
    let runtime = Runtime::new().unwrap();
    let read = |name: &str| fs::read(site.root().join("worker/tls").join(name)).unwrap();
    let identity = Identity::from_pem(read("worker.pem"), read("worker.key"));
    let channel = runtime.block_on(async { wire::channel(&site, Some(identity)) });
    let answered = (0..TRIES).any(|_| {
        let run = desk::start(&site, &project, &module, &[]);
        let beat = runtime.block_on(leased(channel.clone(), &run));
        let waiting = runtime.spawn(heartbeat(channel.clone(), beat));
        until("the heartbeat waits", || running(&site, &run));
        cancel(&site, &run);
        runtime.block_on(waiting).unwrap().stop
    });
    assert!(answered, "no heartbeat was answered by the cancellation");
    // What waits is one call, and costs one start, one decision and one end.
    let entries = log::entries(&site);
    let beats: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.part("method") == "/sekisho.v1.WorkerService/Heartbeat")
        .collect();
    for beat in &beats {
        let of_call = entries.iter().filter(|entry| entry.request_id() == beat.request_id());
        let kinds: Vec<&str> =
            of_call.map(Entry::kind).filter(|kind| *kind != "run_state").collect();
        assert_eq!(kinds, ["call_started", "decision", "call_ended"]);
    }
    assert!(!beats.is_empty());
    log::verified(&site);
}

/// Takes the lease of `run`, the only one queued, and gives its first heartbeat.
async fn leased(channel: Channel, run: &str) -> HeartbeatRequest {
    use prost::Message as _;
    let mut worker = WorkerServiceClient::new(channel).max_decoding_message_size(80 << 20);
    let asked = worker.lease_run(LeaseRunRequest { wait_seconds: 20 }).await.unwrap();
    let signed = asked.into_inner().lease.unwrap().signed_ticket.unwrap();
    let ticket = RunTicket::decode(signed.ticket.as_slice()).unwrap();
    assert_eq!(ticket.run_id, run);
    HeartbeatRequest {
        run_id: ticket.run_id,
        lease_id: ticket.lease_id,
        state: RunState::Running.into(),
        progress_tenths: 0,
        wait_millis: LONGEST,
    }
}

async fn heartbeat(channel: Channel, beat: HeartbeatRequest) -> HeartbeatResponse {
    WorkerServiceClient::new(channel).heartbeat(beat).await.unwrap().into_inner()
}
