//! Close-out: after it nothing decrypts, and the record says so.

use sekisho_access::{
    action::{CloseProject, ReadErasure, SubmitModule},
    resource::ProjectResource,
};
use sekisho_audit::{Checkpoint, EventKind, verify_inclusion};
use sekisho_domain::{Erasure, Project, ProjectId, ReviewState, Verdict};
use sekisho_store::StoreError;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::{
    conflict,
    log::holding,
    site::{Site, signer},
    study::{Study, project, record, terms},
};

async fn close(site: &Site, study: &Study) -> Result<Project, StoreError> {
    let resource = ProjectResource { terms: study.terms() };
    let permit = site.permit::<CloseProject>(&study.steward, resource).await;
    let closed = site.store().close_project(permit, "asked by the producer".to_owned()).await;
    closed.map(|project| project.into_inner())
}

/// Every wrapped key in the database, by scope.
pub(super) async fn keys(site: &Site) -> Vec<(String, Vec<u8>)> {
    let rows = sqlx::query("SELECT scope, wrapped FROM wrapped_key ORDER BY scope")
        .fetch_all(&mut site.raw().await)
        .await
        .unwrap();
    let key = |row: &sqlx::any::AnyRow| (row.get("scope"), row.get("wrapped"));
    rows.iter().map(key).collect()
}

async fn states(site: &Site, query: &'static str) -> Vec<String> {
    let rows = sqlx::query(query).fetch_all(&mut site.raw().await).await.unwrap();
    rows.iter().map(|row| row.get("state")).collect()
}

/// A study with a released run, one under review, one running and one waiting.
pub(super) async fn busy(site: &Site) -> Study {
    let study = Study::begin(site).await;
    for verdicts in [&[Verdict::Approve, Verdict::Approve][..], &[]] {
        let order = study.order(site, &study.researcher);
        study.place(site, &study.researcher, order).await.unwrap();
        let leased = study.lease(site).await.unwrap();
        let run = study.complete(site, &leased, b"an output").await.unwrap();
        let request = study.request(site, &run).await.unwrap();
        for (reviewer, verdict) in study.reviewers.iter().zip(verdicts) {
            study.vote(site, reviewer, &request, *verdict).await.unwrap();
        }
    }
    for _ in 0..2 {
        let order = study.order(site, &study.researcher);
        study.place(site, &study.researcher, order).await.unwrap();
    }
    study.lease(site).await.unwrap();
    study
}

pub(crate) async fn sv_3_after_close_out_no_key_is_left_in_any_file(site: &mut Site) {
    let study = busy(site).await;
    let before = keys(site).await;
    assert!(before.len() >= 6, "{} keys", before.len());
    // A server keeps its journal until it is recycled; its tables lie in `base`.
    let tables = match site.socket {
        Some(_) => {
            sqlx::query("CHECKPOINT").execute(&mut site.raw().await).await.unwrap();
            site.database_files.join("base")
        }
        None => site.folder.path().to_owned(),
    };
    for (scope, wrapped) in &before {
        assert!(!holding(&tables, wrapped).is_empty(), "{scope} was there");
    }
    let objects = site.folder.path().join("objects");
    let sealed = holding(&objects, b"SKSE");
    assert!(sealed.len() >= 6, "sealed objects were there");
    // What a crash between an output and its row left behind goes too.
    let output = sealed.iter().find(|path| path.contains("/outputs/")).unwrap();
    std::fs::copy(output, std::path::Path::new(output).with_file_name("orphan")).unwrap();

    close(site, &study).await.unwrap();
    site.store().finish_erasures(site.now()).await.unwrap();
    assert_eq!(keys(site).await, []);
    assert_eq!(holding(&objects, b"SKSE"), Vec::<String>::new());
    for (scope, wrapped) in &before {
        assert_eq!(holding(&tables, wrapped), Vec::<String>::new(), "{scope}");
    }
}

pub(crate) async fn sv_3_closing_ends_what_was_under_way(site: &mut Site) {
    let study = busy(site).await;
    let mark = site.events().await.len();
    let project = close(site, &study).await.unwrap();
    assert_eq!(project.closure.unwrap().by, Some(study.steward.person.person_id));
    let runs = states(site, "SELECT state FROM run ORDER BY id").await;
    let cancelled = runs.iter().filter(|state| **state == "cancelled").count();
    assert_eq!((runs.len(), cancelled), (4, 2), "{runs:?}");
    let requests = states(site, "SELECT state FROM review_request ORDER BY id").await;
    assert_eq!(requests, ["released", "withdrawn"]);
    let kinds: Vec<_> = site.since(mark).await.into_iter().map(|event| event.kind).collect();
    assert!(matches!(kinds.last(), Some(EventKind::ProjectClosed { .. })), "{kinds:?}");
    let withdrawn = kinds.iter().any(|kind| {
        matches!(kind, EventKind::ReviewDecided { outcome: ReviewState::Withdrawn, .. })
    });
    assert!(withdrawn, "{kinds:?}");
}

pub(crate) async fn sv_3_nothing_is_added_to_a_closed_project(site: &mut Site) {
    let study = busy(site).await;
    // Permitted before, done after.
    let resource = ProjectResource { terms: study.terms() };
    let submitting = site.permit::<SubmitModule>(&study.researcher, resource).await;
    let starting = study.start_permit(site, &study.researcher).await;
    let again = ProjectResource { terms: study.terms() };
    let closing = site.permit::<CloseProject>(&study.steward, again).await;
    close(site, &study).await.unwrap();

    let module = study.module.clone();
    let late = site.store().submit_module(submitting, module, b"late", "name = 'late'").await;
    assert_eq!(conflict(late), "PROJECT_CLOSED");
    let order = study.order(site, &study.researcher);
    assert_eq!(conflict(site.store().start_run(starting, order).await), "PROJECT_CLOSED");
    let twice = site.store().close_project(closing, "twice".to_owned()).await;
    assert_eq!(conflict(twice), "PROJECT_CLOSED");
}

pub(crate) async fn sv_3_the_erasure_record_is_proved_by_the_log(site: &mut Site) {
    let study = busy(site).await;
    let resource = || ProjectResource { terms: study.terms() };
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    let open = site.store().erasure(permit).await;
    assert!(matches!(open, Err(StoreError::NotFound(_))));
    close(site, &study).await.unwrap();
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    let proof = site.store().erasure(permit).await.unwrap().into_inner();
    assert!(!proof.removed);
    let erasure: Erasure = serde_json::from_str(&proof.erasure_json).unwrap();
    assert_eq!((erasure.rule.as_str(), erasure.entry_index), ("SV-3", proof.entry_index));
    assert!(erasure.keys.contains(&study.project.project_id.to_string()));
    assert!(erasure.objects.iter().any(|name| name.starts_with("outputs/")));
    let head = Checkpoint::verify(&proof.checkpoint, signer().verifier()).unwrap().head;
    verify_inclusion(&proof.entry, proof.entry_index, &head, &proof.inclusion).unwrap();
    let sha256 = hex::encode(Sha256::digest(&proof.erasure_json));
    assert!(String::from_utf8(proof.entry).unwrap().contains(&sha256));
    site.store().finish_erasures(site.now()).await.unwrap();
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    assert!(site.store().erasure(permit).await.unwrap().into_inner().removed);
}

pub(crate) async fn sv_3_an_erasure_that_was_cut_off_is_finished_later(site: &mut Site) {
    let study = busy(site).await;
    close(site, &study).await.unwrap();
    site.close();
    site.open().await.unwrap();
    let objects = site.folder.path().join("objects");
    assert!(!holding(&objects, b"SKSE").is_empty());
    // One of them was removed before the cut.
    let any = holding(&objects, b"SKSE").remove(0);
    std::fs::remove_file(any).unwrap();
    site.store().finish_erasures(site.now()).await.unwrap();
    assert_eq!(holding(&objects, b"SKSE"), Vec::<String>::new());
}

pub(crate) async fn sv_3_an_erasure_that_cannot_be_finished_holds_up_no_other(site: &mut Site) {
    let study = busy(site).await;
    let other = project(site, &[&study.researcher]);
    record(site, &study.steward, &other).await;
    close(site, &study).await.unwrap();
    let resource = ProjectResource { terms: terms(&other) };
    let permit = site.permit::<CloseProject>(&study.steward, resource).await;
    site.store().close_project(permit, "over".to_owned()).await.unwrap();
    let mark = site.mark().await;

    let stuck = holding(&site.folder.path().join("objects"), b"SKSE").remove(0);
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir_all(std::path::Path::new(&stuck).join("in the way")).unwrap();
    assert!(site.store().finish_erasures(site.now()).await.is_err());
    let removed = |events: Vec<sekisho_audit::Event>| -> Vec<_> {
        let kinds = events.into_iter().map(|event| event.kind);
        kinds
            .map(|kind| match kind {
                EventKind::ErasureFinished { project_id } => project_id,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(removed(site.since(mark).await), [other.project_id]);

    std::fs::remove_dir_all(&stuck).unwrap();
    for _ in 0..2 {
        site.store().finish_erasures(site.now()).await.unwrap();
    }
    let both = [other.project_id, study.project.project_id];
    assert_eq!(removed(site.since(mark).await), both, "each once");
}

/// PostgreSQL alone keeps old rows for whoever may still see them.
pub(crate) async fn sv_3_an_erasure_waits_for_whoever_still_sees_the_keys(site: &mut Site) {
    let study = busy(site).await;
    let mut reader = site.raw().await;
    for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM wrapped_key"] {
        sqlx::query(begin).execute(&mut reader).await.unwrap();
    }
    close(site, &study).await.unwrap();
    let resource = || ProjectResource { terms: study.terms() };
    let early = site.store().finish_erasures(site.now()).await;
    assert_eq!(conflict(early), "SNAPSHOT_HELD");
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    assert!(!site.store().erasure(permit).await.unwrap().into_inner().removed);

    sqlx::query("ROLLBACK").execute(&mut reader).await.unwrap();
    site.store().finish_erasures(site.now()).await.unwrap();
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    assert!(site.store().erasure(permit).await.unwrap().into_inner().removed);
}

pub(crate) async fn ag_6_a_project_is_closed_after_its_period(site: &mut Site) {
    let study = busy(site).await;
    let end = study.project.agreement.period_end;
    let store = site.store();
    let closed = |now| {
        let store = store.clone();
        async move {
            let ended = store.close_ended_projects(now, 60).await.unwrap().into_iter();
            ended.map(|(project_id, done)| done.map(|()| project_id).unwrap()).collect::<Vec<_>>()
        }
    };
    assert_eq!(closed(end).await, []);
    assert_eq!(closed(end.plus_seconds(60)).await, [study.project.project_id]);
    assert_eq!(closed(end.plus_seconds(61)).await, [], "once");
    let events = site.events().await;
    let last = events.last().unwrap();
    assert_eq!((last.actor, last.request_id), (sekisho_audit::Actor::System {}, None));
    let project = site.store().project(study.project.project_id).await.unwrap();
    assert_eq!(project.for_decision().closure.clone().unwrap().by, None);
}

pub(crate) async fn ag_6_a_project_that_cannot_be_read_holds_up_no_other(site: &mut Site) {
    let study = busy(site).await;
    let broken = ProjectId::new(site.now().plus_seconds(-1));
    sqlx::query("INSERT INTO project (id, body) VALUES ($1, 'not json')")
        .bind(broken.to_string())
        .execute(&mut site.raw().await)
        .await
        .unwrap();
    let end = study.project.agreement.period_end.plus_seconds(60);
    let ended = site.store().close_ended_projects(end, 60).await.unwrap();
    let closed = |(id, done): &(ProjectId, Result<(), StoreError>)| (*id, done.is_ok());
    let ended: Vec<_> = ended.iter().map(closed).collect();
    assert_eq!(ended, [(broken, false), (study.project.project_id, true)]);
}
