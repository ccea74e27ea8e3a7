//! Runs: asked for once, leased to one, final once.

use sekisho_access::action::{CancelRun, HoldRun, StartRun};
use sekisho_audit::{Actor, EventKind, RunUsage};
use sekisho_domain::{
    EndCause, FailureClass, LeaseId, OrganisationId, RunId, RunState, WorkerId,
    lifecycle::Lifecycle, module::ModuleEvent, run::MAX_ATTEMPTS,
};
use sekisho_store::{Store, StoreError, leases::Leased, modules::component_context};
use sekisho_vault::open;

use super::{
    at_once, conflict, is_cut,
    site::Site,
    study::{
        COMPONENT, MANIFEST, PARAMETERS, Study, decide, project, record, sealed, sha256, submit,
    },
};

pub(crate) async fn a_run_is_started_once_per_request(site: &mut Site) {
    let study = Study::begin(site).await;
    let mark = site.mark().await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        let permit = study.start_permit(site, &study.researcher).await;
        let mut order = study.order(site, &study.researcher);
        order.request_key = Some("request".to_owned());
        order.runs_per_hour = 1;
        asked.push((permit, order));
    }
    let runs = at_once(asked.into_iter().map(|(permit, order)| {
        let store = site.store();
        async move { store.start_run(permit, order).await.unwrap().into_inner() }
    }))
    .await;
    assert!(runs.iter().all(|run| run == &runs[0]), "one request, one run");
    assert_eq!(site.names_since(mark).await, ["run_requested"]);

    // The same key in another's hand, for another module or with other parameters, names
    // no run of theirs.
    let mut order = study.order(site, &study.steward);
    order.request_key = Some("request".to_owned());
    let refused = study.place(site, &study.researcher, order).await;
    assert_eq!(conflict(refused), "REQUEST_ID_REUSED");
    let mut order = study.order(site, &study.researcher);
    order.run.parameters_sha256 = sha256(b"other");
    order.request_key = Some("request".to_owned());
    let refused = study.place(site, &study.researcher, order).await;
    assert_eq!(conflict(refused), "REQUEST_ID_REUSED");
    let other = submit(site, &study.researcher, &study.project).await;
    let mut order = study.order(site, &study.researcher);
    order.run.module_id = other.module_id;
    order.request_key = Some("request".to_owned());
    let refused = study.place(site, &study.researcher, order).await;
    assert_eq!(conflict(refused), "REQUEST_ID_REUSED");
    assert_eq!(site.names_since(mark).await, ["run_requested", "module_submitted"]);
}

pub(crate) async fn a_run_that_cannot_be_read_holds_up_no_other(site: &mut Site) {
    let study = Study::begin(site).await;
    let other = study.another(site).await;
    let (spoilt, of_other) = (study.start(site).await, other.start(site).await);
    let good = study.start(site).await;
    let spoil = [
        ("UPDATE run SET body = '{' WHERE id = $1", spoilt.run_id.to_string()),
        ("UPDATE project SET body = '{' WHERE id = $1", other.project.project_id.to_string()),
    ];
    for (query, id) in spoil {
        sqlx::query(query).bind(id).execute(&mut site.raw().await).await.unwrap();
    }
    assert_eq!(study.lease(site).await.unwrap().run.run_id, good.run_id);
    assert!(study.lease(site).await.is_none());
    // What permits it cannot be read: it fails. What cannot be read itself stays as it is.
    let ended = site.store().run(of_other.run_id).await.unwrap();
    assert_eq!(ended.for_decision().state, RunState::Failed);
    assert!(site.store().run(spoilt.run_id).await.is_err());
}

pub(crate) async fn sv_4_runs_above_the_agreed_rate_are_refused(site: &mut Site) {
    let study = Study::begin(site).await;
    let colleague = site.join(&study.steward, OrganisationId::new(site.now()), &[]).await;
    let begun = site.now();
    let order = |login| {
        let mut order = study.order(site, login);
        order.runs_per_hour = 2;
        order
    };
    let mark = site.mark().await;
    // Another person's runs are that person's.
    study.place(site, &study.researcher, order(&colleague)).await.unwrap();
    study.place(site, &study.researcher, order(&study.researcher)).await.unwrap();
    site.pass(1800);
    study.place(site, &study.researcher, order(&study.researcher)).await.unwrap();
    let refused = order(&study.researcher);
    let refused_id = refused.run.run_id;
    assert_eq!(conflict(study.place(site, &study.researcher, refused).await), "RUN_RATE");
    assert!(site.store().run(refused_id).await.is_err());
    let left = site.folder.path().join("objects/parameters").join(refused_id.to_string());
    assert!(!left.exists(), "nothing sealed stays of what was refused");
    assert_eq!(site.names_since(mark).await, ["run_requested"; 3]);

    // A hand-picked burst: of many at once no more than the rate get through.
    site.pass(2 * 3600);
    let mut burst = Vec::new();
    for _ in 0..10 {
        let permit: sekisho_access::Permit<StartRun> =
            study.start_permit(site, &study.researcher).await;
        burst.push((permit, order(&study.researcher)));
    }
    let outcomes = at_once(burst.into_iter().map(|(permit, order)| {
        let store = site.store();
        async move { store.start_run(permit, order).await.map(|_| ()) }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert_eq!(site.names_since(mark).await, ["run_requested"; 5]);
    assert!(site.now() > begun.plus_seconds(9000));
}

pub(crate) async fn sv_4_no_more_runs_on_a_day_in_japan_than_agreed(site: &mut Site) {
    const DAY: i64 = 86_400;
    let study = Study::begin(site).await;
    let other = study.another(site).await;
    let colleague = site.join(&study.steward, OrganisationId::new(site.now()), &[]).await;
    // To the last hour of a day in Japan.
    let midnight = site.now().day_in_japan().plus_seconds(DAY);
    site.pass(midnight.seconds() - site.now().seconds() - 3600);
    let order = |login, per_day| {
        let mut order = study.order(site, login);
        order.runs_per_day = per_day;
        order
    };
    // Everybody's runs count, one that was cancelled as well, and those of other projects not.
    other.start(site).await;
    let first = study.place(site, &study.researcher, order(&colleague, 2)).await.unwrap();
    let cancel = site.permit::<CancelRun>(&study.researcher, study.run_resource(&first)).await;
    site.store().cancel_run(cancel).await.unwrap();
    let mut asked = order(&study.researcher, 2);
    asked.request_key = Some("request".to_owned());
    let second = study.place(site, &study.researcher, asked.clone()).await.unwrap();
    let used_up = |outcome: Result<_, StoreError>| match outcome {
        Err(StoreError::UsedUp { code: "RUNS_PER_DAY", until, .. }) => until,
        other => panic!("{other:?}"),
    };
    let refused = order(&study.researcher, 2);
    let refused_id = refused.run.run_id;
    assert_eq!(used_up(study.place(site, &study.researcher, refused).await), midnight);
    let left = site.folder.path().join("objects/parameters").join(refused_id.to_string());
    assert!(!left.exists(), "nothing sealed stays of what was refused");
    // The same request again is the same run, and one that is handed out again is, too.
    let again = study.place(site, &study.researcher, asked).await.unwrap();
    assert_eq!(again.run_id, second.run_id);
    for attempt in 1..=2 {
        let leased = study.lease(site).await.unwrap();
        let leased = if leased.run.run_id == second.run_id {
            leased
        } else {
            study.lease(site).await.unwrap()
        };
        assert_eq!((leased.run.run_id, leased.run.attempts), (second.run_id, attempt));
        site.pass(61);
        site.store().reap_leases(site.now()).await.unwrap();
    }
    let third = study.place(site, &study.researcher, order(&study.researcher, 3)).await;
    third.unwrap();
    assert_eq!(used_up(study.place(site, &study.researcher, order(&colleague, 3)).await), midnight);
    // At midnight in Japan, which is afternoon in UTC, there is more.
    site.pass(midnight.seconds() - site.now().seconds());
    study.place(site, &study.researcher, order(&study.researcher, 1)).await.unwrap();
    let until = used_up(study.place(site, &study.researcher, order(&colleague, 1)).await);
    assert_eq!(until, midnight.plus_seconds(DAY));
}

pub(crate) async fn sv_4_of_many_at_once_no_more_than_the_day_allows_get_through(site: &mut Site) {
    let study = Study::begin(site).await;
    let mut burst = Vec::new();
    for _ in 0..10 {
        let permit = study.start_permit(site, &study.researcher).await;
        let mut order = study.order(site, &study.researcher);
        order.runs_per_day = 3;
        burst.push((permit, order));
    }
    let outcomes = at_once(burst.into_iter().map(|(permit, order)| {
        let store = site.store();
        async move { store.start_run(permit, order).await.map(|_| ()) }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
}

/// The key of that order is the same for every run of a project and another for any other
/// project, on one version of one data set.
pub(crate) async fn each_project_has_an_order_of_patients_of_its_own(site: &mut Site) {
    let mut study = Study::begin(site).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        for _ in 0..2 {
            study.start(site).await;
            let leased = study.lease(site).await.unwrap();
            assert_ne!(leased.order_key.danger_bytes(), leased.output_key.danger_bytes());
            keys.push(*leased.order_key.danger_bytes());
        }
        study.project = project(site, &[&study.researcher]);
        record(site, &study.steward, &study.project).await;
        let module = submit(site, &study.researcher, &study.project).await;
        let approve = ModuleEvent::Approve;
        let reviewer = &study.module_reviewer;
        study.module = decide(site, reviewer, &study.project, &module, approve).await.unwrap();
    }
    assert_eq!((keys[0], keys[2]), (keys[1], keys[3]));
    assert_ne!(keys[0], keys[2]);
}

pub(crate) async fn a_run_is_leased_to_exactly_one_worker(site: &mut Site) {
    let study = Study::begin(site).await;
    assert!(study.lease(site).await.is_none(), "nothing waits");
    let mut queued = Vec::new();
    for _ in 0..5 {
        queued.push(study.start(site).await.run_id);
    }
    let mark = site.mark().await;
    let mut asked = Vec::new();
    for _ in 0..12 {
        asked.push((study.lease_permit(site).await, WorkerId::new(site.now())));
    }
    let expires_at = site.now().plus_seconds(60);
    let leases = at_once(asked.into_iter().map(|(permit, worker_id)| {
        let store = site.store();
        async move {
            let leased = store.lease_run(permit, worker_id, expires_at).await.unwrap();
            leased.map(|leased| (worker_id, leased))
        }
    }))
    .await;
    let leases: Vec<_> = leases.into_iter().flatten().collect();
    let mut leased: Vec<RunId> = leases.iter().map(|(_, leased)| leased.run.run_id).collect();
    leased.sort();
    assert_eq!(leased, queued, "each once");
    for (worker_id, Leased { run, lease, module, parameters, .. }) in &leases {
        assert_eq!(lease.worker_id, *worker_id);
        let stored = site.store().run(run.run_id).await.unwrap();
        assert_eq!(stored.for_decision(), run);
        assert_eq!((run.state, run.attempts), (RunState::Leased, 1));
        assert_eq!(run.lease.as_ref(), Some(lease));
        let context = component_context(run.module_id);
        assert_eq!(open(&module.key, &context, &module.sealed).unwrap().as_slice(), COMPONENT);
        assert_eq!((module.manifest.as_str(), parameters.as_slice()), (MANIFEST, PARAMETERS));
    }
    // The log says the same, oldest first.
    let events = site.since(mark).await;
    let logged: Vec<RunId> = events
        .iter()
        .map(|event| match event.kind {
            EventKind::RunLeased { run_id, .. } => run_id,
            _ => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(logged, queued);
}

pub(crate) async fn a_lost_lease_changes_nothing(site: &mut Site) {
    let study = Study::begin(site).await;
    study.start(site).await;
    let lost = study.lease(site).await.unwrap();
    let goes_on =
        async |lease_id| site.store().goes_on(lost.run.run_id, lease_id, site.now()).await.unwrap();
    assert!(goes_on(lost.lease.lease_id).await);
    assert!(!goes_on(LeaseId::new(site.now())).await);
    let permit = study.hold_permit(site, &lost.run).await;
    let until = site.now().plus_seconds(60);
    let held = site
        .store()
        .hold_run(permit, lost.lease.lease_id, RunState::Running, 3, until)
        .await
        .unwrap();
    assert_eq!((held.state, held.progress_tenths), (RunState::Running, 3));
    assert_eq!(held.lease.as_ref().unwrap().expires_at, until, "a heartbeat extends the lease");
    let permit = study.hold_permit(site, &lost.run).await;
    let held = site
        .store()
        .hold_run(permit, lost.lease.lease_id, RunState::Running, 1, until)
        .await
        .unwrap();
    assert_eq!(held.progress_tenths, 3, "progress does not go back");

    site.pass(120);
    let reaped = site.store().reap_leases(site.now()).await.unwrap();
    assert_eq!(reaped, [lost.run.run_id]);
    let again = study.lease(site).await.unwrap();
    assert_ne!(again.lease.lease_id, lost.lease.lease_id);
    let mark = site.mark().await;
    let before = site.store().run(lost.run.run_id).await.unwrap().for_decision().clone();

    for lease_id in [lost.lease.lease_id, LeaseId::new(site.now())] {
        let store = site.store();
        let late = |outcome: Result<_, StoreError>| assert_eq!(conflict(outcome), "LEASE_LOST");
        let permit = study.hold_permit(site, &lost.run).await;
        late(store.hold_run(permit, lease_id, RunState::Sealing, 9, until).await);
        let permit = study.hold_permit(site, &lost.run).await;
        let outputs = vec![sealed(site, &lost, b"late")];
        late(store.complete_run(permit, lease_id, outputs, RunUsage::default()).await);
        let permit = study.hold_permit(site, &lost.run).await;
        let class = FailureClass::ModuleError;
        late(store.fail_run(permit, lease_id, class, RunUsage::default()).await);
    }
    let after = site.store().run(lost.run.run_id).await.unwrap().for_decision().clone();
    assert_eq!(after, before);
    let outputs = site.store().run_outputs(lost.run.run_id).await.unwrap();
    assert!(outputs.for_decision().is_empty());
    assert_eq!(site.names_since(mark).await, [""; 0]);

    // The present holder goes on as if nothing had been.
    let done = study.complete(site, &again, b"result").await.unwrap();
    assert_eq!((done.state, done.output_count, done.lease), (RunState::Succeeded, 1, None));
    assert_eq!(site.names_since(mark).await, ["run_completed"]);
    let late = study.complete(site, &again, b"result").await;
    assert_eq!(conflict(late), "LEASE_LOST", "completing again does nothing either");
}

pub(crate) async fn expired_leases_queue_again_and_then_fail(site: &mut Site) {
    let study = Study::begin(site).await;
    let run_id = study.start(site).await.run_id;
    let mark = site.mark().await;
    for attempt in 1..=MAX_ATTEMPTS {
        let leased = study.lease(site).await.unwrap();
        assert_eq!(leased.run.attempts, attempt);
        assert!(site.store().reap_leases(site.now()).await.unwrap().is_empty(), "still held");
        site.pass(61);
        // However many reap at once, it is reaped once.
        let now = site.now();
        let reaped = at_once((0..4).map(|_| {
            let store = site.store();
            async move { store.reap_leases(now).await.unwrap() }
        }))
        .await;
        assert_eq!(reaped.concat(), [run_id]);
        let run = site.store().run(run_id).await.unwrap().for_decision().clone();
        let expected = if attempt < MAX_ATTEMPTS { RunState::Queued } else { RunState::Failed };
        assert_eq!((run.state, run.lease), (expected, None));
    }
    let run = site.store().run(run_id).await.unwrap().for_decision().clone();
    assert_eq!(run.failure_class, Some(FailureClass::Environment));
    assert!(run.ended_at.is_some());
    assert!(study.lease(site).await.is_none());
    let mut expected = ["run_leased", "lease_lost"].repeat(MAX_ATTEMPTS as usize);
    *expected.last_mut().unwrap() = "run_failed";
    let events = site.since(mark).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, expected);
    assert_eq!(events.last().unwrap().actor, Actor::System {});
}

pub(crate) async fn ag_6_what_waited_beyond_the_period_is_not_run(site: &mut Site) {
    let study = Study::begin(site).await;
    let run_id = study.start(site).await.run_id;
    site.pass(2 * 86_400);
    assert_not_permitted(site, &study, run_id).await;
}

pub(crate) async fn au_2_what_waited_beyond_a_removal_is_not_run(site: &mut Site) {
    let study = Study::begin(site).await;
    let run_id = study.start(site).await.run_id;
    let permit = site.permit(&study.steward, sekisho_access::resource::Site).await;
    let researcher = study.researcher.person.person_id;
    site.store().remove_person(permit, researcher, "left".to_owned()).await.unwrap();
    assert_not_permitted(site, &study, run_id).await;
}

pub(crate) async fn au_2_a_run_under_way_ends_when_its_requester_leaves(site: &mut Site) {
    let study = Study::begin(site).await;
    let mut leased = Vec::new();
    for _ in 0..2 {
        study.start(site).await;
        leased.push(study.lease(site).await.unwrap());
    }
    let permit = site.permit(&study.steward, sekisho_access::resource::Site).await;
    let researcher = study.researcher.person.person_id;
    site.store().remove_person(permit, researcher, "left".to_owned()).await.unwrap();
    let mark = site.mark().await;
    // Whoever waits with a heartbeat sees it; looking changes nothing.
    let Leased { run, lease, .. } = &leased[0];
    assert!(!site.store().goes_on(run.run_id, lease.lease_id, site.now()).await.unwrap());

    let permit = study.hold_permit(site, &leased[0].run).await;
    let (lease_id, until) = (leased[0].lease.lease_id, permit.at().plus_seconds(60));
    let held = site.store().hold_run(permit, lease_id, RunState::Running, 3, until).await.unwrap();
    assert_eq!((held.state, held.lease), (RunState::Cancelled, None));
    assert_eq!(held.end_cause, Some(EndCause::NoLongerPermitted));
    assert_eq!(conflict(study.complete(site, &leased[1], b"late").await), "LEASE_LOST");
    let run = site.store().run(leased[1].run.run_id).await.unwrap().for_decision().clone();
    assert_eq!((run.state, run.output_count), (RunState::Cancelled, 0));
    assert_eq!(run.end_cause, Some(EndCause::NoLongerPermitted));
    let outputs = site.folder.path().join("objects/outputs").join(run.run_id.to_string());
    assert_eq!(std::fs::read_dir(outputs).unwrap().count(), 0, "what came late is removed");
    let events = site.since(mark).await;
    assert_eq!(events.len(), 2);
    for event in events {
        assert!(matches!(event.kind, EventKind::RunCancelled { .. }), "{:?}", event.kind);
        assert_eq!(event.actor, Actor::System {});
    }
}

pub(crate) async fn ag_2_a_run_that_is_not_permitted_holds_up_no_other(site: &mut Site) {
    let study = Study::begin(site).await;
    // Asked for by somebody the agreement does not name, as after an amendment.
    let unnamed = site.join(&study.steward, OrganisationId::new(site.now()), &[]).await;
    let order = study.order(site, &unnamed);
    let first = order.run.run_id;
    study.place(site, &study.researcher, order).await.unwrap();
    let second = study.start(site).await;
    assert_eq!(study.lease(site).await.unwrap().run.run_id, second.run_id);
    let run = site.store().run(first).await.unwrap().for_decision().clone();
    assert_eq!((run.state, run.attempts), (RunState::Cancelled, 0));
}

async fn assert_not_permitted(site: &Site, study: &Study, run_id: RunId) {
    let mark = site.mark().await;
    assert!(study.lease(site).await.is_none());
    let run = site.store().run(run_id).await.unwrap().for_decision().clone();
    assert_eq!((run.state, run.attempts), (RunState::Cancelled, 0));
    assert_eq!((run.end_cause, run.failure_class), (Some(EndCause::NoLongerPermitted), None));
    let events = site.since(mark).await;
    assert_eq!(events.len(), 1);
    assert!(matches!(events[0].kind, EventKind::RunCancelled { run_id: id } if id == run_id));
    assert_eq!(events[0].actor, Actor::System {});
}

pub(crate) async fn failures_of_the_environment_are_tried_again(site: &mut Site) {
    let study = Study::begin(site).await;
    let run_id = study.start(site).await.run_id;
    let mark = site.mark().await;
    for (class, expected) in [
        (FailureClass::Environment, RunState::Queued),
        (FailureClass::LimitExceeded, RunState::Failed),
    ] {
        let leased = study.lease(site).await.unwrap();
        assert_eq!(leased.run.run_id, run_id);
        let permit = study.hold_permit(site, &leased.run).await;
        let usage = RunUsage { rows_read: 7, ..RunUsage::default() };
        let failed = site.store().fail_run(permit, leased.lease.lease_id, class, usage).await;
        let failed = failed.unwrap();
        assert_eq!((failed.state, failed.lease), (expected, None));
    }
    let run = site.store().run(run_id).await.unwrap().for_decision().clone();
    assert_eq!(run.failure_class, Some(FailureClass::LimitExceeded));
    let events = site.since(mark).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["run_leased", "lease_lost", "run_leased", "run_failed"]);
    let EventKind::RunFailed { requested_by, usage, .. } = &events[3].kind else { panic!() };
    assert_eq!(*requested_by, study.researcher.person.person_id);
    assert_eq!(usage.rows_read, 7);
}

pub(crate) async fn a_cancel_and_a_completion_leave_one_final_state(site: &mut Site) {
    const RUNS: usize = 10;
    let study = Study::begin(site).await;
    for _ in 0..RUNS {
        study.start(site).await;
    }
    let mark = site.mark().await;
    let (mut tasks, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let leased = study.lease(site).await.unwrap();
        ids.push(leased.run.run_id);
        let cancel =
            site.permit::<CancelRun>(&study.researcher, study.run_resource(&leased.run)).await;
        let complete = study.hold_permit(site, &leased.run).await;
        tasks.push((leased.lease.lease_id, cancel, complete, sealed(site, &leased, b"result")));
    }
    let outcomes = at_once(tasks.into_iter().map(|(lease_id, cancel, complete, output)| {
        let store = site.store();
        async move {
            let completing = tokio::spawn(complete_late(store.clone(), complete, lease_id, output));
            let cancelled = store.cancel_run(cancel).await.map(|_| ());
            (cancelled, completing.await.unwrap())
        }
    }))
    .await;
    for (run_id, outcome) in ids.iter().zip(outcomes) {
        let run = site.store().run(*run_id).await.unwrap().for_decision().clone();
        assert!(run.state.is_final() && run.lease.is_none() && run.ended_at.is_some());
        let outputs = site.store().run_outputs(*run_id).await.unwrap().for_decision().len();
        match (run.state, outcome) {
            (RunState::Cancelled, (Ok(()), lost)) => {
                assert_eq!((conflict(lost), outputs), ("LEASE_LOST", 0));
            }
            (RunState::Succeeded, (late, Ok(()))) => {
                assert_eq!((conflict(late), outputs), ("WRONG_STATE", 1));
            }
            other => panic!("{other:?}"),
        }
        let ends = site.since(mark).await.into_iter().filter(|event| {
            matches!(event.kind,
                EventKind::RunCancelled { run_id: id } | EventKind::RunCompleted { run_id: id, .. }
                    if id == *run_id)
        });
        assert_eq!(ends.count(), 1, "one end in the log");
    }
    // A queued run has no worker to lose; a cut session cancels nothing.
    let run = study.start(site).await;
    let cut = site.permit::<CancelRun>(&study.researcher, study.run_resource(&run)).await;
    let leaving = site.permit(&study.steward, sekisho_access::resource::Site).await;
    let researcher = study.researcher.person.person_id;
    site.store().remove_person(leaving, researcher, "left".to_owned()).await.unwrap();
    assert!(is_cut(&site.store().cancel_run(cut).await));
    let permit = site.permit::<CancelRun>(&study.steward, study.run_resource(&run)).await;
    let cancelled = site.store().cancel_run(permit).await.unwrap().into_inner();
    assert_eq!(cancelled.state, RunState::Cancelled);
    assert!(study.lease(site).await.is_none());
}

async fn complete_late(
    store: Store,
    permit: sekisho_access::Permit<HoldRun>,
    lease_id: LeaseId,
    output: (sekisho_store::outputs::OutputRecord, Vec<u8>),
) -> Result<(), StoreError> {
    store.complete_run(permit, lease_id, vec![output], RunUsage::default()).await.map(|_| ())
}
