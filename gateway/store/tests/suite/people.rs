//! The roster, credentials, invitations and sessions.

use sekisho_access::{
    ActiveSession, SessionEnded,
    action::{
        ListPeople, Logout, ReadLog, RegisterOrganisation, RegisterPerson, RemovePerson,
        RevokeSession,
    },
    resource::Site as TheSite,
};
use sekisho_audit::{Actor, Event, EventKind, SessionEnd};
use sekisho_domain::{Alert, AlertId, OrganisationKind, PageRequest, RequestId, Role};
use sekisho_store::people::{CredentialRecord, CredentialUse};

use super::{
    at_once, conflict, is_cut, is_unknown,
    site::{Login, Site, credential, organisation, person},
};

pub(crate) async fn a_site_is_founded_once(site: &mut Site) {
    let outcomes = at_once((0..8).map(|_| {
        let producer = organisation(site.now(), OrganisationKind::Producer);
        let steward = person(site.now(), producer.organisation_id, &[Role::Steward]);
        let (invitation, now, store) = (site.invitation(&steward), site.now(), site.store());
        async move { (steward.clone(), store.found(producer, steward, invitation, now).await) }
    }))
    .await;
    let (founded, refused): (Vec<_>, Vec<_>) =
        outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
    assert_eq!(founded.len(), 1);
    for (_, outcome) in refused {
        assert_eq!(conflict(outcome), "FOUNDED");
    }
    let steward = &founded[0].0;
    let store = site.store();
    let found = store.person_by_first_factor(&steward.oidc_issuer, &steward.oidc_subject).await;
    assert_eq!(found.unwrap().for_decision(), steward);
    let organisation = site.store().organisation(steward.organisation_id).await.unwrap();
    assert_eq!(organisation.for_decision().kind, OrganisationKind::Producer);
    assert_eq!(site.names_since(0).await, ["organisation_registered", "person_registered"]);
    assert!(site.events().await.iter().all(|event| event.actor == Actor::System {}));
}

pub(crate) async fn au_2_a_first_factor_belongs_to_one_person(site: &mut Site) {
    let steward = site.found().await;
    let (first, _) = site.register(&steward, steward.person.organisation_id, &[]).await;
    let mark = site.mark().await;

    let mut second = person(site.now(), steward.person.organisation_id, &[]);
    second.oidc_subject = first.oidc_subject.clone();
    let invitation = site.invitation(&second);
    let permit = site.permit::<RegisterPerson>(&steward, TheSite).await;
    let refused = site.store().register_person(permit, second.clone(), invitation.clone()).await;
    assert_eq!(conflict(refused), "SUBJECT_TAKEN");

    assert!(is_unknown(&site.store().person(second.person_id).await));
    assert!(is_unknown(&site.store().invitation(&invitation.code_sha256, site.now()).await));
    assert_eq!(site.names_since(mark).await, [""; 0]);
    // The same subject at another issuer is somebody else.
    second.oidc_issuer = "https://other.example".to_owned();
    let permit = site.permit::<RegisterPerson>(&steward, TheSite).await;
    site.store().register_person(permit, second.clone(), invitation).await.unwrap();
    assert_eq!(site.names_since(mark).await, ["person_registered"]);
    assert_eq!(site.events().await.last().unwrap().actor, steward.actor());
}

pub(crate) async fn an_invitation_is_spent_once(site: &mut Site) {
    let steward = site.found().await;
    let (invited, invitation) = site.register(&steward, steward.person.organisation_id, &[]).await;
    let (bystander, _) = site.register(&steward, steward.person.organisation_id, &[]).await;
    let late = invitation.expires_at;
    assert!(is_unknown(&site.store().invitation(&invitation.code_sha256, late).await));
    assert!(site.store().invitation(&invitation.code_sha256, late.plus_seconds(-1)).await.is_ok());
    let mark = site.mark().await;

    let actor = Actor::Anonymous { peer: None };
    let anothers = credential(&bystander, "authenticator", site.now());
    let request_id = RequestId::new(site.now());
    let store = site.store();
    let refused = store.enrol_credential(invitation.clone(), anothers, request_id, actor).await;
    assert_eq!(conflict(refused), "INVITATION_SPENT", "it was given to somebody else");

    let outcomes = at_once((0..8).map(|number| {
        let credential = credential(&invited, &format!("authenticator {number}"), site.now());
        let (store, request_id) = (site.store(), RequestId::new(site.now()));
        let invitation = invitation.clone();
        async move { store.enrol_credential(invitation, credential, request_id, actor).await }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(outcome), "INVITATION_SPENT");
    }
    assert_eq!(site.store().credentials(invited.person_id).await.unwrap().len(), 1);
    assert!(is_unknown(&site.store().invitation(&invitation.code_sha256, site.now()).await));
    assert_eq!(site.names_since(mark).await, ["credential_enrolled"]);
}

pub(crate) async fn au_2_same_credential_on_two_persons_is_refused(site: &mut Site) {
    let steward = site.found().await;
    let first = site.join(&steward, steward.person.organisation_id, &[]).await;
    let (second, invitation) = site.register(&steward, steward.person.organisation_id, &[]).await;
    let mark = site.mark().await;

    let same = CredentialRecord { person_id: second.person_id, ..first.credential.clone() };
    let (request_id, actor) = (RequestId::new(site.now()), Actor::Anonymous { peer: None });
    let refused = site.store().enrol_credential(invitation.clone(), same, request_id, actor).await;
    assert_eq!(conflict(refused), "CREDENTIAL_TAKEN");

    let kept = site.store().credentials(first.person.person_id).await.unwrap();
    assert_eq!(kept, [first.credential]);
    assert!(site.store().credentials(second.person_id).await.unwrap().is_empty());
    // What failed took nothing with it: the invitation can still be used.
    site.store().invitation(&invitation.code_sha256, site.now()).await.unwrap();
    assert_eq!(site.names_since(mark).await, [""; 0]);
}

pub(crate) async fn au_2_of_two_answers_with_one_counter_one_counts(site: &mut Site) {
    let login = site.found().await;
    let mark = site.mark().await;
    let outcomes = at_once((0..6).map(|_| {
        let before = login.credential.clone();
        let after =
            CredentialRecord { passkey_json: "{\"counter\":1}".to_owned(), ..before.clone() };
        let event = Event {
            at: site.now(),
            request_id: None,
            actor: login.actor(),
            kind: EventKind::StepUp {
                decision_sha256: "00".to_owned(),
                method: "method".to_owned(),
                evidence: "{}".to_owned(),
            },
        };
        let store = site.store();
        async move { store.record_step_up(CredentialUse { before, after }, event).await }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(outcome), "CREDENTIAL_IN_USE");
    }
    assert_eq!(site.names_since(mark).await, ["step_up"]);
    // Nor does the spent state open a session.
    let refused = site.log_in(&login.person, &login.credential).await;
    assert_eq!(conflict(refused), "CREDENTIAL_IN_USE");
    let kept = site.store().credentials(login.person.person_id).await.unwrap();
    assert_eq!(kept[0].passkey_json, "{\"counter\":1}");
    assert_eq!(site.names_since(mark).await, ["step_up"]);
}

pub(crate) async fn au_2_removal_ends_sessions_and_invitations_at_once(site: &mut Site) {
    let steward = site.found().await;
    let producer = steward.person.organisation_id;
    let leaving = site.join(&steward, producer, &[Role::Steward]).await;
    let second_session = site.log_in(&leaving.person, &leaving.credential).await.unwrap();
    let (uninvited, invitation) = site.register(&steward, producer, &[]).await;
    let effect = site.permit::<RegisterOrganisation>(&leaving, TheSite).await;
    let read = site.permit::<ReadLog>(&leaving, TheSite).await;
    let mark = site.mark().await;

    for (person, reason) in [(&leaving.person, "left"), (&uninvited, "never came")] {
        let permit = site.permit::<RemovePerson>(&steward, TheSite).await;
        let removed = site.store().remove_person(permit, person.person_id, reason.to_owned()).await;
        assert!(!removed.unwrap().into_inner().active);
    }

    for session_id in [leaving.session_id, second_session] {
        let (record, person) = site.store().session(session_id).await.unwrap();
        assert!(record.ended_at.is_some() && !person.active);
        let admitted = ActiveSession::admit(record, person, site.now());
        assert_eq!(admitted.unwrap_err(), SessionEnded::Ended);
    }
    assert!(is_unknown(&site.store().invitation(&invitation.code_sha256, site.now()).await));
    // What was decided before has no effect any more, and reads nothing.
    let late = organisation(site.now(), OrganisationKind::UserOrg);
    assert!(is_cut(&site.store().register_organisation(effect, late.clone()).await));
    assert!(is_unknown(&site.store().organisation(late.organisation_id).await));
    assert!(is_cut(&site.store().export(read, 0, 1).await));

    let events = site.since(mark).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["person_removed", "session_ended", "session_ended", "person_removed"]);
    assert!(events.iter().all(|event| event.actor == steward.actor()));
    for event in &events[1..3] {
        let EventKind::SessionEnded { cause, .. } = &event.kind else { panic!("{event:?}") };
        assert_eq!(*cause, SessionEnd::PersonRemoved);
    }
}

pub(crate) async fn au_2_nothing_decided_before_a_removal_happens_after_it(site: &mut Site) {
    let steward = site.found().await;
    for _ in 0..3 {
        let leaving = site.join(&steward, steward.person.organisation_id, &[Role::Steward]).await;
        removal_race(site, &steward, &leaving).await;
    }
}

/// Many permits of one person are spent while somebody takes that person off the roster.
async fn removal_race(site: &Site, steward: &Login, leaving: &Login) {
    let mut permits = Vec::new();
    for _ in 0..40 {
        permits.push(site.permit::<RegisterOrganisation>(leaving, TheSite).await);
    }
    let removal = site.permit::<RemovePerson>(steward, TheSite).await;
    let (store, person_id) = (site.store(), leaving.person.person_id);
    let mut removal = Some(async move {
        store.remove_person(removal, person_id, "left".to_owned()).await.unwrap();
    });
    let mut running = Vec::new();
    let mut removing = None;
    for (number, permit) in permits.into_iter().enumerate() {
        if number == 20 {
            removing = removal.take().map(tokio::spawn);
        }
        let organisation = organisation(site.now(), OrganisationKind::UserOrg);
        let store = site.store();
        running.push(tokio::spawn(async move {
            let id = organisation.organisation_id;
            (id, store.register_organisation(permit, organisation).await.map(|_| ()))
        }));
    }
    removing.unwrap().await.unwrap();
    let mut done = 0;
    for task in running {
        let (id, outcome) = task.await.unwrap();
        match outcome {
            Ok(()) => {
                done += 1;
                site.store().organisation(id).await.unwrap();
            }
            refused => {
                assert!(is_cut(&refused), "{refused:?}");
                assert!(is_unknown(&site.store().organisation(id).await));
            }
        }
    }
    let events = site.events().await;
    let removed = events
        .iter()
        .position(|event| matches!(event.kind, EventKind::PersonRemoved { person_id: id, .. } if id == person_id))
        .unwrap();
    let theirs = |event: &&Event| {
        let registered = matches!(event.kind, EventKind::OrganisationRegistered { .. });
        registered && event.actor == leaving.actor()
    };
    assert_eq!(events[..removed].iter().filter(theirs).count(), done);
    assert_eq!(events[removed..].iter().filter(theirs).count(), 0);
}

pub(crate) async fn au_2_somebody_removed_while_logging_in_gets_no_session(site: &mut Site) {
    let steward = site.found().await;
    let leaving = site.join(&steward, steward.person.organisation_id, &[]).await;
    let permit = site.permit::<RemovePerson>(&steward, TheSite).await;
    site.store().remove_person(permit, leaving.person.person_id, String::new()).await.unwrap();
    let mark = site.mark().await;
    assert!(is_cut(&site.log_in(&leaving.person, &leaving.credential).await));
    assert_eq!(site.names_since(mark).await, [""; 0]);
}

pub(crate) async fn lg_3_an_alert_cuts_access_in_its_own_transaction(site: &mut Site) {
    let steward = site.found().await;
    let suspect = site.join(&steward, steward.person.organisation_id, &[Role::Steward]).await;
    let permit = site.permit::<ListPeople>(&suspect, TheSite).await;
    let held = site.permit::<RegisterOrganisation>(&suspect, TheSite).await;
    drop(permit);
    let alert = |access_cut| Alert {
        alert_id: AlertId::new(site.now()),
        rule: "denied_burst".to_owned(),
        person_id: Some(suspect.person.person_id),
        session_id: Some(suspect.session_id),
        worker_id: None,
        peer: None,
        summary: "summary".to_owned(),
        entry_index: 1,
        raised_at: site.now(),
        access_cut,
    };
    let mark = site.mark().await;
    site.store().raise_alert(alert(false)).await.unwrap();
    assert!(site.store().session(suspect.session_id).await.unwrap().0.ended_at.is_none());
    site.store().raise_alert(alert(true)).await.unwrap();
    assert!(site.store().session(suspect.session_id).await.unwrap().0.ended_at.is_some());
    let late = organisation(site.now(), OrganisationKind::UserOrg);
    assert!(is_cut(&site.store().register_organisation(held, late).await));

    let events = site.since(mark).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["alert_raised", "alert_raised", "session_ended"]);
    let EventKind::SessionEnded { session_id, cause, reason } = &events[2].kind else { panic!() };
    assert_eq!(*session_id, suspect.session_id);
    assert_eq!((*cause, reason.as_str()), (SessionEnd::Alert, "denied_burst"));
    assert_eq!(events[2].actor, Actor::System {});
    // Others go on working.
    site.caller(&steward).await;
}

pub(crate) async fn a_session_is_ended_by_its_holder_or_the_watch(site: &mut Site) {
    let steward = site.found().await;
    let producer = steward.person.organisation_id;
    let watch = site.join(&steward, producer, &[Role::SecurityWatch]).await;
    let somebody = site.join(&steward, producer, &[]).await;
    let mark = site.mark().await;
    let permit = site.permit::<RevokeSession>(&watch, TheSite).await;
    let store = site.store();
    store.revoke_session(permit, somebody.session_id, "odd".to_owned()).await.unwrap();
    let first_end = site.store().session(somebody.session_id).await.unwrap().0.ended_at;
    assert!(first_end.is_some());
    // Ending it again changes nothing; an unknown one is unknown.
    let permit = site.permit::<RevokeSession>(&watch, TheSite).await;
    site.store().revoke_session(permit, somebody.session_id, String::new()).await.unwrap();
    assert_eq!(site.store().session(somebody.session_id).await.unwrap().0.ended_at, first_end);
    let unknown = sekisho_domain::SessionId::new(site.now());
    let permit = site.permit::<RevokeSession>(&watch, TheSite).await;
    assert!(is_unknown(&site.store().revoke_session(permit, unknown, String::new()).await));

    let permit = site.permit::<Logout>(&watch, TheSite).await;
    let second = site.permit::<Logout>(&watch, TheSite).await;
    site.store().logout(permit, watch.session_id).await.unwrap();
    assert!(is_cut(&site.store().logout(second, watch.session_id).await));
    assert_eq!(site.names_since(mark).await, ["session_ended"; 3]);
    let page = PageRequest::new(0, "");
    let permit = site.permit::<ListPeople>(&steward, TheSite).await;
    let people = site.store().people(permit, &page).await.unwrap().into_inner();
    assert!(people.items.iter().all(|person| person.active), "a cut session removes nobody");
}
