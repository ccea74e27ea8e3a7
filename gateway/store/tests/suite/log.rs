//! The log: numbered without gaps, whole or not at all, and believed only as signed.

use std::{fs, path::Path};

use futures::TryStreamExt;
use sekisho_access::{
    Refusal,
    action::{BrowseCatalogue, ReadLog, RegisterDataset},
    resource::Site as TheSite,
};
use sekisho_audit::{
    Actor, Checkpoint, CheckpointSigner, Event, EventKind, Hash, TreeHead, leaf, verify_consistency,
};
use sekisho_domain::{ModuleId, RequestId, Verdict};
use sekisho_store::StoreError;
use sqlx::{AnyConnection, Executor, Row};
use tokio::sync::mpsc;

use super::{
    at_once, conflict,
    site::{Site, signer},
    study::{Study, dataset},
};

/// An event that belongs to no effect.
pub(crate) fn note(site: &Site, reason: String) -> Event {
    Event {
        at: site.now(),
        request_id: None,
        actor: Actor::Anonymous { peer: None },
        kind: EventKind::HandshakeFailed { peer: None, reason },
    }
}

pub(crate) fn reason(event: &Event) -> &str {
    match &event.kind {
        EventKind::HandshakeFailed { reason, .. } => reason,
        other => other.name(),
    }
}

pub(crate) async fn lg_1_appends_get_consecutive_indexes(site: &mut Site) {
    const APPENDS: usize = 300;
    let answers = at_once((0..APPENDS).map(|number| {
        let event = |part| note(site, format!("{number}/{part}"));
        let (events, store): (Vec<_>, _) = ((0..=number % 3).map(event).collect(), site.store());
        async move { (events.len(), store.append(events).await.unwrap()) }
    }))
    .await;
    let events = site.events().await;
    for (number, (length, last)) in answers.iter().enumerate() {
        let end = usize::try_from(*last).unwrap() + 1;
        let found: Vec<_> = events[end - length..end].iter().map(reason).collect();
        let expected: Vec<_> = (0..*length).map(|part| format!("{number}/{part}")).collect();
        assert_eq!(found, expected, "what belongs together stands together, in order");
    }
    assert_eq!(events.len(), answers.iter().map(|(length, _)| length).sum::<usize>());
    let row = sqlx::query("SELECT COUNT(*) AS count FROM checkpoint")
        .fetch_one(&mut site.raw().await)
        .await
        .unwrap();
    let transactions: i64 = row.try_get("count").unwrap();
    assert!(transactions < APPENDS as i64, "many share a transaction: {transactions}");
}

pub(crate) async fn lg_1_a_failing_change_leaves_no_entry_and_takes_nothing_with_it(
    site: &mut Site,
) {
    let steward = site.found().await;
    let mark = site.mark().await;
    let mut permits = Vec::new();
    for _ in 0..20 {
        permits.push(site.permit::<RegisterDataset>(&steward, TheSite).await);
    }
    let mut appends = Vec::new();
    let mut changes = Vec::new();
    for (number, permit) in permits.into_iter().enumerate() {
        let (store, event) = (site.store(), note(site, format!("{number}")));
        appends.push(tokio::spawn(async move { store.append(vec![event]).await }));
        let (store, version) = (site.store(), dataset("lung", "v1", site.now()));
        changes.push(tokio::spawn(async move {
            store.register_dataset(permit, version).await.map(|_| ())
        }));
        // Nor does one that cannot even be written down, nor what came with it.
        let long = vec![note(site, "lost".to_owned()), note(site, "x".repeat(300_000))];
        let store = site.store();
        let refused = tokio::spawn(async move { store.append(long).await });
        assert!(matches!(refused.await.unwrap(), Err(StoreError::Log(_))));
    }
    for append in appends {
        append.await.unwrap().unwrap();
    }
    let mut registered = 0;
    for change in changes {
        match change.await.unwrap() {
            Ok(()) => registered += 1,
            refused => assert_eq!(conflict(refused), "VERSION_EXISTS"),
        }
    }
    assert_eq!(registered, 1);
    let events = site.since(mark).await;
    let mut found: Vec<_> = events.iter().map(reason).collect();
    found.sort_unstable();
    let mut expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    expected.push("dataset_registered".to_owned());
    expected.sort_unstable();
    assert_eq!(found, expected);
}

pub(crate) async fn lg_1_what_cannot_be_recorded_does_not_happen(site: &mut Site) {
    let steward = site.found().await;
    let permit = site.permit::<RegisterDataset>(&steward, TheSite).await;
    let caller = site.caller(&steward).await;
    let mark = site.mark().await;
    let mut raw = site.raw().await;
    raw.execute("ALTER TABLE checkpoint RENAME TO checkpoint_away").await.unwrap();

    let refused = site.store().append(vec![note(site, "lost".to_owned())]).await;
    assert!(matches!(refused, Err(StoreError::Log(_))), "{refused:?}");
    let refused = site.store().register_dataset(permit, dataset("lung", "v1", site.now())).await;
    assert!(matches!(refused, Err(StoreError::Log(_))));
    let refused = site.authorizer().authorize::<BrowseCatalogue>(&caller, TheSite).await;
    assert!(matches!(refused, Err(Refusal::Log(_))), "no permit without its record");

    raw.execute("ALTER TABLE checkpoint_away RENAME TO checkpoint").await.unwrap();
    assert!(site.store().dataset("lung", None).await.is_err());
    assert_eq!(site.mark().await, mark);
    let index = site.store().append(vec![note(site, "kept".to_owned())]).await.unwrap();
    assert_eq!(index, mark as u64);
    assert_eq!(reason(site.events().await.last().unwrap()), "kept");
}

pub(crate) async fn lg_2_a_log_is_rebuilt_when_opened_again(site: &mut Site) {
    let steward = site.found().await;
    let permit = site.permit::<ReadLog>(&steward, TheSite).await;
    let note_before = site.store().checkpoint(&permit).await.unwrap();
    let before = Checkpoint::verify(&note_before, signer().verifier()).unwrap().head;
    let events = site.events().await;
    assert_eq!(before.size, events.len() as u64);
    site.verify().await;

    site.close();
    site.open().await.unwrap();
    assert_eq!(site.events().await, events);
    assert_eq!(site.store().checkpoint(&permit).await.unwrap(), note_before);
    let index = site.store().append(vec![note(site, "after".to_owned())]).await.unwrap();
    assert_eq!(index, before.size);
    let after = site.store().checkpoint(&permit).await.unwrap();
    let after = Checkpoint::verify(&after, signer().verifier()).unwrap().head;
    let proof = site.store().consistency_proof(&permit, before.size, after.size).unwrap();
    verify_consistency(&before, &after, &proof).unwrap();
    let forged = TreeHead { size: before.size, root: Hash::of_leaf(b"forged") };
    assert!(verify_consistency(&forged, &after, &proof).is_err());
}

enum Value {
    Number(i64),
    Bytes(Vec<u8>),
    Text(String),
}

type Statement = (&'static str, Vec<Value>);

async fn run(raw: &mut AnyConnection, (sql, values): Statement) {
    let mut query = sqlx::query(sql);
    for value in values {
        query = match value {
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Text(text) => query.bind(text),
        };
    }
    let changed = query.execute(raw).await.unwrap().rows_affected();
    assert!(changed > 0, "{sql} changed nothing");
}

/// What somebody with the database, but without the log's key, might try.
async fn tamperings(site: &Site) -> Vec<(&'static str, Vec<Statement>)> {
    use Value::{Bytes, Number, Text};
    const LEAF: &str = "UPDATE log_entry SET leaf = $1 WHERE entry_index = $2";
    const HASH: &str = "UPDATE log_entry SET leaf_hash = $1 WHERE entry_index = $2";
    const MOVE: &str = "UPDATE log_entry SET entry_index = $1 WHERE entry_index = $2";
    const NOTE: &str = "UPDATE checkpoint SET note = $1 WHERE tree_size = $2";
    let events = site.events().await;
    let size = events.len() as i64;
    let mut other = events[2].clone();
    other.actor = Actor::System {};
    let forged = leaf::encode(&other).unwrap();
    assert_ne!(other, events[2]);
    let hash = Hash::of_leaf(&forged).as_bytes().to_vec();
    let row = sqlx::query("SELECT note FROM checkpoint ORDER BY tree_size DESC LIMIT 1")
        .fetch_one(&mut site.raw().await)
        .await
        .unwrap();
    let text: String = row.try_get("note").unwrap();
    let head = Checkpoint::verify(&text, signer().verifier()).unwrap().head;
    let stranger = CheckpointSigner::from_seed(signer().verifier().name(), &[8; 32]).unwrap();
    let older =
        signer().sign(&TreeHead { size: head.size, root: Hash::of_leaf(b"other") }).unwrap();
    let swap = vec![
        (MOVE, vec![Number(-1), Number(1)]),
        (MOVE, vec![Number(1), Number(2)]),
        (MOVE, vec![Number(2), Number(-1)]),
    ];
    vec![
        ("entry altered", vec![(LEAF, vec![Bytes(forged.clone()), Number(2)])]),
        ("hash altered", vec![(HASH, vec![Bytes(hash.clone()), Number(2)])]),
        (
            "entry altered with its hash",
            vec![
                (LEAF, vec![Bytes(forged.clone()), Number(2)]),
                (HASH, vec![Bytes(hash.clone()), Number(2)]),
            ],
        ),
        ("entries moved", swap),
        ("entry removed", vec![("DELETE FROM log_entry WHERE entry_index = $1", vec![Number(1)])]),
        (
            "tail cut off",
            vec![("DELETE FROM log_entry WHERE entry_index >= $1", vec![Number(size - 2)])],
        ),
        ("everything removed", vec![("DELETE FROM log_entry", vec![])]),
        (
            "entry added",
            vec![(
                "INSERT INTO log_entry (entry_index, leaf, leaf_hash) VALUES ($1, $2, $3)",
                vec![Number(size), Bytes(forged), Bytes(hash)],
            )],
        ),
        (
            "checkpoint removed",
            vec![("DELETE FROM checkpoint WHERE tree_size = $1", vec![Number(size)])],
        ),
        ("checkpoints removed", vec![("DELETE FROM checkpoint", vec![])]),
        (
            "checkpoint altered",
            vec![(NOTE, vec![Text(text.replacen(&size.to_string(), "1", 1)), Number(size)])],
        ),
        (
            "checkpoint by another key",
            vec![(NOTE, vec![Text(stranger.sign(&head).unwrap()), Number(size)])],
        ),
        ("checkpoint of another tree", vec![(NOTE, vec![Text(older), Number(size)])]),
    ]
}

pub(crate) async fn lg_2_a_tampered_log_is_not_opened(site: &mut Site) {
    let steward = site.found().await;
    drop(site.permit::<ReadLog>(&steward, TheSite).await);
    let tamperings = tamperings(site).await;
    site.verify().await;
    site.close();
    let mut raw = site.raw().await;
    for keep in [
        "CREATE TABLE kept_entry AS SELECT * FROM log_entry",
        "CREATE TABLE kept_checkpoint AS SELECT * FROM checkpoint",
    ] {
        raw.execute(keep).await.unwrap();
    }
    for (what, statements) in tamperings {
        for statement in statements {
            run(&mut raw, statement).await;
        }
        let refused = site.open().await;
        assert!(matches!(refused, Err(StoreError::LogTampered(_))), "{what}: {refused:?}");
        for restore in [
            "DELETE FROM log_entry",
            "INSERT INTO log_entry SELECT * FROM kept_entry",
            "DELETE FROM checkpoint",
            "INSERT INTO checkpoint SELECT * FROM kept_checkpoint",
        ] {
            raw.execute(restore).await.unwrap();
        }
    }
    site.open().await.unwrap();
}

/// An older copy of the database, put in place while the gateway runs, is a log that
/// verifies by itself; the running gateway still knows better.
pub(crate) async fn lg_2_a_log_that_shrank_meanwhile_is_not_written(site: &mut Site) {
    site.found().await;
    let size = i64::try_from(site.mark().await).unwrap();
    site.store().append(vec![note(site, "forgotten".to_owned())]).await.unwrap();
    let mut raw = site.raw().await;
    for keep in [
        "CREATE TABLE kept_entry AS SELECT * FROM log_entry",
        "CREATE TABLE kept_checkpoint AS SELECT * FROM checkpoint",
    ] {
        raw.execute(keep).await.unwrap();
    }
    let last = vec![Value::Number(size)];
    run(&mut raw, ("DELETE FROM log_entry WHERE entry_index = $1", last)).await;
    let last = vec![Value::Number(size + 1)];
    run(&mut raw, ("DELETE FROM checkpoint WHERE tree_size = $1", last)).await;
    // The next entry's place is taken by something that was never recorded.
    let squatter = vec![Value::Number(size + 1)];
    run(&mut raw, ("INSERT INTO checkpoint (tree_size, note) VALUES ($1, 'x')", squatter)).await;
    let squatter = vec![Value::Number(size + 2)];
    run(&mut raw, ("INSERT INTO checkpoint (tree_size, note) VALUES ($1, 'x')", squatter)).await;

    for _ in 0..2 {
        let refused = site.store().append(vec![note(site, "next".to_owned())]).await;
        assert!(matches!(refused, Err(StoreError::Log(_))), "{refused:?}");
    }
    let clean = vec![Value::Number(size)];
    run(&mut raw, ("DELETE FROM checkpoint WHERE tree_size > $1", clean)).await;
    let refused = site.store().append(vec![note(site, "next".to_owned())]).await;
    assert!(matches!(refused, Err(StoreError::Log(_))), "an older copy verifies by itself");
    for restore in [
        "DELETE FROM log_entry",
        "INSERT INTO log_entry SELECT * FROM kept_entry",
        "DELETE FROM checkpoint",
        "INSERT INTO checkpoint SELECT * FROM kept_checkpoint",
    ] {
        raw.execute(restore).await.unwrap();
    }
    site.store().append(vec![note(site, "next".to_owned())]).await.unwrap();
}

pub(crate) async fn lg_1_an_export_is_whole_and_recorded(site: &mut Site) {
    let steward = site.found().await;
    // More than are read at a time, in one transaction.
    let many = (0..2100).map(|number| note(site, number.to_string())).collect();
    site.store().append(many).await.unwrap();
    let permit = site.permit::<ReadLog>(&steward, TheSite).await;
    let events = site.events().await;
    let mark = events.len();
    let (start, end) = (3, mark as u64);
    let entries = site.store().export(permit, start, end).await.unwrap().into_inner();
    let entries: Vec<_> = entries.try_collect().await.unwrap();
    assert_eq!(entries.len() as u64, end - start);
    for (entry, index) in entries.iter().zip(start..) {
        assert_eq!(entry.index, index);
        let event = &events[usize::try_from(index).unwrap()];
        assert_eq!(entry.leaf, leaf::encode(event).unwrap());
        assert_eq!(entry.leaf_hash, Hash::of_leaf(&entry.leaf).as_bytes());
        let signed = entry.checkpoint.as_ref();
        let signed = signed.map(|note| Checkpoint::verify(note, signer().verifier()).unwrap());
        assert!(signed.is_none_or(|checkpoint| checkpoint.head.size == index + 1));
    }
    let signed = entries.iter().filter(|entry| entry.checkpoint.is_some()).count();
    assert!(entries.last().unwrap().checkpoint.is_some() && signed < entries.len());
    let exported = site.since(mark).await;
    assert_eq!(exported[0].kind, EventKind::LogExported { start, end });
    assert_eq!(exported[0].actor, steward.actor());
    let permit = site.permit::<ReadLog>(&steward, TheSite).await;
    let page = site.store().inclusion_proof(&permit, 0, end + 1000);
    assert!(matches!(page, Err(StoreError::NotFound(_))));
}

pub(crate) async fn one_log_has_one_writer(site: &mut Site) {
    site.store().append(vec![note(site, "first".to_owned())]).await.unwrap();
    let (tap, _receiver) = mpsc::unbounded_channel();
    assert_eq!(conflict(site.another(tap).await), "LOG_IN_USE");
    // The one that was there goes on; when it leaves, there is room.
    site.store().append(vec![note(site, "second".to_owned())]).await.unwrap();
    site.verify().await;
    site.close();
    site.open().await.unwrap();
    let index = site.store().append(vec![note(site, "third".to_owned())]).await.unwrap();
    assert_eq!(index, 2);
}

pub(crate) async fn cr_1_nothing_brought_in_or_taken_out_is_stored_in_plaintext(site: &mut Site) {
    let secret = |what: &str| format!("{what}-canary-{}", ModuleId::new(site.now()));
    let study = Study::begin(site).await;
    let (component, manifest) = (secret("component"), secret("manifest"));
    let (parameters, output) = (secret("parameters"), secret("output"));
    let visible = RequestId::new(site.now()).to_string();

    let resource = sekisho_access::resource::ProjectResource { terms: study.terms() };
    let permit = site.permit(&study.researcher, resource).await;
    let mut module = study.module.clone();
    module.module_id = ModuleId::new(site.now());
    module.name = visible.clone();
    let store = site.store();
    store.submit_module(permit, module, component.as_bytes(), &manifest).await.unwrap();
    let mut order = study.order(site, &study.researcher);
    order.parameters = parameters.clone().into_bytes();
    study.place(site, &study.researcher, order).await.unwrap();
    let leased = study.lease(site).await.unwrap();
    assert_eq!(leased.parameters, parameters.as_bytes(), "they can be read by whoever may");
    let run = study.complete(site, &leased, output.as_bytes()).await.unwrap();
    let request = study.request(site, &run).await.unwrap();
    for reviewer in &study.reviewers {
        study.vote(site, reviewer, &request, Verdict::Approve).await.unwrap();
    }
    if site.socket.is_some() {
        site.raw().await.execute("CHECKPOINT").await.unwrap();
    }
    for folder in [site.folder.path(), &site.database_files] {
        for secret in [&component, &manifest, &parameters, &output] {
            for form in forms(secret) {
                assert_eq!(holding(folder, &form), Vec::<String>::new(), "{secret}");
            }
        }
    }
    // The search does find what is there.
    assert!(!holding(&site.database_files, visible.as_bytes()).is_empty());
}

/// A secret as it is, as hexadecimal digits, and as a list of numbers.
fn forms(secret: &str) -> [Vec<u8>; 3] {
    let numbers: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    [secret.as_bytes().to_vec(), hex::encode(secret).into_bytes(), numbers.join(",").into_bytes()]
}

/// Files below `folder` that hold `needle`, journals included.
pub(crate) fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&path, needle));
        } else if kind.is_file() {
            // A server's files come and go.
            let Ok(bytes) = fs::read(&path) else { continue };
            if memchr::memmem::find(&bytes, needle).is_some() {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
