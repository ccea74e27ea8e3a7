use std::fs;

use super::*;

fn named(error: DatasetError) -> String {
    match error {
        DatasetError::Tampered { file, .. } => file,
        other => panic!("{other:?}"),
    }
}

/// What anyone who opens and checks the version is told.
fn refusal(site: &Site) -> String {
    match site.open() {
        Err(error) => named(error),
        Ok(version) => named(version.verify_files().unwrap_err()),
    }
}

/// The file a refusal names: a changed signature shows as a manifest that does not fit.
fn expected(name: &str) -> &str {
    if name == "manifest.sig" { "manifest.json" } else { name }
}

#[test]
fn an_untouched_version_passes() {
    site().open().unwrap().verify_files().unwrap();
}

#[test]
fn any_changed_cut_or_missing_file_is_refused_by_name() {
    let site = site();
    for name in files(&site.folder) {
        let path = site.folder.join(&name);
        let good = fs::read(&path).unwrap();
        for place in [0, good.len() / 2, good.len() - 2] {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            fs::write(&path, bad).unwrap();
            assert_eq!(refusal(&site), expected(&name), "flipped at {place}");
        }
        fs::write(&path, &good[..good.len() - 2]).unwrap();
        assert_eq!(refusal(&site), expected(&name), "cut");
        fs::remove_file(&path).unwrap();
        assert_eq!(refusal(&site), name, "missing");
        fs::write(&path, &good).unwrap();
    }
    site.open().unwrap().verify_files().unwrap();
}

#[test]
fn a_damaged_table_is_not_opened() {
    let site = site();
    let keys = site.keys(&Grant::of(&[("people", &["age"])]));
    let name = "people/bucket-0003.parquet";
    let path = site.folder.join(name);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let open = |check| site.open().unwrap().open_table(&keys, "people", check);
    assert_eq!(named(open(FileCheck::Sha256).unwrap_err()), name);
}

#[test]
fn a_damaged_dictionary_is_refused() {
    let site = site();
    let table = site.table("people", &["town"]);
    let path = site.folder.join("dictionaries/people.town.sealed");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(named(table.dictionary("town").unwrap_err()), "dictionaries/people.town.sealed");
}

#[test]
fn swapped_files_are_refused_and_would_not_decrypt_either() {
    let site = site();
    let table = site.table("people", &["age"]);
    let (one, two) = (table.files()[1].path.clone(), table.files()[2].path.clone());
    let aside = site.folder.join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    assert!(refusal(&site).starts_with("people/bucket-000"));
    // The table opened before the swap still refuses: files are bound to their buckets.
    assert_eq!(read_table(&table, &["age"]).unwrap_err().code(), "dataset.parquet");
}

/// parquet-rs reads a file in the clear although it was given keys. The table is opened before,
/// so that nothing but the reading itself can refuse it.
#[test]
fn a_file_in_the_clear_in_place_of_a_sealed_one_is_refused() {
    let site = site();
    let table = site.table("people", &["age"]);
    let forged = people(&[(token(1), Some("north"), 99, None, 18_000)]);
    let mut plain = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut plain, forged.schema(), None).unwrap();
    writer.write(&forged).unwrap();
    writer.close().unwrap();
    for file in table.files() {
        fs::write(&file.path, &plain).unwrap();
    }
    assert_eq!(read_table(&table, &["age"]).unwrap_err().code(), "dataset.parquet");
}

#[test]
fn a_file_the_manifest_does_not_list_is_refused() {
    let site = site();
    fs::write(site.folder.join("people/extra.parquet"), b"x").unwrap();
    assert_eq!(refusal(&site), "people/extra.parquet");
}

#[test]
fn a_version_under_another_name_is_refused() {
    let site = site();
    let renamed = site.folder.with_file_name("v2");
    fs::rename(&site.folder, &renamed).unwrap();
    let error = SealedVersion::open(&renamed, &site.identity.verifying()).unwrap_err();
    assert_eq!(named(error), "manifest.json");
}

#[test]
fn a_manifest_signed_by_another_is_refused() {
    let site = site();
    let other = SigningIdentity::generate().unwrap();
    let error = SealedVersion::open(&site.folder, &other.verifying()).unwrap_err();
    assert_eq!(named(error), "manifest.json");
}

#[test]
fn keys_of_another_version_put_in_place_are_refused() {
    let (one, two) = (site(), site());
    fs::copy(two.folder.join("keys.json"), one.folder.join("keys.json")).unwrap();
    let grant = Grant::of(&[("people", &["age"])]);
    let error = one.open().unwrap().unwrap_granted(&one.vault, &grant).unwrap_err();
    assert_eq!(named(error), "keys.json");
}
