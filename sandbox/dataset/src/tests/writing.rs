use std::fs;

use super::*;

fn create(root: &Path, version: Option<&str>) -> Result<SealedWriter, DatasetError> {
    let options = SealOptions { version: version.map(str::to_owned), ..SealOptions::default() };
    SealedWriter::create(root, &profile(), &options)
}

fn finish(site: &Site, writer: SealedWriter) -> Result<Sealed, DatasetError> {
    writer.finish(Provenance::default(), &site.vault, &site.identity, &mut |_, _| {})
}

#[test]
fn a_version_is_never_overwritten() {
    let site = site();
    let error = create(site.root(), Some("v1")).unwrap_err();
    assert_eq!(error.code(), "dataset.duplicate_version");
    site.open().unwrap().verify_files().unwrap();
}

#[test]
fn the_number_of_a_removed_version_is_not_given_again() {
    for left in ["v4.intake.json", "v4.catalogue.json"] {
        let site = site();
        fs::write(site.root().join("trial").join(left), b"signed").unwrap();
        assert_eq!(create(site.root(), None).unwrap().version(), "v5", "{left}");
        let error = create(site.root(), Some("v4")).unwrap_err();
        assert_eq!(error.code(), "dataset.duplicate_version", "{left}");
        assert_eq!(create(site.root(), Some("v3")).unwrap().version(), "v3");
    }
}

#[test]
fn versions_have_plain_names() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1", "v0", "v01", "v", "../v1", "v1/..", "v1234567890", ".sealing-v1"] {
        assert_eq!(create(dir.path(), Some(name)).unwrap_err().code(), "dataset.version_name");
    }
}

#[test]
fn buckets_are_a_power_of_two() {
    let dir = tempfile::tempdir().unwrap();
    for buckets in [0, 3, 8192] {
        let options = SealOptions { version: None, buckets };
        let error = SealedWriter::create(dir.path(), &profile(), &options).unwrap_err();
        assert_eq!(error.code(), "dataset.buckets");
    }
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = create(dir.path(), None).unwrap();
    assert_eq!(create(dir.path(), None).unwrap_err().code(), "dataset.busy");
    drop(first);
    create(dir.path(), None).unwrap();
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = create(dir.path(), None).unwrap();
    writer.push("people", &people(&people_rows())).unwrap();
    drop(writer);
    assert_eq!(files(dir.path()), ["trial/.lock"]);
}

#[test]
fn what_a_killed_writer_left_is_no_version_and_is_removed() {
    let site = site();
    let left = site.root().join("trial/.sealing-v2");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("manifest.json"), b"half").unwrap();
    let mut writer = create(site.root(), None).unwrap();
    assert_eq!(writer.version(), "v2");
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    let sealed = finish(&site, writer).unwrap();
    assert!(!left.exists());
    SealedVersion::open(&sealed.folder, &site.identity.verifying())
        .unwrap()
        .verify_files()
        .unwrap();
}

#[test]
fn progress_counts_every_file() {
    let site = site();
    let mut writer = create(site.root(), None).unwrap();
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    let mut told = Vec::new();
    writer
        .finish(Provenance::default(), &site.vault, &site.identity, &mut |done, total| {
            told.push((done, total));
        })
        .unwrap();
    let wanted: Vec<_> = (1..=16).map(|done| (done, 16)).collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_table_without_rows_is_sealed_and_read_back() {
    let mut site = site();
    let mut writer = create(site.root(), None).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    site.folder = finish(&site, writer).unwrap().folder;
    let version = site.open().unwrap();
    version.verify_files().unwrap();
    let table = version.manifest().table("people").unwrap();
    assert_eq!((table.rows, table.patients, table.files.len()), (0, 0, 8));
    assert!(table.coverage.is_empty());
    assert!(table.columns.iter().all(|column| column.missing_percent == 0));
    let unique = table.uniqueness.unwrap();
    assert_eq!((unique.persons, unique.classes, unique.smallest_class), (0, 0, 0));
    let shown = version.catalogue_entry();
    assert_eq!(shown.tables.iter().find(|table| table.name == "people").unwrap().rows, 0);
    let columns = ["town", "age", "weight", "seen"];
    let people = site.table("people", &columns);
    assert_eq!((people.rows(), people.dictionary("town").unwrap().len()), (0, 0));
    let batches = read_table(&people, &columns).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    let dummies = dummy::generate(version.profile(), 40, 1).unwrap();
    assert!(dummies.iter().any(|table| table.name == "people" && table.rows.num_rows() > 0));
}

#[test]
fn a_version_without_a_row_is_refused() {
    let site = site();
    let writer = create(site.root(), None).unwrap();
    assert_eq!(finish(&site, writer).unwrap_err().code(), "dataset.empty");
    let mut writer = create(site.root(), None).unwrap();
    for table in ["people", "events"] {
        writer.seal_table(table, &site.vault, &mut |_, _| {}).unwrap();
    }
    assert_eq!(finish(&site, writer).unwrap_err().code(), "dataset.empty");
    assert!(!site.root().join("trial/v2").exists());
}

#[test]
fn another_profile_needs_a_higher_revision() {
    let site = site();
    let create = |profile: &Profile| {
        SealedWriter::create(site.root(), profile, &SealOptions::default()).map(|_| ())
    };
    let changed = |revision: u32| {
        let toml = PROFILE.replacen("source = \"tests\"", "source = \"other tests\"", 1);
        let revised = format!("\nrevision = {revision}{toml}");
        Profile::parse(&revised).unwrap()
    };
    create(&profile()).unwrap();
    assert_eq!(create(&changed(1)).unwrap_err().code(), "profile.revision");
    create(&changed(2)).unwrap();
    // The newest version counts, not the first.
    let options = SealOptions::default();
    let mut writer = SealedWriter::create(site.root(), &changed(2), &options).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    finish(&site, writer).unwrap();
    create(&changed(2)).unwrap();
    assert_eq!(create(&profile()).unwrap_err().code(), "profile.revision");
    assert_eq!(create(&changed(1)).unwrap_err().code(), "profile.revision");
    create(&changed(3)).unwrap();
}

#[test]
fn more_codes_than_a_dictionary_may_hold_are_refused_before_publication() {
    let site = site();
    let file = site.folder.join("dictionaries/people.town.sealed");
    let bytes = fs::metadata(file).unwrap().len();
    let sealed = |most| {
        let mut writer = create(site.root(), None).unwrap();
        writer.most_codes = most;
        writer.push("people", &people(&people_rows())).unwrap();
        writer.push("events", &events(&event_rows())).unwrap();
        finish(&site, writer)
    };
    let refused = sealed(bytes - 1).unwrap_err();
    assert_eq!(refused.code(), "dataset.too_many_codes");
    match refused {
        DatasetError::TooManyCodes { table, column, .. } => {
            assert_eq!((table.as_str(), column.as_str()), ("people", "town"));
        }
        other => panic!("{other:?}"),
    }
    assert!(files(site.root()).iter().all(|file| !file.contains("v2")), "nothing is left");
    let folder = sealed(bytes).unwrap().folder;
    let second = SealedVersion::open(&folder, &site.identity.verifying()).unwrap();
    let keys = second.unwrap_granted(&site.vault, &Grant::of(&[("people", &["town"])])).unwrap();
    let table = second.open_table(&keys, "people", FileCheck::Sha256).unwrap();
    assert_eq!(table.dictionary("town").unwrap().len(), 3);
}

#[test]
fn batches_of_another_shape_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = create(dir.path(), None).unwrap();
    let error = writer.push("events", &people(&people_rows())).unwrap_err();
    assert_eq!(error.code(), "dataset.shape");
    let error = writer.push("pets", &people(&people_rows())).unwrap_err();
    assert_eq!(error.code(), "dataset.unknown");
}

#[test]
fn a_missing_value_is_refused_where_none_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = create(dir.path(), None).unwrap();
    let profile = profile();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(vec![1, 2])),
        Arc::new(StringArray::from(vec![Some("a"), None])),
    ];
    // Arrow itself refuses nulls against the source schema, so a laxer one carries them in.
    let lax = source_schema(profile.table("events").unwrap());
    let lax: Vec<_> = lax.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let lax = Arc::new(arrow::datatypes::Schema::new(lax));
    let batch = RecordBatch::try_new(lax, columns).unwrap();
    match writer.push("events", &batch).unwrap_err() {
        DatasetError::MissingValue { column, row, .. } => {
            assert_eq!((column.as_str(), row), ("event", 1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_version_that_is_not_published_can_be_read_back_and_leaves_nothing() {
    let site = site();
    let mut writer = create(site.root(), None).unwrap();
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    let (vault, identity) = (&site.vault, &site.identity);
    let sealed = writer.seal(Provenance::default(), vault, identity, &mut |_, _| {}).unwrap();
    let keys = sealed.patient_keys();
    let table = sealed.version().open_table(keys, "people", FileCheck::Sha256).unwrap();
    let rows: usize =
        read_table(&table, &["patient"]).unwrap().iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, people_rows().len());
    let folder = sealed.folder();
    assert!(folder.ends_with("trial/v2") && !folder.exists());
    drop(sealed);
    assert!(files(site.root()).iter().all(|file| !file.contains("v2")));
}
