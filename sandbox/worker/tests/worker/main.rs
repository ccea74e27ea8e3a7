//! The worker against a gateway of the tests' own, over mutual TLS on loopback.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod gateway;
mod site;

use std::time::{Duration, Instant};

use gateway::{Certificates, Gateway};
use sekisho_proto::v1;
use sekisho_vault::Generation;
use sekisho_worker::{Config, RootKeys, serve};
use site::{Folder, find};
use tokio_util::sync::CancellationToken;

/// A gateway, a site folder and a worker that runs `script` in a runner's place.
struct Play {
    gateway: Gateway,
    folder: Folder,
    stopping: CancellationToken,
}

impl Play {
    async fn start(
        script: impl FnOnce(&Folder) -> String,
        lease: impl FnOnce(&Folder) -> v1::Lease,
    ) -> Self {
        let certificates = Certificates::generate();
        let folder = Folder::new(&certificates);
        let gateway = Gateway::default();
        gateway.look(|book| book.leases.push_back(lease(&folder)));
        let port = gateway::serve(gateway.clone(), &certificates).await;
        let site = folder.site(port, &script(&folder));
        let stopping = CancellationToken::new();
        tokio::spawn(serve(site, stopping.clone()));
        Self { gateway, folder, stopping }
    }

    /// Waits until the book shows something.
    async fn until<T>(&self, look: impl Fn(&mut gateway::Book) -> Option<T>) -> T {
        wait(Duration::from_secs(10), || self.gateway.look(&look)).await
    }

    async fn runner(&self) -> u32 {
        let path = self.folder.path("pid");
        let read = || std::fs::read_to_string(&path).ok()?.trim().parse().ok();
        wait(Duration::from_secs(10), read).await
    }
}

async fn wait<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_from_lease_to_sealed_outputs() {
    let play = Play::start(Folder::good_runner, |folder| folder.lease(&folder.ticket())).await;
    let done = play.until(|book| book.completed.first().cloned()).await;
    assert_eq!((done.run_id.as_str(), done.lease_id.as_str()), ("run-1", "lease-1"));
    assert_eq!(done.outputs.len(), 1);
    assert_eq!(done.outputs[0].name, "a");
    assert_eq!(done.usage.unwrap().jail, "x");
    let beats = play.gateway.look(|book| book.beats.clone());
    assert!(beats.iter().all(|beat| beat.lease_id == "lease-1"));
    assert_eq!(beats[0].state(), v1::RunState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_columns_that_are_not_granted_reach_no_runner() {
    let play = Play::start(Folder::good_runner, |folder| folder.lease(&folder.ticket())).await;
    play.until(|book| book.completed.first().cloned()).await;
    let job = std::fs::read(play.folder.path("job")).unwrap();
    let has = |column: &str| find(&job, &play.folder.column_key(column)).is_some();
    assert!(has("age"), "the granted key is there");
    assert!(!has("income"), "a key that is not granted is there");
    assert!(find(&job, b"income").is_none());
    let vault = std::fs::read(play.folder.path("worker/vault/root-1.key")).unwrap();
    assert!(find(&job, &vault).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_a_running_worker_changes_no_data_set() {
    let play = Play::start(Folder::good_runner, |folder| folder.lease(&folder.ticket())).await;
    play.until(|book| book.completed.first().cloned()).await;
    let config = Config::load(&play.folder.path("worker/config.toml")).unwrap();
    let files = || {
        let read = |name: &str| std::fs::read(play.folder.version.folder().join(name)).unwrap();
        ["keys.json", "manifest.json", "manifest.sig"].map(read)
    };
    let before = files();
    assert_eq!(RootKeys::list(&config).unwrap().due(), None);
    let keys = RootKeys::rotate(&config).unwrap();
    assert_eq!(keys.generations.len(), 2);
    assert_eq!(keys.receiving_key.map(Generation::number), Some(2));
    assert_eq!(files(), before);
    // The old root key is needed for nothing any more.
    std::fs::remove_file(play.folder.path("worker/vault/root-1.key")).unwrap();
    std::fs::remove_file(play.folder.path("job")).unwrap();
    let mut again = play.folder.ticket();
    again.lease_id = "lease-2".to_owned();
    let again = play.folder.lease(&again);
    play.gateway.look(|book| book.leases.push_back(again));
    play.until(|book| book.completed.get(1).cloned()).await;
    let job = std::fs::read(play.folder.path("job")).unwrap();
    assert!(find(&job, &play.folder.column_key("age")).is_some());
}

/// The run is handed back as an environment failure and no runner sees it.
async fn assert_refused(
    code: &str,
    ticket: impl FnOnce(&mut v1::RunTicket),
    lease: impl FnOnce(&mut v1::Lease),
) {
    let mut leased = None;
    let play = Play::start(Folder::good_runner, |folder| {
        let mut changed = folder.ticket();
        ticket(&mut changed);
        let mut changed = folder.lease(&changed);
        lease(&mut changed);
        leased.insert(changed).clone()
    })
    .await;
    let failed = play.until(|book| book.failed.first().cloned()).await;
    assert_eq!(play.folder.refusal(leased.unwrap()), code);
    assert_eq!(failed.failure_class(), v1::FailureClass::Environment);
    assert_eq!(failed.lease_id, "lease-1");
    assert!(!play.folder.path("job").exists(), "a runner was started");
    assert_eq!(play.gateway.look(|book| book.completed.len()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_with_a_bad_signature_is_refused() {
    assert_refused(
        "ticket.signature",
        |_| {},
        |lease| {
            lease.signed_ticket.as_mut().unwrap().signature[0] ^= 1;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_that_was_widened_after_signing_is_refused() {
    assert_refused(
        "ticket.signature",
        |_| {},
        |lease| {
            use prost::Message as _;
            let signed = lease.signed_ticket.as_mut().unwrap();
            let mut ticket = v1::RunTicket::decode(signed.ticket.as_slice()).unwrap();
            ticket.datasets[0].tables[0].columns.push("income".to_owned());
            signed.ticket = ticket.encode_to_vec();
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_ticket_is_refused() {
    assert_refused(
        "ticket.expired",
        |ticket| {
            let issued = ticket.issued_at.unwrap().seconds - 7200;
            ticket.issued_at.as_mut().unwrap().seconds = issued;
            ticket.expires_at.as_mut().unwrap().seconds = issued + 3600;
        },
        |_| {},
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_from_the_future_is_refused() {
    assert_refused(
        "ticket.not_yet",
        |ticket| ticket.issued_at.as_mut().unwrap().seconds += 300,
        |_| {},
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn module_that_the_ticket_does_not_name_is_refused() {
    assert_refused("module.hash", |ticket| ticket.module_sha256[0] ^= 1, |_| {}).await;
    assert_refused("dataset.hash", |ticket| ticket.datasets[0].manifest_sha256[0] ^= 1, |_| {})
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lk_1_a_data_set_that_linkage_was_decided_for_by_other_facts_is_refused() {
    let changes: [fn(&mut v1::TicketDataset); 3] = [
        |dataset| dataset.holds = "anonymised_info".to_owned(),
        |dataset| dataset.database = "another".to_owned(),
        |dataset| dataset.id_space = "another".to_owned(),
    ];
    for change in changes {
        assert_refused("dataset.facts", |ticket| change(&mut ticket.datasets[0]), |_| {}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn module_sealed_for_another_id_is_refused() {
    assert_refused("module.sealed", |ticket| ticket.module_id = "module-2".to_owned(), |_| {})
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_manifest_is_refused() {
    assert_refused("manifest.hash", |_| {}, |lease| lease.manifest.push('#')).await;
}

/// Each way in which a lease's tables can differ from those that the ticket names.
#[tokio::test(flavor = "multi_thread")]
async fn ag_5_tables_that_the_ticket_does_not_name_are_refused() {
    let folder = Folder::new(&Certificates::generate());
    folder.site(1, &folder.good_runner());
    let refusal = |change: &dyn Fn(&mut v1::RunTicket, &mut v1::SealedBringIn)| {
        let mut ticket = folder.ticket();
        let mut sealed = folder.bring_in(&mut ticket);
        change(&mut ticket, &mut sealed);
        let lease = v1::Lease { bring_ins: vec![sealed], ..folder.lease(&ticket) };
        folder.refusal(lease)
    };
    for part in [0, 1] {
        let other = |ticket: &mut v1::RunTicket, _: &mut v1::SealedBringIn| {
            let named = &mut ticket.bring_ins[0];
            let hashes = [&mut named.description_sha256, &mut named.table_sha256];
            hashes.into_iter().nth(part).unwrap()[0] ^= 1;
        };
        assert_eq!(refusal(&other), "bring_in.hash");
    }
    assert_eq!(refusal(&|_, sealed| sealed.table[40] ^= 1), "bring_in.sealed");
    let swapped = |_: &mut v1::RunTicket, sealed: &mut v1::SealedBringIn| {
        std::mem::swap(&mut sealed.description, &mut sealed.table);
    };
    assert_eq!(refusal(&swapped), "bring_in.sealed");
    let renamed = |ticket: &mut v1::RunTicket, _: &mut v1::SealedBringIn| {
        ticket.bring_ins[0].bring_in_id = "bringin-2".to_owned();
    };
    assert_eq!(refusal(&renamed), "bring_in.sealed");
    assert_eq!(refusal(&|ticket, _| ticket.bring_ins.clear()), "ticket.unreadable");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_set_outside_the_folder_is_refused() {
    assert_refused(
        "dataset.name",
        |ticket| ticket.datasets[0].dataset_id = "../people".to_owned(),
        |_| {},
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn column_that_does_not_exist_is_refused() {
    assert_refused(
        "dataset.unknown",
        |ticket| ticket.datasets[0].tables[0].columns.push("shoe_size".to_owned()),
        |_| {},
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_is_told_to_stop_has_its_runner_killed() {
    let play = Play::start(Folder::hanging_runner, |folder| folder.lease(&folder.ticket())).await;
    let runner = play.runner().await;
    assert!(alive(runner));
    play.gateway.look(|book| book.stop = true);
    wait(Duration::from_secs(3), || (!alive(runner)).then_some(())).await;
    let reports = play.gateway.look(|book| book.completed.len() + book.failed.len());
    assert_eq!(reports, 0, "a lease that is lost reports nothing");
    // Heartbeats wait at the gateway, far below the lease's two seconds.
    let waits = play.gateway.look(|book| book.beats.clone()).into_iter().map(|it| it.wait_millis);
    assert!(waits.clone().all(|wait| (1..=500).contains(&wait)), "{:?}", waits.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_that_runs_out_has_its_runner_killed() {
    let play = Play::start(Folder::hanging_runner, |folder| folder.lease(&folder.ticket())).await;
    let runner = play.runner().await;
    play.gateway.look(|book| book.away = true);
    let lost = Instant::now();
    wait(Duration::from_secs(6), || (!alive(runner)).then_some(())).await;
    assert!(lost.elapsed() > Duration::from_secs(1), "the lease had time left");
    // The worker goes on and asks for more.
    let asked = play.gateway.look(|book| book.asked);
    play.until(|book| (book.asked > asked).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_waits_for_a_gateway_that_is_away() {
    let play = Play::start(Folder::good_runner, |folder| folder.lease(&folder.ticket())).await;
    play.gateway.look(|book| book.lose_reports = 3);
    play.until(|book| book.completed.first().cloned()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(play.gateway.look(|book| book.completed.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_that_is_told_to_end_gives_its_run_back() {
    let play = Play::start(Folder::hanging_runner, |folder| folder.lease(&folder.ticket())).await;
    let runner = play.runner().await;
    play.stopping.cancel();
    let look = || play.gateway.look(|book| book.failed.first().cloned());
    let failed = wait(Duration::from_secs(25), look).await;
    assert_eq!(failed.failure_class(), v1::FailureClass::Environment);
    assert!(!alive(runner));
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_of_another_site_is_not_asked() {
    let folder = Folder::new(&Certificates::generate());
    let gateway = Gateway::default();
    let port = gateway::serve(gateway.clone(), &Certificates::generate()).await;
    let stopping = CancellationToken::new();
    let site = folder.site(port, "exit 1");
    let worker = tokio::spawn(serve(site, stopping.clone()));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(gateway.look(|book| book.asked), 0);
    stopping.cancel();
    worker.await.unwrap().unwrap();
}
