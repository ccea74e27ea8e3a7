//! What the gateway does by itself: follow the committed log, raise alerts, wake those
//! who wait, and take back leases that ran out.

use std::{sync::Arc, time::Duration};

use sekisho_audit::{Event, EventKind};
use sekisho_domain::{Alert, AlertId, RunId};
use sekisho_store::Committed;
use sekisho_watch::{AlertDraft, Subject, Watch};
use tokio::sync::mpsc;

use crate::{App, Inner};

/// How often projects are looked at whose period may have ended, and data sets that may be late.
const TEND_EVERY: Duration = Duration::from_secs(60);
/// Seconds after the period of use before a project is closed: time to prolong the
/// agreement or to settle what is under review.
const CLOSING_GRACE_SECONDS: i64 = 7 * 86_400;
/// How often leases are looked at.
const REAP_EVERY: Duration = Duration::from_secs(2);

impl App {
    /// Starts the gateway's own work; it ends with the last clone of the app.
    pub(crate) fn start_background(
        &self,
        committed: mpsc::UnboundedReceiver<Committed>,
        watch: Watch,
        missed: Vec<AlertDraft>,
    ) {
        tokio::spawn(follow(Arc::downgrade(&self.0), committed, watch, missed));
        tokio::spawn(reap(Arc::downgrade(&self.0)));
        tokio::spawn(tend(Arc::downgrade(&self.0)));
    }
}

async fn follow(
    app: std::sync::Weak<Inner>,
    mut committed: mpsc::UnboundedReceiver<Committed>,
    mut watch: Watch,
    missed: Vec<AlertDraft>,
) {
    if let Some(app) = app.upgrade() {
        for draft in missed {
            raise(&app, draft).await;
        }
    }
    while let Some(Committed { index, event }) = committed.recv().await {
        let drafts = watch.observe(index, &event);
        let Some(app) = app.upgrade() else { return };
        wake(&app, &event);
        for draft in drafts {
            raise(&app, draft).await;
        }
    }
}

/// Wakes workers that wait for a run and people who watch one.
fn wake(app: &Inner, event: &Event) {
    if let Some((run_id, queued)) = concerned(&event.kind) {
        // Nobody may be watching.
        let _ = app.run_changes.send(run_id);
        if queued {
            app.queued.notify_waiters();
        }
    }
}

/// The run that an event concerns, `None` when it may be any, and whether one is queued.
fn concerned(kind: &EventKind) -> Option<(Option<RunId>, bool)> {
    match kind {
        EventKind::RunRequested { run_id, .. } | EventKind::LeaseLost { run_id, .. } => {
            Some((Some(*run_id), true))
        }
        EventKind::RunLeased { run_id, .. }
        | EventKind::RunStateChanged { run_id, .. }
        | EventKind::RunCompleted { run_id, .. }
        | EventKind::RunFailed { run_id, .. }
        | EventKind::RunCancelled { run_id } => Some((Some(*run_id), false)),
        EventKind::PersonRemoved { .. }
        | EventKind::LinkageDateSet { .. }
        | EventKind::TraceLost { .. }
        | EventKind::ReidentificationEnded { .. } => Some((None, false)),
        _ => None,
    }
}

async fn raise(app: &Inner, draft: AlertDraft) {
    let now = app.clock.now();
    let person_id = draft.person_id();
    let (worker_id, peer) = match draft.subject {
        Subject::Person(_) => (None, None),
        Subject::Worker(worker_id) => (Some(worker_id), None),
        Subject::Peer(peer) => (None, peer),
    };
    let alert = Alert {
        alert_id: AlertId::new(now),
        rule: draft.rule.name().to_owned(),
        person_id,
        session_id: draft.session_id,
        worker_id,
        peer,
        summary: draft.summary,
        entry_index: draft.entry_index,
        raised_at: now,
        access_cut: draft.cut_access && person_id.is_some(),
    };
    match app.store.raise_alert(alert.clone()).await {
        // Nobody may be watching.
        Ok(()) => drop(app.raised.send(alert)),
        Err(error) => tracing::error!(%error, rule = alert.rule, "an alert was not recorded"),
    }
}

async fn reap(app: std::sync::Weak<Inner>) {
    let mut ticks = tokio::time::interval(REAP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        match app.store.reap_leases(app.clock.now()).await {
            Ok(runs) => {
                for run_id in runs {
                    tracing::warn!(%run_id, "a lease ran out");
                }
            }
            Err(error) => tracing::error!(%error, "leases could not be looked at"),
        }
        if let Err(error) = app.store.tend_reidentifications(app.clock.now()).await {
            tracing::error!(%error, "orders could not be looked at");
        }
    }
}

/// Closes projects whose time is over, finishes erasures that were cut off, and sounds the
/// alarm over data sets whose next version is late and a deployment record whose time is over.
async fn tend(app: std::sync::Weak<Inner>) {
    let mut ticks = tokio::time::interval(TEND_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut raised = false;
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        raised = raised || raise_if_expired(&app).await;
        match app.store.close_ended_projects(app.clock.now(), CLOSING_GRACE_SECONDS).await {
            Ok(projects) => {
                for (project_id, closed) in projects {
                    match closed {
                        Ok(()) => tracing::info!(%project_id, "a project was closed"),
                        Err(error) => {
                            tracing::error!(%error, %project_id, "a project could not be closed");
                        }
                    }
                }
            }
            Err(error) => tracing::error!(%error, "projects could not be closed"),
        }
        if let Err(error) = app.store.finish_erasures(app.clock.now()).await {
            tracing::error!(%error, "an erasure could not be finished");
        }
        match app.store.note_overdue_datasets(app.clock.now()).await {
            Ok(alerts) => {
                for alert in alerts {
                    tracing::warn!(summary = alert.summary, "a data set is overdue");
                    // Nobody may be watching.
                    drop(app.raised.send(alert));
                }
            }
            Err(error) => tracing::error!(%error, "data sets could not be looked at"),
        }
    }
}

/// Raises the alarm, once while the gateway runs, when what its deployment record rests on is
/// out of date (CL-2).
async fn raise_if_expired(app: &Inner) -> bool {
    let now = app.clock.now();
    let day = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or(jiff::Timestamp::MAX);
    let today = day.to_zoned(jiff::tz::TimeZone::system()).date();
    let Err(expired) = app.deployment.check_valid(today) else { return false };
    tracing::error!(code = expired.code(), "{expired}");
    match app.store.note_expired_deployment(expired.to_string(), now).await {
        Ok(alert) => {
            // Nobody may be watching.
            drop(app.raised.send(alert));
            true
        }
        Err(error) => {
            tracing::error!(%error, "an alert was not recorded");
            false
        }
    }
}
