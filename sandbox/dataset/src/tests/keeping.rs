//! A writer that dies, and one that goes on.

use sekisho_vault::Key;

use super::*;

fn second() -> SealOptions {
    SealOptions { version: Some("v2".to_owned()), ..SealOptions::default() }
}

/// Seals one table of a second version and dies: what is left of it, as another process reads
/// it.
fn left(site: &Site, keeper: &Key) -> (Vec<KeptTable>, Vec<u64>) {
    let mut writer = SealedWriter::create(site.root(), &profile(), &second()).unwrap();
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows()[..10])).unwrap();
    writer.seal_table("people", &site.vault, &mut |_, _| {}).unwrap();
    let refused = writer.push("people", &people(&people_rows())).unwrap_err();
    assert_eq!(refused.code(), "dataset.unknown");
    let kept = serde_json::to_string(&writer.keep(keeper).unwrap()).unwrap();
    (serde_json::from_str(&kept).unwrap(), writer.patients().to_vec())
}

fn resume(
    site: &Site,
    left: (Vec<KeptTable>, Vec<u64>),
    keeper: &Key,
) -> Result<SealedWriter, DatasetError> {
    SealedWriter::resume(site.root(), &profile(), &second(), left.0, left.1, keeper)
}

#[test]
fn zn_2_a_version_is_gone_on_with_and_only_its_tokens_can_be_read_by_who_does() {
    let (site, keeper) = (site(), Key::generate().unwrap());
    let left = left(&site, &keeper);
    let mut writer = resume(&site, left, &keeper).unwrap();
    assert!(writer.is_sealed("people") && !writer.is_sealed("events"));
    writer.push("events", &events(&event_rows())).unwrap();
    let (vault, identity) = (&site.vault, &site.identity);
    let sealed = writer.seal(Provenance::default(), vault, identity, &mut |_, _| {}).unwrap();
    let opened = sealed.patient_keys().columns();
    assert_eq!(opened.into_values().collect::<Vec<_>>(), [["patient"], ["patient"]]);
    let sealed = sealed.publish().unwrap();
    let version = SealedVersion::open(&sealed.folder, &identity.verifying()).unwrap();
    version.verify_files().unwrap();
    let first = site.open().unwrap();
    assert_eq!(version.manifest().patients, first.manifest().patients);
    let read = |version: &SealedVersion, table: &str, columns: &[&str]| {
        let keys = version.unwrap_granted(vault, &Grant::of(&[(table, columns)])).unwrap();
        let table = version.open_table(&keys, table, FileCheck::Sha256).unwrap();
        read_table(&table, &[&["patient"], columns].concat()).unwrap()
    };
    for (table, columns) in
        [("people", &["town", "age", "weight", "seen"][..]), ("events", &["event"])]
    {
        assert_eq!(read(&version, table, columns), read(&first, table, columns));
    }
}

#[test]
fn what_is_left_opens_with_its_own_key_and_as_it_was() {
    let (site, keeper) = (site(), Key::generate().unwrap());
    let left = left(&site, &keeper);
    let other = Key::generate().unwrap();
    assert_eq!(resume(&site, left.clone(), &other).unwrap_err().code(), "dataset.sealed");
    let file = site.root().join("trial/.sealing-v2/people/bucket-0005.parquet");
    let before = std::fs::read(&file).unwrap();
    std::fs::write(&file, &before[1..]).unwrap();
    match resume(&site, left.clone(), &keeper).unwrap_err() {
        DatasetError::Tampered { file, .. } => assert_eq!(file, "people/bucket-0005.parquet"),
        other => panic!("{other:?}"),
    }
    std::fs::write(&file, before).unwrap();
    drop(resume(&site, left.clone(), &keeper).unwrap());
    std::fs::remove_dir_all(site.root().join("trial/.sealing-v2")).unwrap();
    assert_eq!(resume(&site, left, &keeper).unwrap_err().code(), "dataset.tampered");
}

#[test]
fn who_does_not_go_on_starts_anew() {
    let (site, keeper) = (site(), Key::generate().unwrap());
    left(&site, &keeper);
    let writer = SealedWriter::create(site.root(), &profile(), &second()).unwrap();
    assert!(!writer.is_sealed("people"));
    drop(writer);
    assert!(files(site.root()).iter().all(|file| !file.contains("v2")));
}
