//! Whatever is killed at whatever step of a run, and started again: the run ends in exactly
//! one final state, nothing is released twice, the log verifies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sekisho_demo::site::Site;
use serde_json::Value;

use crate::support::{
    clinic::{self, Clinic, scattered},
    desk::{self, RESEARCHER, REVIEWERS, ballot, guest, list, text},
    dummy,
    log::{self, Entry},
    processes::children,
};

/// A third of them loop until they are stopped, so that a run lasts while it is shot at.
const PATIENTS: u32 = 500;
const PARAMETERS: [&str; 1] = ["behaviour=infinite_loop"];
/// Leases of killed workers run out after 30 s; then their runs are taken up again.
const PATIENCE: Duration = Duration::from_secs(150);
const SOON: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(10);
/// How often each of the gateway's own steps is shot at, at other instants each time.
const ROUNDS: u64 = 5;
/// The same for votes, which are over sooner.
const VOTES: u64 = 9;

#[test]
fn killed_at_any_step_a_run_ends_once_and_is_released_once() {
    let mut night = Night::fall();
    // First those whose leases take their time to run out.
    night.worker_dies_with_a_lease();
    night.worker_dies_running();
    night.worker_dies_sealing();
    night.runner_dies();
    (0..ROUNDS).for_each(|round| night.gateway_dies_queueing(round));
    (0..ROUNDS).for_each(|round| night.gateway_dies_running(round));
    (0..ROUNDS).for_each(|round| night.gateway_dies_sealing(round));
    // From here on nothing else is on its way.
    night.every_run_ends();
    night.gateway_dies_with_a_leased_run();
    night.every_run_ends();
    night.gateway_dies_with_a_queued_run();
    night.every_run_ends();
    (0..VOTES).for_each(|round| night.gateway_dies_releasing(round));
    night.morning();
}

struct Night {
    site: Site,
    project: String,
    module: String,
    /// Every run that was asked for.
    runs: Vec<String>,
    /// Every request for a release.
    requests: Vec<String>,
    /// Which process was killed in which state of the run it was at.
    hit: BTreeSet<(&'static str, String)>,
}

impl Night {
    fn fall() -> Self {
        let (site, staff) = Site::staffed().unwrap();
        dummy::seal(&site, &clinic::profile(), PATIENTS, 1, "v1");
        let project = desk::open_project(&site, &Clinic::agreement(&staff));
        let module = desk::bring_in(&site, &guest("misbehaving-patient"), &project);
        let (runs, requests, hit) = Default::default();
        Self { site, project, module, runs, requests, hit }
    }

    fn worker_dies_with_a_lease(&mut self) {
        let run = self.leased_to_a_stopped_worker();
        assert_eq!(self.kill_worker(&run), "leased");
        self.site.start_worker().unwrap();
    }

    fn worker_dies_running(&mut self) {
        self.in_time(|night| {
            let run = night.running();
            let state = night.kill_worker(&run);
            night.site.start_worker().unwrap();
            state == "running"
        });
    }

    /// The worker has the sealed outputs and cannot deliver them.
    fn worker_dies_sealing(&mut self) {
        self.in_time(|night| {
            let run = night.running();
            night.site.kill_gateway().unwrap();
            night.until("the worker is done", |night| night.worker_is_done(&run));
            night.site.kill_worker().unwrap();
            night.site.start_gateway().unwrap();
            let delivered = desk::is_final(&desk::run_of(&night.site, &run));
            night.site.start_worker().unwrap();
            !delivered
        });
        self.hit.insert(("worker", "sealing".to_owned()));
    }

    fn runner_dies(&mut self) {
        self.in_time(|night| {
            let run = night.running();
            let runners = children(night.site.worker().unwrap().id());
            runners.into_iter().for_each(|runner| signal(runner, Signal::KILL));
            let given_back = |night: &Self| {
                log::entries(&night.site).iter().any(|entry| entry.is("lease_lost", "run_id", &run))
            };
            let over = |night: &Self| desk::is_final(&desk::run_of(&night.site, &run));
            night.until("the run moves on", |night| over(night) || given_back(night));
            given_back(night)
        });
        self.hit.insert(("runner", "running".to_owned()));
    }

    /// The client does not learn what became of its request, and asks again.
    fn gateway_dies_queueing(&mut self, round: u64) {
        let number = scattered(round);
        let request_id =
            format!("{:08x}-0000-4000-8000-{:012x}", number >> 32, number >> 16 & 0xffff_ffff);
        let order = || {
            let order = desk::run_order(&self.site, &self.project, &self.module, &PARAMETERS);
            order.args(["--request-id", &request_id])
        };
        let asking = order().background().unwrap();
        thread::sleep(Duration::from_millis(40 + 60 * round));
        self.site.kill_gateway().unwrap();
        drop(asking);
        self.site.start_gateway().unwrap();
        let order = || {
            let order = desk::run_order(&self.site, &self.project, &self.module, &PARAMETERS);
            text(&order.args(["--request-id", &request_id]).json().unwrap(), "run_id")
        };
        let run = order();
        assert_eq!(order(), run, "one request, two runs");
        self.runs.push(run);
    }

    fn gateway_dies_with_a_queued_run(&mut self) {
        self.site.kill_worker().unwrap();
        let run = self.start();
        assert_eq!(self.state(&run), "queued");
        self.restart_gateway();
        assert_eq!(self.state(&run), "queued");
        self.site.start_worker().unwrap();
    }

    fn gateway_dies_with_a_leased_run(&mut self) {
        let run = self.leased_to_a_stopped_worker();
        self.restart_gateway();
        assert_eq!(self.state(&run), "leased");
        signal(self.site.worker().unwrap().id(), Signal::CONT);
    }

    fn gateway_dies_running(&mut self, round: u64) {
        self.running();
        thread::sleep(Duration::from_millis(scattered(100 + round) % 400));
        self.restart_gateway();
    }

    /// While the worker delivers: just before, or just after the gateway took it over.
    fn gateway_dies_sealing(&mut self, round: u64) {
        let run = self.running();
        self.until("the worker is done", |night| night.worker_is_done(&run));
        thread::sleep(Duration::from_millis(scattered(200 + round) % 20));
        self.restart_gateway();
        self.hit.insert(("gateway", "sealing".to_owned()));
    }

    /// While the vote that releases is being cast.
    fn gateway_dies_releasing(&mut self, round: u64) {
        let run = self.runs[usize::try_from(round).unwrap()].clone();
        let request = desk::ask_release(&self.site, &run);
        let [first, second] = REVIEWERS;
        ballot(&self.site, first, &request, "approve").succeed().unwrap();
        let voting = ballot(&self.site, second, &request, "approve").background().unwrap();
        thread::sleep(Duration::from_millis(9 * round));
        self.restart_gateway();
        drop(voting);
        let state = |night: &Self| {
            let shown = night.site.person(second).args(["review", "show", &request]).json();
            text(&shown.unwrap()["review_request"], "state")
        };
        self.hit.insert(("gateway", format!("releasing, then {}", state(self))));
        if state(self) == "REVIEW_STATE_IN_REVIEW" {
            ballot(&self.site, second, &request, "approve").succeed().unwrap();
        }
        assert_eq!(state(self), "REVIEW_STATE_RELEASED");
        self.requests.push(request);
    }

    fn every_run_ends(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for run in &self.runs {
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = desk::finished(&self.site, run, left);
            assert_eq!(ended["state"], "RUN_STATE_SUCCEEDED", "{ended}");
        }
    }

    /// What the log says of that night.
    fn morning(mut self) {
        log::verified(&self.site);
        let entries = log::entries(&self.site);
        for run in &self.runs {
            ended_once(&entries, run);
            let outputs =
                self.site.person(RESEARCHER).args(["output", "list", run]).json().unwrap();
            assert_eq!(list(&outputs).len(), 2, "{outputs}");
        }
        let words = ["run", "list", "--project", &self.project];
        let listed = self.site.person(RESEARCHER).args(words).json().unwrap();
        assert_eq!(list(&listed).len(), self.runs.len(), "a run that nobody asked for");
        for request in &self.requests {
            released_once(&entries, request);
        }
        let words = ["release", "list", "--project", &self.project];
        let releases = self.site.person(RESEARCHER).args(words).json().unwrap();
        assert_eq!(list(&releases).len(), self.requests.len());
        self.kills_hit_every_state(&entries);
        self.site.stop().unwrap();
    }

    /// The log itself tells in which states runs were when the gateway was killed.
    fn kills_hit_every_state(&mut self, entries: &[Entry]) {
        let mut states: BTreeMap<&str, &str> = BTreeMap::new();
        for entry in entries {
            if entry.kind() == "gateway_started" {
                let open = states.values().filter(|state| **state != FINAL);
                self.hit.extend(open.map(|state| ("gateway", (*state).to_owned())));
            }
            if let Some(state) = state_after(entry) {
                states.insert(entry.part("run_id"), state);
            }
        }
        let hit = |process: &'static str, state: &str| {
            assert!(self.hit.contains(&(process, state.to_owned())), "{:?}", self.hit);
        };
        for state in
            ["queued", "leased", "running", "sealing", "releasing, then REVIEW_STATE_IN_REVIEW"]
        {
            hit("gateway", state);
        }
        for state in ["leased", "running", "sealing"] {
            hit("worker", state);
        }
        hit("runner", "running");
    }

    fn start(&mut self) -> String {
        let run = desk::start(&self.site, &self.project, &self.module, &PARAMETERS);
        self.runs.push(run.clone());
        run
    }

    /// A new run whose guest is running. It may be another's turn first; and on a slow day it
    /// may be over before it was seen, so that another one is needed.
    fn running(&mut self) -> String {
        for _ in 0..10 {
            let run = self.start();
            let mut state = String::new();
            self.until("the run is running or over", |night| {
                state = night.state(&run);
                !["queued", "leased"].contains(&state.as_str())
            });
            if state == "running" {
                return run;
            }
        }
        panic!("ten runs were over before they were seen running");
    }

    /// A new run that is leased and stays so: the worker waited for it when it was stopped.
    /// No other run is on its way.
    fn leased_to_a_stopped_worker(&mut self) -> String {
        // A worker that just started, or just delivered, asks for more within this time.
        thread::sleep(Duration::from_secs(1));
        let worker = self.site.worker().unwrap().id();
        signal(worker, Signal::STOP);
        let run = self.start();
        self.until("the run is leased", |night| night.state(&run) == "leased");
        run
    }

    fn restart_gateway(&mut self) {
        self.site.kill_gateway().unwrap();
        self.site.start_gateway().unwrap();
    }

    /// Kills the worker; its run stays in the state it was in until the lease runs out.
    fn kill_worker(&mut self, run: &str) -> String {
        self.site.kill_worker().unwrap();
        let state = self.state(run);
        self.hit.insert(("worker", state.clone()));
        state
    }

    /// Repeats a shot until it was in time: on a slow day the run may be over first.
    fn in_time(&mut self, mut shoot: impl FnMut(&mut Self) -> bool) {
        assert!((0..5).any(|_| shoot(self)), "five runs were over before they were shot at");
    }

    fn state(&self, run: &str) -> String {
        let seen: Value = desk::run_of(&self.site, run);
        text(&seen, "state").trim_start_matches("RUN_STATE_").to_lowercase()
    }

    /// Whether a worker says that it carried this run out.
    fn worker_is_done(&self, run: &str) -> bool {
        let log = fs::read_to_string(self.site.root().join("logs/worker.log")).unwrap_or_default();
        log.lines().any(|line| line.contains("run succeeded") && line.contains(run))
    }

    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !holds(self) {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            thread::sleep(TICK);
        }
    }
}

/// Whatever state a run ended in.
const FINAL: &str = "final";

/// The state that an entry leaves its run in; none for entries about something else.
fn state_after(entry: &Entry) -> Option<&str> {
    match entry.kind() {
        "run_requested" | "lease_lost" => Some("queued"),
        "run_leased" => Some("leased"),
        "run_state" => Some(entry.part("state")),
        "run_completed" | "run_failed" | "run_cancelled" => Some(FINAL),
        _ => None,
    }
}

fn ended_once(entries: &[Entry], run: &str) {
    let of_run: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.part("run_id") == run && state_after(entry).is_some())
        .collect();
    let ends: Vec<_> = of_run.iter().filter(|e| state_after(e) == Some(FINAL)).collect();
    assert_eq!(ends.len(), 1, "{run} ended {} times", ends.len());
    assert_eq!(of_run.last().map(|entry| entry.index), ends.first().map(|entry| entry.index));
    assert_eq!(ends[0].kind(), "run_completed");
    assert_eq!(of_run.iter().filter(|entry| entry.kind() == "run_requested").count(), 1);
}

fn released_once(entries: &[Entry], request: &str) {
    let count = |kind: &str| {
        entries.iter().filter(|entry| entry.is(kind, "review_request_id", request)).count()
    };
    assert_eq!((count("released"), count("vote_cast")), (1, 2), "{request}");
}

/// A process that has just ended is not an error.
fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    let _ = kill_process(process, signal);
}
