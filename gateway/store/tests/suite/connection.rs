//! What only a server can do to its clients: lose them.

use std::time::Duration;

use sekisho_access::{
    Refusal,
    action::{BrowseCatalogue, RegisterDataset},
    resource::Site as TheSite,
};
use sekisho_store::StoreError;
use sqlx::Executor;
use tokio::sync::mpsc;

use super::{
    at_once, conflict,
    log::{note, reason},
    site::Site,
    study::dataset,
    wire::{Mode, Wire},
};

/// Ends every connection of the case's database but the one that asks.
async fn terminate(site: &Site) {
    site.raw()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
}

/// Opens the site again over a wire.
async fn over_a_wire(site: &mut Site) -> Wire {
    site.close();
    let wire = Wire::to(site.socket.clone().unwrap()).await;
    site.url = wire.url(&site.url);
    site.open().await.unwrap();
    wire
}

pub(crate) async fn a_lost_connection_is_taken_up_again(site: &mut Site) {
    let steward = site.found().await;
    for round in 0..3 {
        let mark = site.mark().await;
        terminate(site).await;
        // Nothing had begun, so nobody need know.
        let index = site.store().append(vec![note(site, round.to_string())]).await.unwrap();
        assert_eq!(index, mark as u64);
        let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
        let version = dataset("lung", &format!("v{round}"), site.now());
        site.store().register_dataset(permit, version).await.unwrap();
        site.store().dataset("lung", None).await.unwrap();
    }
    // The seat was taken again with the connection.
    let (tap, _receiver) = mpsc::unbounded_channel();
    assert_eq!(conflict(site.another(tap).await), "LOG_IN_USE");

    // Whatever the moment: what was answered is in the log, what is not was refused.
    let mark = site.mark().await;
    let mut writing = Vec::new();
    for number in 0..200 {
        let (store, event) = (site.store(), note(site, format!("during {number}")));
        writing.push(tokio::spawn(async move { store.append(vec![event]).await.is_ok() }));
        if number % 50 == 25 {
            terminate(site).await;
        }
    }
    let mut answered = Vec::new();
    for (number, task) in writing.into_iter().enumerate() {
        if task.await.unwrap() {
            answered.push(format!("during {number}"));
        }
    }
    let events = site.since(mark).await;
    let mut found: Vec<_> = events.iter().map(|event| reason(event).to_owned()).collect();
    found.sort();
    answered.sort();
    assert_eq!(found, answered);
}

pub(crate) async fn a_commit_whose_answer_was_lost_is_found_again(site: &mut Site) {
    let wire = over_a_wire(site).await;
    let steward = site.found().await;
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    let mark = site.mark().await;
    wire.set(Mode::BreakAfterCommit);
    let version = dataset("lung", "v1", site.now());
    site.store().register_dataset(permit, version.clone()).await.unwrap();
    assert_eq!(wire.mode(), Mode::Open, "the wire did break");
    assert_eq!(*site.store().dataset("lung", None).await.unwrap().for_decision(), version);
    assert_eq!(site.names_since(mark).await, ["dataset_registered"]);

    wire.set(Mode::BreakAfterCommit);
    let answers = at_once((0..20).map(|number| {
        let (store, event) = (site.store(), note(site, number.to_string()));
        async move { store.append(vec![event]).await.unwrap() }
    }))
    .await;
    assert_eq!(wire.mode(), Mode::Open);
    let events = site.events().await;
    for (number, index) in answers.into_iter().enumerate() {
        assert_eq!(reason(&events[usize::try_from(index).unwrap()]), number.to_string());
    }
    assert_eq!(events.len(), mark + 21);
}

pub(crate) async fn a_commit_that_was_cut_off_did_not_happen(site: &mut Site) {
    let wire = over_a_wire(site).await;
    let steward = site.found().await;
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    let mark = site.mark().await;
    wire.set(Mode::BreakBeforeCommit);
    let refused = site.store().register_dataset(permit, dataset("lung", "v1", site.now())).await;
    assert!(matches!(refused, Err(StoreError::Log(_))));
    assert_eq!(wire.mode(), Mode::Open, "the wire did break");
    assert!(site.store().dataset("lung", None).await.is_err());
    assert_eq!(site.mark().await, mark);
    let index = site.store().append(vec![note(site, "next".to_owned())]).await.unwrap();
    assert_eq!(index, mark as u64);
}

pub(crate) async fn lg_1_nothing_is_permitted_while_the_database_is_away(site: &mut Site) {
    let wire = over_a_wire(site).await;
    let steward = site.found().await;
    let caller = site.caller(&steward).await;
    let held = site.permit::<RegisterDataset>(&steward, TheSite).await;
    let mark = site.mark().await;
    wire.set(Mode::Down);
    for _ in 0..2 {
        let refused = site.authorizer().authorize::<BrowseCatalogue>(&caller, TheSite).await;
        assert!(matches!(refused, Err(Refusal::Log(_))));
    }
    let refused = site.store().register_dataset(held, dataset("lung", "v1", site.now())).await;
    assert!(matches!(refused, Err(StoreError::Log(_))));

    wire.set(Mode::Open);
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    site.store().register_dataset(permit, dataset("lung", "v1", site.now())).await.unwrap();
    assert_eq!(site.names_since(mark).await, ["dataset_registered"]);
}

pub(crate) async fn a_writer_that_lost_its_seat_writes_nothing(site: &mut Site) {
    site.store().append(vec![note(site, "ours".to_owned())]).await.unwrap();
    let (tap, mut theirs) = mpsc::unbounded_channel();
    let (other, ()) = tokio::join!(site.another(tap), async {
        // The other gateway waits for the seat; ours loses it with its connection.
        tokio::time::sleep(Duration::from_millis(300)).await;
        terminate_writer(site).await;
    });
    let other = other.unwrap();
    let theirs_at = other.append(vec![note(site, "theirs".to_owned())]).await.unwrap();
    assert_eq!(theirs_at, 1);
    let refused = site.store().append(vec![note(site, "lost".to_owned())]).await;
    assert!(matches!(refused, Err(StoreError::Log(_))), "{refused:?}");
    assert_eq!(theirs.recv().await.unwrap().index, 1);

    // Once the other is gone, ours goes on from what it finds.
    drop(other);
    let index = site.store().append(vec![note(site, "ours again".to_owned())]).await.unwrap();
    assert_eq!(index, 2);
    let events = site.events().await;
    let reasons: Vec<_> = events.iter().map(reason).collect();
    assert_eq!(reasons, ["ours", "theirs", "ours again"]);
}

/// Ends the connection that holds the seat.
async fn terminate_writer(site: &Site) {
    site.raw()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory' AND granted
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await
        .unwrap();
}
