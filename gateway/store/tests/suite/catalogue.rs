//! Datasets, agreements, modules, and listings.

use sekisho_access::{
    action::{
        BrowseCatalogue, ListModuleQueue, ListModules, ListPeople, ListProjects, ListRuns,
        ReadModule, RegisterDataset,
    },
    resource::{ProjectResource, Site as TheSite},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    Dataset, ModuleState, Page, PageRequest, Role, Timestamp, module::ModuleEvent,
};

use super::{
    at_once, conflict, is_unknown,
    site::Site,
    study::{self, MANIFEST, Study, dataset, decide, module_resource, sha256, submit},
};

pub(crate) async fn a_dataset_version_never_changes(site: &mut Site) {
    let steward = site.found().await;
    let first = dataset("lung", "v1", site.now());
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    site.store().register_dataset(permit, first.clone()).await.unwrap();
    let mark = site.mark().await;

    let mut changed = first.clone();
    changed.manifest_sha256 = sha256(b"other rows");
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    let refused = site.store().register_dataset(permit, changed).await;
    assert_eq!(conflict(refused), "VERSION_EXISTS");
    let kept = site.store().dataset("lung", Some("v1")).await.unwrap();
    assert_eq!(*kept.for_decision(), first);
    assert_eq!(site.names_since(mark).await, [""; 0]);

    let second = dataset("lung", "v2", site.now());
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    site.store().register_dataset(permit, second.clone()).await.unwrap();
    assert_eq!(*site.store().dataset("lung", None).await.unwrap().for_decision(), second);
    assert_eq!(*site.store().dataset("lung", Some("v1")).await.unwrap().for_decision(), first);
    assert!(is_unknown(&site.store().dataset("lung", Some("v3")).await));
    let events = site.since(mark).await;
    let registered = EventKind::DatasetRegistered {
        dataset_id: "lung".to_owned(),
        version: "v2".to_owned(),
        manifest_sha256: second.manifest_sha256,
        holds: Some(second.holds),
        database: "jisedai".to_owned(),
        id_space: "lung".to_owned(),
    };
    assert_eq!(events[0].kind, registered, "what linkage is decided by is in the log");
}

pub(crate) async fn ct_1_a_late_dataset_is_noted_once_until_a_newer_version_is_there(
    site: &mut Site,
) {
    const DAY: i64 = 86_400;
    let steward = site.found().await;
    let announced = |version: &str, next_update: &str, site: &Site| Dataset {
        next_update: next_update.to_owned(),
        ..dataset("lung", version, site.now())
    };
    let register = async |version: &str, next_update: &str, site: &Site| {
        let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
        let dataset = announced(version, next_update, site);
        site.store().register_dataset(permit, dataset).await.unwrap();
    };
    let noticed = async |version: &str, site: &Site| {
        let found = site.store().dataset("lung", Some(version)).await.unwrap();
        found.for_decision().overdue_since
    };
    // An older version's day does not count once there is a newer one.
    register("v1", "2001-01-01", site).await;
    register("v2", "2031-04-01", site).await;
    let end = Timestamp::start_of_day_in_japan("2031-04-02").unwrap();
    let mark = site.mark().await;
    let note =
        async |at: Timestamp, site: &Site| site.store().note_overdue_datasets(at).await.unwrap();
    assert_eq!(note(end.plus_seconds(-1), site).await, []);
    let alerts = note(end, site).await;
    assert_eq!((alerts.len(), alerts[0].rule.as_str()), (1, "dataset_overdue"));
    assert_eq!(note(end.plus_seconds(DAY), site).await, []);
    assert_eq!((noticed("v1", site).await, noticed("v2", site).await), (None, Some(end)));
    let events = site.since(mark).await;
    let overdue = EventKind::DatasetOverdue {
        dataset_id: "lung".to_owned(),
        version: "v2".to_owned(),
        next_update: "2031-04-01".to_owned(),
    };
    assert_eq!((events.len(), &events[0].kind), (2, &overdue));
    let EventKind::AlertRaised { entry_index, .. } = &events[1].kind else { panic!("{events:?}") };
    let first = mark as u64;
    assert_eq!((*entry_index, alerts[0].entry_index), (first, first));

    register("v3", "no day", site).await;
    assert_eq!(noticed("v2", site).await, None);
    assert_eq!(note(end.plus_seconds(9_000 * DAY), site).await, []);
}

pub(crate) async fn an_agreement_opens_its_project_to_its_handlers(site: &mut Site) {
    let steward = site.found().await;
    let user = sekisho_domain::OrganisationId::new(site.now());
    let handler = site.join(&steward, user, &[Role::Handler]).await;
    let stranger = site.join(&steward, user, &[Role::Handler]).await;
    let mark = site.mark().await;
    let project = study::project(site, &[&handler]);
    study::record(site, &steward, &project).await;

    let read = site.store().project(project.project_id).await.unwrap();
    assert_eq!(*read.for_decision(), project);
    let events = site.since(mark).await;
    let EventKind::AgreementRecorded { agreement_id, project_id, agreement_sha256 } =
        &events[0].kind
    else {
        panic!("{events:?}")
    };
    assert_eq!(*agreement_id, project.agreement.agreement_id);
    assert_eq!(*project_id, project.project_id);
    let canonical = serde_json::to_vec(&project.agreement).unwrap();
    assert_eq!(*agreement_sha256, sha256(&canonical));
    assert_eq!(events.len(), 1);

    let page = PageRequest::new(0, "");
    for (login, expected) in [(&handler, vec![project.clone()]), (&stranger, vec![])] {
        let permit = site.permit::<ListProjects>(login, TheSite).await;
        let projects = site.store().own_projects(permit, &page).await.unwrap().into_inner();
        assert_eq!(projects, Page { items: expected, next: None });
    }
    // It has a key: a module can be sealed under it.
    submit(site, &handler, &project).await;
}

pub(crate) async fn a_module_is_decided_once(site: &mut Site) {
    let study = Study::begin(site).await;
    let mark = site.mark().await;
    let module = submit(site, &study.researcher, &study.project).await;
    let queue = site.permit::<ListModuleQueue>(&study.module_reviewer, TheSite).await;
    let waiting = site.store().module_queue(&queue, &PageRequest::new(0, "")).await.unwrap();
    assert_eq!(waiting.for_decision().items, std::slice::from_ref(&module));
    let resource = module_resource(&study.project, &module);
    let permit = site.permit::<ReadModule>(&study.module_reviewer, resource).await;
    assert_eq!(site.store().manifest(&permit, &module).await.unwrap(), MANIFEST);
    let other = &study.module;
    assert!(is_unknown(&site.store().manifest(&permit, other).await), "a permit is for one module");

    let mut permits = Vec::new();
    for number in 0..8 {
        let resource = module_resource(&study.project, &module);
        let permit = site.permit(&study.module_reviewer, resource).await;
        let decision = if number % 2 == 0 { ModuleEvent::Approve } else { ModuleEvent::Refuse };
        permits.push((permit, decision));
    }
    let outcomes = at_once(permits.into_iter().map(|(permit, decision)| {
        let store = site.store();
        async move { store.decide_module(permit, decision, "because".to_owned()).await }
    }))
    .await;
    let (decided, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(decided.len(), 1);
    for outcome in refused {
        assert_eq!(conflict(outcome), "WRONG_STATE");
    }
    let stored = site.store().module(module.module_id).await.unwrap();
    let stored = stored.for_decision();
    assert!(matches!(stored.state, ModuleState::Approved | ModuleState::Refused));
    assert_eq!(stored.decided_by, Some(study.module_reviewer.person.person_id));
    let events = site.since(mark).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["module_submitted", "module_decided"]);
    let EventKind::ModuleDecided { approved, comment_sha256, .. } = &events[1].kind else {
        panic!()
    };
    assert_eq!(*approved, stored.state == ModuleState::Approved);
    assert_eq!(*comment_sha256, sha256(b"because"));
    let again =
        decide(site, &study.module_reviewer, &study.project, &module, ModuleEvent::Approve).await;
    assert_eq!(conflict(again), "WRONG_STATE");
}

pub(crate) async fn listings_page_through_everything_once(site: &mut Site) {
    let study = Study::begin(site).await;
    let steward = &study.steward;
    let versions = [("ehr_b", "v1"), ("ehr-a", "v1"), ("Lung", "v10"), ("lung", "v2"), ("x", "é")];
    for (id, version) in versions {
        let permit = site.permit::<RegisterDataset>(steward, TheSite).await;
        site.store().register_dataset(permit, dataset(id, version, site.now())).await.unwrap();
    }
    let mut expected: Vec<_> = versions.iter().chain(&[("lung", "v1")]).copied().collect();
    expected.sort_by_key(|(id, version)| format!("{id}@{version}"));
    let mut found = Vec::new();
    let mut page = PageRequest::new(2, "");
    loop {
        let permit = site.permit::<BrowseCatalogue>(steward, TheSite).await;
        let Page { items, next } = site.store().datasets(permit, &page).await.unwrap().into_inner();
        found.extend(items.into_iter().map(|dataset| (dataset.dataset_id, dataset.version)));
        page.after = next;
        if page.after.is_none() {
            break;
        }
    }
    let found: Vec<_> = found.iter().map(|(id, version)| (id.as_str(), version.as_str())).collect();
    assert_eq!(found, expected);

    let permit = site.permit::<ListPeople>(steward, TheSite).await;
    let first = PageRequest::new(3, "");
    let people = site.store().people(permit, &first).await.unwrap().into_inner();
    let permit = site.permit::<ListPeople>(steward, TheSite).await;
    let rest = PageRequest { size: 100, after: people.next.clone() };
    let rest = site.store().people(permit, &rest).await.unwrap().into_inner();
    assert_eq!((people.items.len(), rest.items.len(), rest.next), (3, 2, None));
    assert_eq!(people.items[0], steward.person, "who came first is first");
    assert_eq!(rest.items[1], study.reviewers[1].person);

    // Runs and modules: newest first.
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.insert(0, study.start(site).await);
    }
    let mut found = Vec::new();
    let mut page = PageRequest::new(2, "");
    loop {
        let resource = ProjectResource { terms: study.terms() };
        let permit = site.permit::<ListRuns>(steward, resource).await;
        let Page { items, next } = site.store().runs(permit, &page).await.unwrap().into_inner();
        found.extend(items);
        page.after = next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(found, runs);
    let newer = submit(site, &study.researcher, &study.project).await;
    let resource = ProjectResource { terms: study.terms() };
    let permit = site.permit::<ListModules>(steward, resource).await;
    let page = PageRequest::new(0, "");
    let modules = site.store().project_modules(permit, &page).await.unwrap().into_inner();
    assert_eq!(modules, Page { items: vec![newer, study.module.clone()], next: None });
}
