use sekisho_audit::{Actor, Event, EventKind};
use sekisho_domain::SessionId;

use crate::{
    alert::{AlertDraft, Rule, Subject},
    config::{ConfigError, WatchConfig},
    window::{Observation, Windows},
};

/// gRPC codes that mean the caller was turned away.
const REFUSING_CODES: [&str; 2] = ["PERMISSION_DENIED", "UNAUTHENTICATED"];

/// The rules with what they remember.
#[derive(Debug)]
pub struct Watch {
    config: WatchConfig,
    /// People and workers apart from strangers, of whom there can be any number.
    refusals_known: Windows<Subject>,
    refusals_strangers: Windows<Subject>,
    runs: Windows<Subject>,
    rows: Windows<Subject>,
}

impl Watch {
    /// Starts with nothing seen.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: WatchConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            refusals_known: Windows::new(config.denied_burst.window_seconds),
            refusals_strangers: Windows::new(config.denied_burst.window_seconds),
            runs: Windows::new(config.run_rate.window_seconds),
            rows: Windows::new(config.rows_read.window_seconds),
            config,
        })
    }

    /// How far back a restarted gateway reads its log for [`Watch::catch_up`]: twice the
    /// longest window, so that alerts raised just before are known to have been.
    #[must_use]
    pub fn replay_seconds(&self) -> u64 {
        let longest = Rule::ALL.map(|rule| self.config.rule(rule).window_seconds).into_iter().max();
        longest.unwrap_or(0).saturating_mul(2)
    }

    /// Takes in the log's last [`Watch::replay_seconds`] after a start; returns the alerts
    /// that a crash kept from being raised.
    pub fn catch_up(&mut self, entries: impl IntoIterator<Item = (u64, Event)>) -> Vec<AlertDraft> {
        let mut missed: Vec<AlertDraft> = Vec::new();
        let mut newest = None;
        for (index, event) in entries {
            newest = newest.max(Some(event.at));
            if let Some((rule, subject)) = raised(&event) {
                missed.retain(|draft| draft.rule != rule || draft.subject.key() != subject.key());
            }
            missed.extend(self.observe(index, &event));
        }
        // What is older may only look unraised because its alert lies before the start.
        missed.retain(|draft| {
            let window = self.config.rule(draft.rule).window_seconds;
            let window = i64::try_from(window).unwrap_or(i64::MAX);
            newest.is_some_and(|newest| draft.raised_at.plus_seconds(window) > newest)
        });
        missed
    }

    /// Takes in a committed entry; returns the alerts it completes. Call once per entry,
    /// in order, alerts' own entries included.
    pub fn observe(&mut self, index: u64, event: &Event) -> Vec<AlertDraft> {
        if let Some((rule, subject)) = raised(event) {
            self.windows(rule, subject).mark_alerted(subject.key(), event.at);
            return Vec::new();
        }
        let Some((rule, subject, amount)) = weigh(event) else { return Vec::new() };
        let settings = self.config.rule(rule);
        // Only refusals are told twice: by the decision and by the end of its call.
        let request_id = event.request_id.filter(|_| rule == Rule::DeniedBurst);
        let seen = Observation { at: event.at, amount, request_id };
        let Some(measured) =
            self.windows(rule, subject).count(subject.key(), seen, settings.threshold)
        else {
            return Vec::new();
        };
        let summary = format!(
            "{measured} {} within {} s; {} raise an alert",
            rule.counted(),
            settings.window_seconds,
            settings.threshold
        );
        vec![AlertDraft {
            rule,
            subject,
            session_id: session_of(&event.actor, subject),
            entry_index: index,
            raised_at: event.at,
            measured,
            summary,
            cut_access: settings.cut_access,
        }]
    }

    fn windows(&mut self, rule: Rule, subject: Subject) -> &mut Windows<Subject> {
        match (rule, subject) {
            (Rule::DeniedBurst, Subject::Peer(_)) => &mut self.refusals_strangers,
            (Rule::DeniedBurst, _) => &mut self.refusals_known,
            (Rule::RunRate, _) => &mut self.runs,
            (Rule::RowsRead, _) => &mut self.rows,
        }
    }
}

/// Which alert an event records.
fn raised(event: &Event) -> Option<(Rule, Subject)> {
    let EventKind::AlertRaised { rule, person_id, worker_id, peer, .. } = &event.kind else {
        return None;
    };
    let rule = Rule::ALL.into_iter().find(|known| known.name() == rule)?;
    let known = person_id.map(Subject::Person).or(worker_id.map(Subject::Worker));
    Some((rule, known.unwrap_or(Subject::Peer(*peer))))
}

/// Which rule an event counts for, for whom, and how much.
fn weigh(event: &Event) -> Option<(Rule, Subject, u64)> {
    match &event.kind {
        EventKind::Decision { allowed: false, .. } | EventKind::ModuleRefusedStatically { .. } => {
            Some((Rule::DeniedBurst, subject(&event.actor)?, 1))
        }
        EventKind::CallEnded { code, .. } if REFUSING_CODES.contains(&code.as_str()) => {
            Some((Rule::DeniedBurst, subject(&event.actor)?, 1))
        }
        EventKind::LoginRefused { person_id, .. } => {
            let known = person_id.map(Subject::Person);
            Some((Rule::DeniedBurst, known.or_else(|| subject(&event.actor))?, 1))
        }
        EventKind::HandshakeFailed { peer, .. } => {
            Some((Rule::DeniedBurst, Subject::Peer(*peer), 1))
        }
        EventKind::RunRequested { .. } => Some((Rule::RunRate, subject(&event.actor)?, 1)),
        EventKind::RunCompleted { requested_by, usage, .. }
        | EventKind::RunFailed { requested_by, usage, .. } => {
            Some((Rule::RowsRead, Subject::Person(*requested_by), usage.rows_read))
        }
        _ => None,
    }
}

/// Nobody watches the gateway itself this way.
fn subject(actor: &Actor) -> Option<Subject> {
    match actor {
        Actor::Person { person_id, .. } => Some(Subject::Person(*person_id)),
        Actor::Worker { worker_id } => Some(Subject::Worker(*worker_id)),
        Actor::Anonymous { peer } => Some(Subject::Peer(*peer)),
        Actor::System {} => None,
    }
}

fn session_of(actor: &Actor, subject: Subject) -> Option<SessionId> {
    match actor {
        Actor::Person { person_id, session_id } if subject == Subject::Person(*person_id) => {
            Some(*session_id)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use sekisho_audit::RunUsage;
    use sekisho_domain::{
        AlertId, FailureClass, ModuleId, PersonId, ProjectId, RequestId, RunId, Timestamp, WorkerId,
    };

    use super::*;
    use crate::config::RuleConfig;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn watch() -> Watch {
        Watch::new(WatchConfig {
            denied_burst: RuleConfig { threshold: 3, window_seconds: 60, cut_access: true },
            run_rate: RuleConfig { threshold: 4, window_seconds: 3_600, cut_access: false },
            rows_read: RuleConfig { threshold: 1_000, window_seconds: 86_400, cut_access: true },
        })
        .unwrap()
    }

    fn person() -> Actor {
        Actor::Person { person_id: PersonId::new(NOW), session_id: SessionId::new(NOW) }
    }

    fn stranger(address: &str) -> Actor {
        Actor::Anonymous { peer: Some(address.parse().unwrap()) }
    }

    fn event(second: i64, actor: Actor, kind: EventKind) -> Event {
        let at = NOW.plus_seconds(second);
        Event { at, request_id: Some(RequestId::new(at)), actor, kind }
    }

    fn decision(allowed: bool) -> EventKind {
        let (action, resource) = ("start_run".to_owned(), ProjectId::new(NOW).to_string());
        EventKind::Decision { action, resource, allowed, rules: vec![], level: None }
    }

    fn call_ended(code: &str) -> EventKind {
        let method = "/sekisho.v1.RunService/StartRun".to_owned();
        EventKind::CallEnded { method, code: code.to_owned(), reason: None, rule: None }
    }

    fn run_requested() -> EventKind {
        EventKind::RunRequested {
            run_id: RunId::new(NOW),
            project_id: ProjectId::new(NOW),
            module_id: ModuleId::new(NOW),
            module_sha256: String::new(),
            dataset_id: "lung".to_owned(),
            dataset_version: "v1".to_owned(),
            joined: vec![],
            bring_ins: vec![],
            tables: vec![],
            parameters_sha256: String::new(),
        }
    }

    fn usage(rows_read: u64) -> RunUsage {
        RunUsage { rows_read, ..RunUsage::default() }
    }

    fn completed(requested_by: PersonId, rows: u64) -> EventKind {
        let run_id = RunId::new(NOW);
        EventKind::RunCompleted { run_id, requested_by, outputs: vec![], usage: usage(rows) }
    }

    fn alerts(watch: &mut Watch, events: &[Event]) -> Vec<AlertDraft> {
        let numbered = events.iter().enumerate();
        numbered.flat_map(|(index, event)| watch.observe(index as u64, event)).collect()
    }

    #[test]
    fn lg_3_a_burst_of_refusals_by_one_person_raises_one_alert_that_cuts_access() {
        let actor = person();
        let Actor::Person { person_id, session_id } = actor else { unreachable!() };
        let events: Vec<_> = (0..10).map(|s| event(s, actor, decision(false))).collect();
        let raised = alerts(&mut watch(), &events);
        assert_eq!(raised.len(), 1, "{raised:?}");
        assert_eq!(raised[0].rule.name(), "denied_burst");
        assert_eq!(raised[0].person_id(), Some(person_id));
        assert_eq!(raised[0].session_id, Some(session_id));
        assert_eq!((raised[0].entry_index, raised[0].measured), (2, 3));
        assert_eq!(raised[0].raised_at, events[2].at);
        assert!(raised[0].cut_access);
    }

    #[test]
    fn lg_3_what_is_allowed_slow_or_spread_over_people_raises_nothing() {
        let actor = person();
        let allowed: Vec<_> = (0..50).map(|s| event(s, actor, decision(true))).collect();
        let slow: Vec<_> = (0..50).map(|n| event(n * 30, actor, decision(false))).collect();
        let spread: Vec<_> = (0..50).map(|s| event(s, person(), decision(false))).collect();
        let failed: Vec<_> = (0..50).map(|s| event(s, actor, call_ended("UNAVAILABLE"))).collect();
        let system: Vec<_> = (0..50).map(|s| event(s, Actor::System {}, decision(false))).collect();
        for events in [allowed, slow, spread, failed, system] {
            assert_eq!(alerts(&mut watch(), &events), []);
        }
    }

    #[test]
    fn lg_3_a_second_alert_comes_only_after_a_window() {
        let actor = person();
        let events: Vec<_> = (0..130).map(|s| event(s, actor, decision(false))).collect();
        let raised: Vec<_> =
            alerts(&mut watch(), &events).into_iter().map(|draft| draft.entry_index).collect();
        assert_eq!(raised, [2, 62, 122]);
    }

    #[test]
    fn lg_3_a_refused_call_counts_once_though_it_is_told_twice() {
        let mut watch = watch();
        let actor = person();
        for second in 0..2 {
            let denied = event(second, actor, decision(false));
            let ended = Event { kind: call_ended("PERMISSION_DENIED"), ..denied.clone() };
            assert_eq!(alerts(&mut watch, &[denied, ended]), []);
        }
        let third = event(2, actor, call_ended("PERMISSION_DENIED"));
        assert_eq!(watch.observe(9, &third).len(), 1);
    }

    #[test]
    fn lg_3_strangers_are_told_apart_by_address_and_ipv6_by_prefix() {
        let refused =
            || EventKind::LoginRefused { reason: "second_factor".into(), person_id: None };
        let mixed = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3", "::ffff:192.0.2.1"];
        let events = |addresses: &[&str]| -> Vec<_> {
            addresses.iter().map(|address| event(0, stranger(address), refused())).collect()
        };
        let raised = alerts(&mut watch(), &events(&mixed));
        assert_eq!(raised.len(), 1);
        assert_eq!(raised[0].entry_index, 4);
        let raised = alerts(
            &mut watch(),
            &events(&["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3", "2001:db8::ffff:4"]),
        );
        assert_eq!(raised.len(), 1);
        assert_eq!(raised[0].entry_index, 3);
        assert_eq!(raised[0].person_id(), None);
    }

    #[test]
    fn lg_3_every_way_of_being_turned_away_counts() {
        let peer: IpAddr = "192.0.2.9".parse().unwrap();
        let actor = stranger("192.0.2.9");
        let handshake = EventKind::HandshakeFailed { peer: Some(peer), reason: "no_cert".into() };
        let refused =
            EventKind::LoginRefused { reason: "user_verification".into(), person_id: None };
        let raised = alerts(
            &mut watch(),
            &[
                event(0, actor, handshake),
                event(1, actor, refused),
                event(2, actor, call_ended("UNAUTHENTICATED")),
            ],
        );
        assert_eq!(raised.len(), 1);
        let actor = person();
        let Actor::Person { person_id, .. } = actor else { unreachable!() };
        let refusal = EventKind::ModuleRefusedStatically {
            project_id: ProjectId::new(NOW),
            sha256: String::new(),
            code: "import_not_allowed".into(),
        };
        let login = EventKind::LoginRefused { reason: "roster".into(), person_id: Some(person_id) };
        let raised = alerts(
            &mut watch(),
            &[
                event(0, actor, refusal),
                event(1, stranger("192.0.2.9"), login),
                event(2, actor, decision(false)),
            ],
        );
        assert_eq!(raised.len(), 1);
        assert_eq!(raised[0].person_id(), Some(person_id));
    }

    #[test]
    fn lg_3_any_number_of_strangers_does_not_hide_a_person() {
        let mut watch = watch();
        let actor = person();
        watch.observe(0, &event(0, actor, decision(false)));
        watch.observe(1, &event(0, actor, decision(false)));
        for n in 0..20_000_u32 {
            let peer = Some(IpAddr::V4(n.into()));
            let kind = EventKind::HandshakeFailed { peer, reason: "no_cert".into() };
            watch.observe(2, &event(1, Actor::Anonymous { peer }, kind));
        }
        assert_eq!(watch.observe(3, &event(2, actor, decision(false))).len(), 1);
    }

    #[test]
    fn sv_4_many_runs_in_an_hour_raise_an_alert() {
        let actor = person();
        let often: Vec<_> = (0..4).map(|n| event(n * 600, actor, run_requested())).collect();
        let raised = alerts(&mut watch(), &often);
        assert_eq!(raised.len(), 1);
        assert_eq!((raised[0].rule.name(), raised[0].entry_index), ("run_rate", 3));
        assert!(!raised[0].cut_access);
        let seldom: Vec<_> = (0..40).map(|n| event(n * 1_200, actor, run_requested())).collect();
        assert_eq!(alerts(&mut watch(), &seldom), []);
    }

    #[test]
    fn sv_4_rows_of_all_runs_of_a_day_add_up_for_whoever_asked() {
        let worker = Actor::Worker { worker_id: WorkerId::new(NOW) };
        let (reader, other) = (PersonId::new(NOW), PersonId::new(NOW));
        let failed = EventKind::RunFailed {
            run_id: RunId::new(NOW),
            requested_by: reader,
            class: FailureClass::ModuleError,
            usage: usage(300),
        };
        let raised = alerts(
            &mut watch(),
            &[
                event(0, worker, completed(reader, 400)),
                event(10, worker, completed(other, 999)),
                event(20, worker, failed),
                event(30_000, worker, completed(reader, 299)),
                event(40_000, worker, completed(reader, 1)),
            ],
        );
        assert_eq!(raised.len(), 1);
        assert_eq!((raised[0].rule.name(), raised[0].entry_index), ("rows_read", 4));
        assert_eq!((raised[0].person_id(), raised[0].measured), (Some(reader), 1_000));
        assert!(raised[0].cut_access);
        let next_day = [
            event(0, worker, completed(reader, 600)),
            event(86_400, worker, completed(reader, 600)),
        ];
        assert_eq!(alerts(&mut watch(), &next_day), []);
    }

    #[test]
    fn lg_3_a_restart_neither_forgets_nor_repeats() {
        let actor = person();
        let denied: Vec<_> = (0..3).map(|s| event(s, actor, decision(false))).collect();
        let numbered = |events: &[Event]| -> Vec<_> { (0..).zip(events.to_vec()).collect() };

        let mut counting = watch();
        assert_eq!(counting.catch_up(numbered(&denied[..2])), []);
        let drafts = counting.observe(2, &denied[2]);
        assert_eq!(drafts.len(), 1, "what came before the restart counts");

        let mut unraised = watch();
        assert_eq!(unraised.catch_up(numbered(&denied)), drafts, "the crash lost the alert");

        let mut raised = denied.clone();
        raised.push(event(3, Actor::System {}, drafts[0].event(AlertId::new(NOW), true)));
        assert_eq!(watch().catch_up(numbered(&raised)), []);
        let mut halfway = watch();
        assert_eq!(halfway.catch_up(numbered(&raised[2..])), []);
        let more: Vec<_> = (4..40).map(|s| event(s, actor, decision(false))).collect();
        assert_eq!(alerts(&mut halfway, &more), [], "its alert is in the log already");

        let mut long_ago = denied;
        long_ago.push(event(500, actor, decision(true)));
        assert_eq!(watch().catch_up(numbered(&long_ago)), []);
        assert_eq!(watch().replay_seconds(), 2 * 86_400);
    }
}
