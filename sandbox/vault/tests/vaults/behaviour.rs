//! The behaviours, each a function of a place where no vault was made yet.

use std::fs;
use std::time::SystemTime;

use sekisho_vault::{
    CRYPTO_PERIOD, Context, Exhausted, Generation, Key, MOST_USES, RotatingVault, VaultError,
    WrappedKey,
};

use crate::places::Place;

fn context() -> Context {
    Context::new("test.key").text("column")
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn wrapped(vault: &dyn RotatingVault) -> (Key, WrappedKey) {
    let key = Key::generate().unwrap();
    let wrapped = vault.wrap(&context(), &key).unwrap();
    (key, wrapped)
}

fn opens(vault: &dyn RotatingVault, (key, wrapped): &(Key, WrappedKey)) -> bool {
    let opened = vault.unwrap(&context(), wrapped);
    opened.is_ok_and(|opened| opened.danger_bytes() == key.danger_bytes())
}

pub(crate) fn cr_1_a_wrapped_key_opens_after_a_restart_and_in_no_other_vault(place: &dyn Place) {
    let pair = wrapped(&*place.create().unwrap());
    assert!(opens(&*place.open().unwrap(), &pair));
    let other = place.another().create().unwrap();
    assert!(matches!(other.unwrap(&context(), &pair.1), Err(VaultError::CannotOpen)));
}

pub(crate) fn cr_1_another_context_is_refused(place: &dyn Place) {
    let vault = place.create().unwrap();
    let (_, wrapped) = wrapped(&*vault);
    for elsewhere in [Context::new("test.key"), Context::new("test.key").text("other")] {
        assert!(matches!(vault.unwrap(&elsewhere, &wrapped), Err(VaultError::CannotOpen)));
    }
}

pub(crate) fn cr_1_any_flipped_bit_is_refused(place: &dyn Place) {
    let vault = place.create().unwrap();
    // So that some flipped generations name another that exists.
    vault.rotate().unwrap();
    vault.rotate().unwrap();
    let (_, wrapped) = wrapped(&*vault);
    let mut seen = std::collections::BTreeSet::new();
    for bit in 0..wrapped.as_bytes().len() * 8 {
        let mut bytes = wrapped.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = vault.unwrap(&context(), &WrappedKey::from_bytes(bytes)).unwrap_err();
        seen.insert(error.code());
    }
    let codes = ["vault.cannot_open", "vault.not_a_key", "vault.unknown_generation"];
    assert!(seen.into_iter().eq(codes));
}

pub(crate) fn cr_1_any_cut_or_lengthened_key_is_refused(place: &dyn Place) {
    let vault = place.create().unwrap();
    let (_, wrapped) = wrapped(&*vault);
    let whole = wrapped.as_bytes();
    let longer = [whole, b"x"].concat();
    let cut = (0..whole.len()).map(|length| &whole[..length]);
    for bytes in cut.chain([longer.as_slice()]) {
        let refused = vault.unwrap(&context(), &WrappedKey::from_bytes(bytes.to_vec()));
        assert!(matches!(refused, Err(VaultError::NotAKey)), "{} bytes", bytes.len());
    }
}

pub(crate) fn the_same_key_never_wraps_to_the_same_bytes(place: &dyn Place) {
    let vault = place.create().unwrap();
    let key = Key::generate().unwrap();
    let wrap = || vault.wrap(&context(), &key).unwrap();
    assert_ne!(wrap(), wrap());
}

pub(crate) fn rotation_keeps_what_was_wrapped_readable(place: &dyn Place) {
    let vault = place.create().unwrap();
    let first = wrapped(&*vault);
    assert_eq!(vault.rotate().unwrap(), generation(2));
    let second = wrapped(&*vault);
    assert_eq!(first.1.generation(), Some(generation(1)));
    assert_eq!(second.1.generation(), Some(generation(2)));
    for vault in [vault, place.open().unwrap()] {
        assert!(opens(&*vault, &first) && opens(&*vault, &second));
        let status = vault.status().unwrap();
        let current: Vec<_> = status.iter().map(|one| (one.generation, one.current)).collect();
        assert_eq!(current, [(generation(1), false), (generation(2), true)]);
    }
}

pub(crate) fn a_rewrapped_key_needs_no_older_generation(place: &dyn Place) {
    let vault = place.create().unwrap();
    let (key, old) = wrapped(&*vault);
    vault.rotate().unwrap();
    let new = vault.rewrap(&context(), &old).unwrap();
    assert_eq!(new.generation(), Some(generation(2)));
    assert!(opens(&*vault, &(key, new)));
    assert!(vault.rewrap(&Context::new("other"), &old).is_err());
}

pub(crate) fn an_unknown_generation_is_named(place: &dyn Place) {
    let vault = place.create().unwrap();
    let other = place.another();
    let other = other.create().unwrap();
    other.rotate().unwrap();
    let (_, wrapped) = wrapped(&*other);
    let error = vault.unwrap(&context(), &wrapped).unwrap_err();
    assert_eq!(error.code(), "vault.unknown_generation");
    let named =
        matches!(error, VaultError::UnknownGeneration { generation } if generation.number() == 2);
    assert!(named);
}

pub(crate) fn a_worn_out_generation_wraps_no_more_and_still_unwraps(place: &dyn Place) {
    let record = |uses| Some(text(SystemTime::now(), uses));
    wraps_no_more(place, record(MOST_USES), Exhausted::Uses);
}

pub(crate) fn a_generation_past_its_period_wraps_no_more_and_still_unwraps(place: &dyn Place) {
    let record = text(SystemTime::now() - CRYPTO_PERIOD, 1);
    wraps_no_more(place, Some(record), Exhausted::Period);
}

pub(crate) fn a_generation_without_a_record_wraps_no_more_and_still_unwraps(place: &dyn Place) {
    wraps_no_more(place, None, Exhausted::Unrecorded);
}

/// With this record in place of the first generation's.
fn wraps_no_more(place: &dyn Place, record: Option<String>, wanted: Exhausted) {
    let vault = place.create().unwrap();
    let pair = wrapped(&*vault);
    let file = place.records().join("root-1.uses");
    match record {
        Some(record) => fs::write(file, record).unwrap(),
        None => fs::remove_file(file).unwrap(),
    }
    let vault = place.open().unwrap();
    let error = vault.wrap(&context(), &pair.0).unwrap_err();
    assert_eq!(error.code(), "vault.rotate_first");
    assert!(matches!(error, VaultError::RotateFirst { why, .. } if why == wanted));
    assert_eq!(vault.status().unwrap()[0].exhausted, Some(wanted));
    assert!(opens(&*vault, &pair));
    vault.rotate().unwrap();
    assert_eq!(vault.status().unwrap()[1].exhausted, None);
    let again = vault.rewrap(&context(), &pair.1).unwrap();
    assert!(opens(&*vault, &(pair.0, again)));
}

fn text(created_at: SystemTime, uses: u64) -> String {
    let created = created_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    format!("sekisho-uses-v1 created {created} uses {uses}\n")
}

pub(crate) fn every_use_is_counted_before_it_happens(place: &dyn Place) {
    let vault = place.create().unwrap();
    let uses = || vault.status().unwrap()[0].record.unwrap().uses;
    assert_eq!(uses(), 0);
    for used in 1..=3 {
        let again = place.open().unwrap();
        wrapped(&*again);
        assert!(uses() >= used);
    }
    let created_at = vault.status().unwrap()[0].record.unwrap().created_at;
    assert!(created_at.elapsed().unwrap().as_secs() < 600);
}

pub(crate) fn threads_share_a_vault(place: &dyn Place) {
    let vault = place.create().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let pair = wrapped(&*vault);
                    assert!(opens(&*vault, &pair));
                }
            });
        }
    });
}

pub(crate) fn a_second_vault_in_the_same_place_is_refused(place: &dyn Place) {
    assert!(place.open().is_err());
    let vault = place.create().unwrap();
    let pair = wrapped(&*vault);
    assert!(place.create().is_err());
    assert!(opens(&*vault, &pair));
}
