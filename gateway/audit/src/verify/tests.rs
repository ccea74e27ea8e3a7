use proptest::prelude::*;

use super::*;
use crate::checkpoint::CheckpointSigner;

fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed("gateway.example/log", &[1; 32]).unwrap()
}

fn leaf(n: u64) -> Vec<u8> {
    format!("{{\"entry\":{n}}}").into_bytes()
}

fn entry(index: u64, leaf: Vec<u8>) -> ExportLine {
    ExportLine::Entry { index, leaf_hash: Hash::of_leaf(&leaf), leaf }
}

/// Signed checkpoints of the true log of `size` entries, every `step` entries and at the end.
fn checkpoints(size: u64, step: u64) -> Vec<(u64, String)> {
    let log = MerkleLog::from_leaf_hashes((0..size).map(|n| Hash::of_leaf(&leaf(n))));
    let at = (1..=size).filter(|n| n % step == 0 || *n == size);
    at.map(|n| {
        let head = TreeHead { size: n, root: log.root_at(n).unwrap() };
        (n, signer().sign(&head).unwrap())
    })
    .collect()
}

/// The true log as exported, checkpoints where they were signed.
fn export(size: u64, step: u64) -> Vec<ExportLine> {
    let mut notes = checkpoints(size, step).into_iter().peekable();
    let mut lines = Vec::new();
    for n in 0..size {
        lines.push(entry(n, leaf(n)));
        if let Some((_, note)) = notes.next_if(|(at, _)| *at == n + 1) {
            lines.push(ExportLine::Checkpoint(note));
        }
    }
    lines
}

/// Entries numbered and hashed as a careful forger would, under the true checkpoints.
fn forged(leaves: &[Vec<u8>], checkpoints: &[(u64, String)]) -> Vec<ExportLine> {
    let notes = checkpoints.iter().map(|(_, note)| ExportLine::Checkpoint(note.clone()));
    let entries = (0..).zip(leaves).map(|(n, leaf)| entry(n, leaf.clone()));
    notes.chain(entries).collect()
}

fn text(lines: &[ExportLine]) -> Vec<u8> {
    lines.iter().flat_map(|line| (line.to_json().unwrap() + "\n").into_bytes()).collect()
}

fn verify(lines: &[ExportLine]) -> Result<Verified, Finding> {
    verify_export(&text(lines), [], signer().verifier())
}

fn kept(size: u64) -> Checkpoint {
    let (_, note) = checkpoints(size, size).pop().unwrap();
    Checkpoint::verify(&note, signer().verifier()).unwrap()
}

fn leaves(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(leaf).collect()
}

#[test]
fn lg_2_a_true_export_verifies() {
    for step in [1, 4, 20] {
        let verified = verify(&export(20, step)).unwrap();
        assert_eq!(verified.head, kept(20).head);
        assert_eq!(verified.checkpoints, 20 / step);
    }
    let verified = verify_export(&text(&export(20, 20)), [kept(7)], signer().verifier()).unwrap();
    assert_eq!(verified.checkpoints, 2);
}

#[test]
fn lg_2_a_flip_in_a_leaf_names_that_entry() {
    for index in [0, 7, 19] {
        let mut lines = export(20, 20);
        let ExportLine::Entry { leaf, .. } = &mut lines[index] else { unreachable!() };
        leaf[3] ^= 1;
        assert_eq!(verify(&lines), Err(Finding::Altered { entry: index as u64 }));
    }
}

#[test]
fn lg_2_a_flip_hidden_by_a_new_hash_is_found_by_the_next_checkpoint() {
    let mut leaves = leaves(20);
    leaves[9][3] ^= 1;
    let every = forged(&leaves, &checkpoints(20, 1));
    assert_eq!(verify(&every), Err(Finding::Rewritten { first: 9, last: 9 }));
    let fourth = forged(&leaves, &checkpoints(20, 4));
    assert_eq!(verify(&fourth), Err(Finding::Rewritten { first: 8, last: 11 }));
}

#[test]
fn lg_2_a_deleted_entry_is_named() {
    let mut lines = export(20, 20);
    lines.remove(5);
    assert_eq!(verify(&lines), Err(Finding::OutOfOrder { entry: 5, found: 6 }));
    let mut leaves = leaves(20);
    leaves.remove(5);
    let renumbered = forged(&leaves, &checkpoints(20, 1));
    assert_eq!(verify(&renumbered).unwrap_err().first_bad(), Some(5));
}

#[test]
fn lg_2_an_inserted_entry_is_named() {
    let mut lines = export(20, 20);
    lines.insert(5, entry(5, leaf(99)));
    assert_eq!(verify(&lines), Err(Finding::OutOfOrder { entry: 6, found: 5 }));
    let mut leaves = leaves(20);
    leaves.insert(5, leaf(99));
    let renumbered = forged(&leaves, &checkpoints(20, 1));
    assert_eq!(verify(&renumbered), Err(Finding::Rewritten { first: 5, last: 5 }));
    let mut appended = export(20, 20);
    appended.push(entry(20, leaf(20)));
    assert_eq!(verify(&appended), Err(Finding::Unsigned { entry: 20 }));
}

#[test]
fn lg_2_reordered_entries_are_named() {
    let mut lines = export(20, 20);
    lines.swap(5, 11);
    assert_eq!(verify(&lines), Err(Finding::OutOfOrder { entry: 5, found: 11 }));
    let mut leaves = leaves(20);
    leaves.swap(5, 11);
    let renumbered = forged(&leaves, &checkpoints(20, 1));
    assert_eq!(verify(&renumbered), Err(Finding::Rewritten { first: 5, last: 5 }));
}

#[test]
fn lg_2_a_truncated_tail_is_named() {
    let short = forged(&leaves(17), &checkpoints(20, 20));
    assert_eq!(verify(&short), Err(Finding::Truncated { entry: 17, signed: 20, agreed: 0 }));
    // The file's own checkpoints are cut off too: only one kept elsewhere tells.
    let mut lines = export(20, 1);
    lines.truncate(34);
    assert_eq!(verify(&lines).unwrap().head, kept(17).head);
    assert_eq!(
        verify_export(&text(&lines), [kept(20)], signer().verifier()),
        Err(Finding::Truncated { entry: 17, signed: 20, agreed: 17 })
    );
    let nothing = verify_export(b"", [kept(20)], signer().verifier());
    assert_eq!(nothing, Err(Finding::Truncated { entry: 0, signed: 20, agreed: 0 }));
}

#[test]
fn lg_2_a_log_signed_twice_over_contradicts_the_kept_checkpoint() {
    // Whoever holds the signing key rewrites everything and signs it anew.
    let mut log = MerkleLog::new();
    let mut lines = Vec::new();
    for n in 0..20 {
        let leaf = leaf(if n == 9 { 99 } else { n });
        log.append(&leaf);
        lines.push(entry(n, leaf));
        lines.push(ExportLine::Checkpoint(signer().sign(&log.head()).unwrap()));
    }
    assert_eq!(verify(&lines).unwrap().checkpoints, 20);
    let key = signer();
    let against = |kept| verify_export(&text(&lines), kept, key.verifier());
    assert_eq!(against(vec![kept(10)]).unwrap_err().code(), "audit_rewritten");
    assert_eq!(against(vec![kept(10)]).unwrap_err().first_bad(), Some(9));
    lines.push(ExportLine::Checkpoint(checkpoints(10, 10)[0].1.clone()));
    assert_eq!(verify(&lines), Err(Finding::Forked { size: 10 }));
    let forked = Verifier::new(
        key.verifier().clone(),
        [kept(20), Checkpoint { origin: String::new(), head: log.head() }],
    );
    assert_eq!(forked.unwrap_err(), Finding::Forked { size: 20 });
}

#[test]
fn lg_2_checkpoints_of_others_and_none_at_all_prove_nothing() {
    let stranger = CheckpointSigner::from_seed("gateway.example/log", &[2; 32]).unwrap();
    let mut lines = export(3, 3);
    lines[3] = ExportLine::Checkpoint(stranger.sign(&kept(3).head).unwrap());
    let finding = verify(&lines).unwrap_err();
    assert!(matches!(finding, Finding::BadCheckpoint { line: 4, entry: 3, .. }), "{finding:?}");
    lines.pop();
    assert_eq!(verify(&lines), Err(Finding::NoCheckpoint));
    assert_eq!(verify(&[]), Err(Finding::NoCheckpoint));
}

proptest! {
    /// Whatever single byte of the file changes, the entry of its line is named.
    #[test]
    fn lg_2_any_changed_byte_names_its_entry(place in any::<prop::sample::Index>(), mask in 1_u8..) {
        let lines: Vec<_> = (0..8).map(|n| entry(n, leaf(n))).collect();
        let mut bytes = text(&lines);
        let place = place.index(bytes.len());
        let entry = bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes[place] ^= mask;
        let finding = verify_export(&bytes, [kept(8)], signer().verifier()).unwrap_err();
        prop_assert_eq!(finding.first_bad(), Some(entry), "{:?}", finding);
    }
}
