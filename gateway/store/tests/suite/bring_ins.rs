//! Brought-in tables: sealed, decided once, erased when they go, and what that does to runs.

use sekisho_access::{
    action::{
        CloseProject, DecideBringIn, ReadBringInTable, ReadErasure, RevokeSession, StartRun,
        SubmitBringIn, WithdrawBringIn,
    },
    resource::{BringInResource, ProjectResource, RunPlan, Site as TheSite},
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    BringIn, BringInId, BringInState, EndCause, Erasure, ModuleState, Run, RunState,
    bring_in::{BringInDecision, BringInEvent},
};
use sekisho_store::{StoreError, runs::RunOrder};
use sekisho_vault::{Context, open};

use super::{
    conflict, is_cut,
    log::holding,
    site::Site,
    study::{Study, project, record, sha256, terms},
};

const DESCRIPTION: &[u8] = b"table = 'drug_groups' # description of the study";
const CSV: &[u8] = b"drug,group\nA01,a brought-in value of the study\n";

fn table(site: &Site, study: &Study, name: &str) -> BringIn {
    BringIn {
        bring_in_id: BringInId::new(site.now()),
        project_id: study.project.project_id,
        table: name.to_owned(),
        state: BringInState::Submitted,
        description_sha256: sha256(DESCRIPTION),
        table_sha256: sha256(CSV),
        rows: 1,
        size_bytes: CSV.len() as u64,
        submitted_by: study.researcher.person.person_id,
        submitted_at: site.now(),
        decision: None,
        withdrawal: None,
    }
}

async fn submit(site: &Site, study: &Study, name: &str) -> Result<BringIn, StoreError> {
    let resource = ProjectResource { terms: study.terms() };
    let permit = site.permit::<SubmitBringIn>(&study.researcher, resource).await;
    let row = table(site, study, name);
    let submitted = site.store().submit_bring_in(permit, row, DESCRIPTION, CSV).await?;
    Ok(submitted.into_inner())
}

fn resource(study: &Study, found: &BringIn) -> BringInResource {
    let BringIn { bring_in_id, submitted_by, .. } = *found;
    BringInResource { terms: study.terms(), bring_in_id, submitted_by }
}

async fn decide(
    site: &Site,
    study: &Study,
    found: &BringIn,
    event: BringInEvent,
) -> Result<BringIn, StoreError> {
    let permit = site.permit::<DecideBringIn>(&study.steward, resource(study, found)).await;
    let decision = BringInDecision {
        by: study.steward.person.person_id,
        at: site.now(),
        comment: "comment".to_owned(),
        decision_sha256: "00".to_owned(),
    };
    Ok(site.store().decide_bring_in(permit, event, decision).await?.into_inner())
}

async fn approved(site: &Site, study: &Study, name: &str) -> BringIn {
    let found = submit(site, study, name).await.unwrap();
    decide(site, study, &found, BringInEvent::Approve).await.unwrap()
}

async fn withdraw(site: &Site, study: &Study, found: &BringIn) -> Result<BringIn, StoreError> {
    let permit = site.permit::<WithdrawBringIn>(&study.researcher, resource(study, found)).await;
    let withdrawn = site.store().withdraw_bring_in(permit, "a newer list".to_owned()).await?;
    Ok(withdrawn.into_inner())
}

fn tied(site: &Site, study: &Study, found: &BringIn) -> RunOrder {
    let mut order = study.order(site, &study.researcher);
    order.run.bring_ins = vec![found.pinned()];
    order
}

async fn state_of(site: &Site, run: &Run) -> (RunState, Option<EndCause>) {
    let run = site.store().run(run.run_id).await.unwrap();
    (run.for_decision().state, run.for_decision().end_cause)
}

/// Sealed objects of brought-in tables.
fn sealed(site: &Site) -> Vec<String> {
    holding(&site.folder.path().join("objects/bring-ins"), b"SKSE")
}

pub(crate) async fn ag_5_a_table_is_decided_once_and_takes_its_name(site: &mut Site) {
    let study = Study::begin(site).await;
    let first = submit(site, &study, "drug_groups").await.unwrap();
    assert_eq!(sealed(site).len(), 2);
    assert_eq!(conflict(submit(site, &study, "drug_groups").await), "TABLE_TAKEN");
    assert_eq!(sealed(site).len(), 2, "what was refused leaves nothing behind");
    let other = submit(site, &study, "units").await.unwrap();

    let mark = site.mark().await;
    let decided = decide(site, &study, &first, BringInEvent::Approve).await.unwrap();
    assert_eq!(decided.state, BringInState::Approved);
    assert_eq!(decided.decision.unwrap().by, study.steward.person.person_id);
    for event in [BringInEvent::Approve, BringInEvent::Refuse] {
        assert_eq!(conflict(decide(site, &study, &first, event).await), "WRONG_STATE");
    }
    assert_eq!(conflict(submit(site, &study, "drug_groups").await), "TABLE_TAKEN");
    decide(site, &study, &other, BringInEvent::Refuse).await.unwrap();
    assert_eq!(sealed(site).len(), 2, "a refused table is erased");
    submit(site, &study, "units").await.unwrap();
    let kinds: Vec<_> = site.since(mark).await.into_iter().map(|event| event.kind).collect();
    let decided = |kind: &EventKind| match kind {
        EventKind::BringInDecided { approved, table_sha256, .. } => {
            assert_eq!(*table_sha256, sha256(CSV));
            Some(*approved)
        }
        _ => None,
    };
    assert_eq!(kinds.iter().filter_map(decided).collect::<Vec<_>>(), [true, false]);
}

pub(crate) async fn ag_5_a_table_counts_in_its_own_project_only(site: &mut Site) {
    let study = Study::begin(site).await;
    let found = approved(site, &study, "drug_groups").await;
    let waiting = submit(site, &study, "units").await.unwrap();
    let permit = study.start_permit(site, &study.researcher).await;
    let pinned = site.store().approved_bring_ins(&permit, &["drug_groups"]).await;
    assert_eq!(pinned.unwrap(), [found.pinned()]);
    let early = site.store().approved_bring_ins(&permit, &["drug_groups", "units"]).await;
    assert!(early.as_ref().unwrap_err().to_string().contains("units"));
    assert_eq!(conflict(early), "TABLE_NOT_APPROVED");

    let other = project(site, &[&study.researcher]);
    record(site, &study.steward, &other).await;
    let plan = RunPlan {
        terms: terms(&other),
        module_id: study.module.module_id,
        module_state: ModuleState::Approved,
        ungranted: vec![],
        unlinkable: vec![],
    };
    let elsewhere = site.permit::<StartRun>(&study.researcher, plan).await;
    let strange = site.store().approved_bring_ins(&elsewhere, &["drug_groups"]).await;
    assert_eq!(conflict(strange), "TABLE_NOT_APPROVED");
    // Nor by naming it past the look-up.
    let mut order = tied(site, &study, &found);
    order.run.project_id = other.project_id;
    assert_eq!(conflict(site.store().start_run(elsewhere, order).await), "TABLE_NOT_APPROVED");
    let order = tied(site, &study, &waiting);
    assert_eq!(conflict(study.place(site, &study.researcher, order).await), "TABLE_NOT_APPROVED");
}

pub(crate) async fn ag_5_a_lease_carries_exactly_the_tables_of_its_run(site: &mut Site) {
    let study = Study::begin(site).await;
    let found = approved(site, &study, "drug_groups").await;
    approved(site, &study, "units").await;
    let mark = site.mark().await;
    study.place(site, &study.researcher, tied(site, &study, &found)).await.unwrap();
    let asked = site.since(mark).await.pop().unwrap().kind;
    let EventKind::RunRequested { bring_ins, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(bring_ins, [found.pinned()]);

    let leased = study.lease(site).await.unwrap();
    let [carried] = &leased.bring_ins[..] else { panic!("{}", leased.bring_ins.len()) };
    assert_eq!(carried.pinned, found.pinned());
    for (label, sealed, content) in [
        ("bring-in-description", &carried.description, DESCRIPTION),
        ("bring-in-table", &carried.table, CSV),
    ] {
        let context = Context::new(label).text(&found.bring_in_id.to_string());
        assert_eq!(open(&carried.key, &context, sealed).unwrap().as_slice(), content);
        assert!(open(&leased.output_key, &context, sealed).is_err());
    }
    assert_eq!(holding(site.folder.path(), b"brought-in value"), Vec::<String>::new());
    study.start(site).await;
    assert!(study.lease(site).await.unwrap().bring_ins.is_empty());
}

pub(crate) async fn ag_5_a_withdrawn_table_ends_the_runs_tied_to_it(site: &mut Site) {
    let study = Study::begin(site).await;
    let found = approved(site, &study, "drug_groups").await;
    let under_way = study.place(site, &study.researcher, tied(site, &study, &found)).await.unwrap();
    let leased = study.lease(site).await.unwrap();
    let waiting = study.place(site, &study.researcher, tied(site, &study, &found)).await.unwrap();
    let free = study.start(site).await;
    let late = study.start_permit(site, &study.researcher).await;

    let withdrawn = withdraw(site, &study, &found).await.unwrap();
    assert_eq!(withdrawn.state, BringInState::Withdrawn);
    assert_eq!(withdrawn.withdrawal.unwrap().by, Some(study.researcher.person.person_id));
    for run in [&under_way, &waiting] {
        let ended = (RunState::Cancelled, Some(EndCause::TableWithdrawn));
        assert_eq!(state_of(site, run).await, ended);
    }
    assert_eq!(state_of(site, &free).await, (RunState::Queued, None));
    assert_eq!(conflict(study.complete(site, &leased, b"late").await), "LEASE_LOST");
    assert_eq!(sealed(site), Vec::<String>::new());
    let scope = found.bring_in_id.to_string();
    assert!(super::closing::keys(site).await.iter().all(|(name, _)| *name != scope));

    let order = tied(site, &study, &found);
    assert_eq!(conflict(site.store().start_run(late, order).await), "TABLE_NOT_APPROVED");
    assert_eq!(conflict(withdraw(site, &study, &found).await), "WRONG_STATE");
    approved(site, &study, "drug_groups").await;
}

pub(crate) async fn lg_1_a_review_reads_a_table_only_on_record(site: &mut Site) {
    let study = Study::begin(site).await;
    let found = submit(site, &study, "drug_groups").await.unwrap();
    let permit =
        async || site.permit::<ReadBringInTable>(&study.steward, resource(&study, &found)).await;
    let mark = site.mark().await;
    let read = site.store().read_bring_in(permit().await).await.unwrap().into_inner();
    assert_eq!(read.as_slice(), CSV);
    let [event] = &site.since(mark).await[..] else { panic!("one entry") };
    assert!(matches!(&event.kind, EventKind::BringInRead { table_sha256, .. }
        if *table_sha256 == sha256(CSV)));

    let gone = submit(site, &study, "units").await.unwrap();
    let erased = site.permit::<ReadBringInTable>(&study.steward, resource(&study, &gone)).await;
    withdraw(site, &study, &gone).await.unwrap();
    assert_eq!(conflict(site.store().read_bring_in(erased).await), "TABLE_ERASED");
    let before = permit().await;
    let cut = site.permit::<RevokeSession>(&study.steward, TheSite).await;
    site.store().revoke_session(cut, study.steward.session_id, String::new()).await.unwrap();
    assert!(is_cut(&site.store().read_bring_in(before).await));
}

pub(crate) async fn sv_3_closing_a_project_erases_its_tables(site: &mut Site) {
    let study = Study::begin(site).await;
    let found = approved(site, &study, "drug_groups").await;
    let waiting = submit(site, &study, "units").await.unwrap();
    let run = study.place(site, &study.researcher, tied(site, &study, &found)).await.unwrap();
    let before = super::closing::keys(site).await;
    let some = sealed(site).remove(0);
    std::fs::copy(&some, std::path::Path::new(&some).with_file_name("orphan")).unwrap();
    let resource = || ProjectResource { terms: study.terms() };
    let submitting = site.permit::<SubmitBringIn>(&study.researcher, resource()).await;
    let late = table(site, &study, "late");
    let mark = site.mark().await;

    let permit = site.permit::<CloseProject>(&study.steward, resource()).await;
    site.store().close_project(permit, "over".to_owned()).await.unwrap();
    assert_eq!(state_of(site, &run).await, (RunState::Cancelled, Some(EndCause::ProjectClosed)));
    let names = site.names_since(mark).await;
    assert_eq!(names.iter().filter(|name| **name == "bring_in_withdrawn").count(), 2, "{names:?}");
    let late = site.store().submit_bring_in(submitting, late, DESCRIPTION, CSV).await;
    assert_eq!(conflict(late), "PROJECT_CLOSED");
    site.store().finish_erasures(site.now()).await.unwrap();

    assert_eq!(sealed(site), Vec::<String>::new(), "what a crash left behind goes too");
    assert_eq!(super::closing::keys(site).await, []);
    if site.socket.is_none() {
        for (scope, wrapped) in &before {
            assert_eq!(holding(site.folder.path(), wrapped), Vec::<String>::new(), "{scope}");
        }
    }
    let permit = site.permit::<ReadErasure>(&study.steward, resource()).await;
    let proof = site.store().erasure(permit).await.unwrap().into_inner();
    let erasure: Erasure = serde_json::from_str(&proof.erasure_json).unwrap();
    for table in [&found, &waiting] {
        let id = table.bring_in_id.to_string();
        assert!(erasure.keys.contains(&id));
        assert_eq!(erasure.objects.iter().filter(|name| name.contains(&id)).count(), 2);
    }
}
