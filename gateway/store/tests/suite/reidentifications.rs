//! Orders of re-identification: two persons, in time, and one trace each.

use sekisho_access::{
    action::{
        CloseProject, ConfirmReidentification, FetchReidentification, HoldTrace, LeaseTrace,
        OrderReidentification, RegisterDataset,
    },
    resource::{
        ProjectResource, ReidentificationRegister, ReidentificationResource, Site as TheSite,
    },
};
use sekisho_audit::EventKind;
use sekisho_domain::{
    FailureClass, GrantedTable, JoinedDataset, LeaseId, PersonId, Reidentification,
    ReidentificationId, ReidentificationState, Role,
    dataset::InformationKind,
    reidentification::{
        CONFIRM_WITHIN, InquiryPurpose, InquiryRecipient, ReidentificationOrder, SignedOrder,
    },
    run::MAX_ATTEMPTS,
};
use sekisho_store::StoreError;

use super::{
    closing::keys,
    conflict,
    site::{BEGINNING, Login, Site},
    study::{Study, dataset, sha256},
};

/// An order of the steward for a released output of a new study, and a second steward.
async fn ordered(site: &Site) -> (Study, Login, Reidentification) {
    let study = Study::begin(site).await;
    let producer = study.steward.person.organisation_id;
    let second = site.join(&study.steward, producer, &[Role::Steward]).await;
    let ordered = ordered_of(site, &study).await;
    (study, second, ordered)
}

/// An order of the steward for a released output of a study.
async fn ordered_of(site: &Site, study: &Study) -> Reidentification {
    let run = study.succeeded(site, b"an output").await;
    let release = study.released(site, &run).await;
    let order = ReidentificationOrder {
        reidentification_id: ReidentificationId::new(site.now()),
        case_number: "PMDA-2026-1".parse().unwrap(),
        recipient: InquiryRecipient::Pmda,
        purpose: InquiryPurpose::Approval,
        project_id: release.project_id,
        release_id: release.release_id,
        run_id: run.run_id,
        datasets: vec![],
        output: "km".to_owned(),
        key: vec![],
        output_sha256: sha256(b"an output"),
        patients: 12,
        ordered_by: study.steward.person.person_id,
        ordered_at: site.now(),
    };
    let wanted = Reidentification {
        order,
        order_sha256: sha256(b"the order"),
        state: ReidentificationState::Ordered,
        expires_at: site.now().plus_seconds(CONFIRM_WITHIN),
        signed: None,
        lease: None,
        attempts: 0,
        tokens_sha256: None,
    };
    let permit =
        site.permit::<OrderReidentification>(&study.steward, ReidentificationRegister).await;
    let ordered = site.store().order_reidentification(permit, wanted).await.unwrap();
    ordered.into_inner()
}

fn resource(study: &Study, ordered: &Reidentification) -> ReidentificationResource {
    ReidentificationResource {
        reidentification_id: ordered.order.reidentification_id,
        ordered_by: ordered.order.ordered_by,
        held_by: Some(study.worker),
    }
}

/// `by` is whom the store is told; the permit is the second steward's.
async fn confirm(
    site: &Site,
    (study, second, ordered): (&Study, &Login, &Reidentification),
    by: PersonId,
    digest: &str,
) -> Result<(), StoreError> {
    let resource = resource(study, ordered);
    let permit = site.permit::<ConfirmReidentification>(second, resource).await;
    let signed = SignedOrder {
        json: "{}".to_owned(),
        sha256: sha256(b"{}"),
        signature: String::new(),
        confirmed_by: by,
    };
    let done = site.store().confirm_reidentification(permit, digest.to_owned(), signed).await;
    done.map(drop)
}

async fn state(site: &Site, ordered: &Reidentification) -> ReidentificationState {
    let id = ordered.order.reidentification_id;
    site.store().reidentification(id).await.unwrap().for_decision().state
}

pub(crate) async fn ri_2_another_person_confirms_that_very_order_in_time(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    let all = (&study, &second, &order);
    let (digest, other) = (order.order_sha256.clone(), second.person.person_id);
    let own = confirm(site, all, study.steward.person.person_id, &digest).await;
    assert_eq!(conflict(own), "SAME_PERSON");
    assert_eq!(conflict(confirm(site, all, other, "00").await), "OTHER_ORDER");
    confirm(site, all, other, &digest).await.unwrap();
    assert_eq!(conflict(confirm(site, all, other, &digest).await), "WRONG_STATE");
}

pub(crate) async fn ri_2_an_order_that_nobody_confirms_in_time_is_over(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    // Sessions last eight hours; the order's own time is what is looked at.
    let late = order.expires_at;
    site.store().tend_reidentifications(late.plus_seconds(-1)).await.unwrap();
    assert_eq!(state(site, &order).await, ReidentificationState::Ordered);
    site.store().tend_reidentifications(late).await.unwrap();
    assert_eq!(state(site, &order).await, ReidentificationState::Expired);
    let digest = order.order_sha256.clone();
    let confirmed = confirm(site, (&study, &second, &order), second.person.person_id, &digest);
    assert_eq!(conflict(confirmed.await), "WRONG_STATE");
}

pub(crate) async fn sv_3_closing_a_project_refuses_its_orders(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    let digest = order.order_sha256.clone();
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    let lease_id = lease(site, &study).await;
    hold(site, &study, &order, lease_id).await.unwrap();
    close(site, &study).await;
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);
    assert_eq!(conflict(hold(site, &study, &order, lease_id).await), "LEASE_LOST");
    assert!(site.store().trace_under(lease_id).await.unwrap().is_none(), "its worker must stop");
}

pub(crate) async fn sv_3_closing_a_project_erases_sealed_tokens(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    let digest = order.order_sha256.clone();
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    let lease_id = lease(site, &study).await;
    let worker = site.worker(study.worker);
    let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
    site.store().complete_trace(permit, lease_id, b"tokens".to_vec()).await.unwrap();
    // A worker that heard no answer says it again, and other tokens come too late.
    let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
    site.store().complete_trace(permit, lease_id, b"tokens".to_vec()).await.unwrap();
    let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
    let late = site.store().complete_trace(permit, lease_id, b"others".to_vec()).await;
    assert_eq!(conflict(late), "LEASE_LOST");
    let id = order.order.reidentification_id.to_string();
    let folder = site.folder.path().join("objects/reidentifications").join(id);
    // One that came while the gateway was killed: no row knows of it.
    std::fs::write(folder.join("00"), b"tokens").unwrap();
    let permit = site.permit::<FetchReidentification>(&second, resource(&study, &order)).await;
    let fetched = site.store().fetch_reidentification(permit).await.unwrap().into_inner();
    assert_eq!(fetched.1, b"tokens");
    // Whoever keeps the object holds what needs the run's key, whatever the zone's key opens.
    let kept = std::fs::read(folder.join(sha256(b"tokens"))).unwrap();
    assert!(!kept.windows(6).any(|bytes| bytes == b"tokens"));
    let run = order.order.run_id.to_string();
    assert!(keys(site).await.iter().any(|(scope, _)| *scope == run));
    close(site, &study).await;
    assert!(!keys(site).await.iter().any(|(scope, _)| *scope == run));
    let permit = site.permit::<FetchReidentification>(&second, resource(&study, &order)).await;
    assert_eq!(conflict(site.store().fetch_reidentification(permit).await), "PROJECT_CLOSED");
    site.store().finish_erasures(site.now()).await.unwrap();
    assert!(std::fs::read_dir(&folder).map_or(0, Iterator::count) == 0);
}

pub(crate) async fn sv_3_an_order_that_cannot_be_read_holds_up_nobody(site: &mut Site) {
    let (spoiled, second, order) = ordered(site).await;
    let other = spoiled.another(site).await;
    let confirmed = ordered_of(site, &other).await;
    let digest = confirmed.order_sha256.clone();
    confirm(site, (&other, &second, &confirmed), second.person.person_id, &digest).await.unwrap();
    let id = order.order.reidentification_id.to_string();
    for state in ["ordered", "confirmed"] {
        sqlx::query("UPDATE reidentification SET state = $1, body = '{' WHERE id = $2")
            .bind(state)
            .bind(&id)
            .execute(&mut site.raw().await)
            .await
            .unwrap();
        site.store().tend_reidentifications(site.now()).await.unwrap();
    }
    assert!(site.store().trace_waits().await.unwrap());
    lease(site, &other).await;
    close(site, &other).await;
    assert_eq!(state(site, &confirmed).await, ReidentificationState::Refused);
    let folder = site.folder.path().join("objects/reidentifications").join(&id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("00"), b"tokens").unwrap();
    close(site, &spoiled).await;
    sqlx::query("UPDATE erasure SET body = '{' WHERE project_id = $1")
        .bind(other.project.project_id.to_string())
        .execute(&mut site.raw().await)
        .await
        .unwrap();
    site.store().finish_erasures(site.now()).await.unwrap();
    assert!(std::fs::read_dir(&folder).map_or(0, Iterator::count) == 0);
}

async fn close(site: &Site, study: &Study) {
    let resource = ProjectResource { terms: study.terms() };
    let permit = site.permit::<CloseProject>(&study.steward, resource).await;
    site.store().close_project(permit, "the study has ended".to_owned()).await.unwrap();
}

pub(crate) async fn ri_2_an_order_whose_run_cannot_be_read_is_refused_and_holds_up_no_other(
    site: &mut Site,
) {
    let (spoilt, second, order) = ordered(site).await;
    let other = spoilt.another(site).await;
    let behind = ordered_of(site, &other).await;
    for (study, order) in [(&spoilt, &order), (&other, &behind)] {
        let (by, digest) = (second.person.person_id, &order.order_sha256);
        confirm(site, (study, &second, order), by, digest).await.unwrap();
    }
    sqlx::query("UPDATE run SET body = '{' WHERE id = $1")
        .bind(order.order.run_id.to_string())
        .execute(&mut site.raw().await)
        .await
        .unwrap();
    let worker = site.worker(other.worker);
    let permit = site.permit_to::<LeaseTrace>(&worker, ReidentificationRegister).await;
    let until = site.now().plus_seconds(60);
    assert!(site.store().lease_trace(permit, other.worker, until).await.unwrap().is_none());
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);
    lease(site, &other).await;
}

pub(crate) async fn lk_3_a_trace_ends_when_its_rule_is_closed(site: &mut Site) {
    const DATE: &str =
        "INSERT INTO linkage_date (rule, opens_at) VALUES ('pseudonymised_public', 0)";
    let (study, second, order) = ordered(site).await;
    join_with_the_ndb(site, &study, &order).await;
    let digest = order.order_sha256.clone();
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    sqlx::query(DATE).execute(&mut site.raw().await).await.unwrap();
    let lease_id = lease(site, &study).await;
    hold(site, &study, &order, lease_id).await.unwrap();
    sqlx::query("DELETE FROM linkage_date").execute(&mut site.raw().await).await.unwrap();
    assert_eq!(conflict(hold(site, &study, &order, lease_id).await), "LEASE_LOST");
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);

    let study = study.another(site).await;
    let order = ordered_of(site, &study).await;
    join_with_the_ndb(site, &study, &order).await;
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    let worker = site.worker(study.worker);
    let permit = site.permit_to::<LeaseTrace>(&worker, ReidentificationRegister).await;
    let until = site.now().plus_seconds(60);
    assert!(site.store().lease_trace(permit, study.worker, until).await.unwrap().is_none());
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);
}

/// Makes the order's run one that joined the NDB's pseudonymised information.
async fn join_with_the_ndb(site: &Site, study: &Study, order: &Reidentification) {
    let granted = |table: &str| GrantedTable {
        table: table.to_owned(),
        columns: vec![],
        row_filter: "".into(),
    };
    let mut joined = dataset("receipts", "v1", BEGINNING);
    (joined.database, joined.holds) = ("ndb".to_owned(), InformationKind::Pseudonymised);
    if site.store().dataset("receipts", None).await.is_err() {
        let permit = site.permit::<RegisterDataset>(&study.steward, TheSite).await;
        site.store().register_dataset(permit, joined).await.unwrap();
    }
    let joined = JoinedDataset {
        dataset_id: "receipts".to_owned(),
        dataset_version: "v1".to_owned(),
        tables: vec![granted("sy")],
    };
    let mut project = study.project.clone();
    (project.agreement.tables, project.agreement.joined) =
        (vec![granted("patients")], vec![joined]);
    let mut module = study.module.clone();
    module.inputs = ["patients", "sy"].map(|table| (table.to_owned(), vec![])).to_vec();
    let mut run = site.store().run(order.order.run_id).await.unwrap().for_decision().clone();
    run.joined = project.agreement.joined.iter().map(JoinedDataset::version).collect();
    for (table, id, body) in [
        ("project", project.project_id.to_string(), serde_json::to_string(&project)),
        ("module", module.module_id.to_string(), serde_json::to_string(&module)),
        ("run", run.run_id.to_string(), serde_json::to_string(&run)),
    ] {
        let update = format!("UPDATE {table} SET body = $1 WHERE id = $2");
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(body.unwrap()).bind(id);
        update.execute(&mut site.raw().await).await.unwrap();
    }
}

/// The study's worker takes the waiting trace.
async fn lease(site: &Site, study: &Study) -> LeaseId {
    let worker = site.worker(study.worker);
    let permit = site.permit_to::<LeaseTrace>(&worker, ReidentificationRegister).await;
    let until = site.now().plus_seconds(60);
    let leased = site.store().lease_trace(permit, study.worker, until).await.unwrap();
    leased.unwrap().1.lease.lease_id
}

async fn hold(
    site: &Site,
    study: &Study,
    order: &Reidentification,
    lease_id: LeaseId,
) -> Result<(), StoreError> {
    let worker = site.worker(study.worker);
    let permit = site.permit_to::<HoldTrace>(&worker, resource(study, order)).await;
    site.store().hold_trace(permit, lease_id, site.now().plus_seconds(60)).await
}

pub(crate) async fn ri_2_a_confirmed_order_is_traced_once_and_given_up_in_the_end(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    assert!(!site.store().trace_waits().await.unwrap(), "one person is not two");
    let digest = order.order_sha256.clone();
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    for attempt in 1..=MAX_ATTEMPTS {
        assert!(site.store().trace_waits().await.unwrap());
        let worker = site.worker(study.worker);
        let permit = site.permit_to::<LeaseTrace>(&worker, ReidentificationRegister).await;
        let until = site.now().plus_seconds(60);
        let leased = site.store().lease_trace(permit, study.worker, until).await.unwrap();
        let (found, leased) = leased.unwrap();
        assert_eq!(found.attempts, attempt);
        assert!(!site.store().trace_waits().await.unwrap(), "it has one worker at a time");
        let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
        let (lease_id, class) = (leased.lease.lease_id, FailureClass::Environment);
        site.store().fail_trace(permit, lease_id, class).await.unwrap();
        let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
        let again = site.store().complete_trace(permit, lease_id, b"tokens".to_vec()).await;
        assert_eq!(conflict(again), "LEASE_LOST");
    }
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);
    assert_eq!(lost(site).await, MAX_ATTEMPTS as usize, "each time it was given back");
    let permit = site.permit::<FetchReidentification>(&second, resource(&study, &order)).await;
    assert_eq!(conflict(site.store().fetch_reidentification(permit).await), "WRONG_STATE");
}

pub(crate) async fn ri_2_a_trace_whose_lease_ran_out_is_handed_out_again(site: &mut Site) {
    let (study, second, order) = ordered(site).await;
    let digest = order.order_sha256.clone();
    confirm(site, (&study, &second, &order), second.person.person_id, &digest).await.unwrap();
    let lease_id = lease(site, &study).await;
    site.store().tend_reidentifications(site.now().plus_seconds(59)).await.unwrap();
    assert!(!site.store().trace_waits().await.unwrap());
    site.store().tend_reidentifications(site.now().plus_seconds(60)).await.unwrap();
    assert!(site.store().trace_waits().await.unwrap());
    assert_eq!(lost(site).await, 1);
    assert_eq!(conflict(hold(site, &study, &order, lease_id).await), "LEASE_LOST");
    // What the run itself broke ends it, and was not given back.
    let lease_id = lease(site, &study).await;
    let worker = site.worker(study.worker);
    let permit = site.permit_to::<HoldTrace>(&worker, resource(&study, &order)).await;
    let class = FailureClass::ContractViolation;
    site.store().fail_trace(permit, lease_id, class).await.unwrap();
    assert_eq!(state(site, &order).await, ReidentificationState::Refused);
    assert_eq!(lost(site).await, 1);
}

/// How often a trace left its worker without an end.
async fn lost(site: &Site) -> usize {
    let events = site.events().await;
    events.iter().filter(|event| matches!(event.kind, EventKind::TraceLost { .. })).count()
}
