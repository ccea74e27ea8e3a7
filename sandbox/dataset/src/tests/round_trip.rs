use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, UInt32Type, UInt64Type};
use parquet::arrow::ArrowWriter;

use super::*;

#[test]
fn rows_come_back_as_they_went_in() {
    let site = site();
    let table = site.table("people", &["town", "age", "weight", "seen"]);
    let dictionary = table.dictionary("town").unwrap();
    assert_eq!(dictionary, [CANARY_CODE, "north", "south"]);
    let mut found = Vec::new();
    for batch in read_table(&table, &["patient", "town", "age", "weight", "seen"]).unwrap() {
        for row in 0..batch.num_rows() {
            let town = batch.column(1).as_primitive::<UInt32Type>();
            let weight = batch.column(3).as_primitive::<Float64Type>();
            found.push((
                batch.column(0).as_primitive::<UInt64Type>().value(row),
                town.is_valid(row).then(|| dictionary[town.value(row) as usize].clone()),
                batch.column(2).as_primitive::<Int64Type>().value(row),
                weight.is_valid(row).then(|| weight.value(row)),
                batch.column(4).as_primitive::<Date32Type>().value(row),
            ));
        }
    }
    let mut wanted: Vec<_> = people_rows()
        .into_iter()
        .map(|(token, town, age, weight, seen)| (token, town.map(str::to_owned), age, weight, seen))
        .collect();
    wanted.sort_by_key(|row| row.0);
    assert_eq!(found, wanted, "also: sorted by token through all buckets");
}

/// Memory must not grow with rows: a file is read only when its turn comes.
#[test]
fn batches_are_read_file_by_file() {
    let site = site();
    let table = site.table("people", &[]);
    let mut batches = read_batches(&table, &["patient"]).unwrap();
    let first = batches.next().unwrap().unwrap();
    assert_eq!(first.num_rows() as u64, table.files()[0].rows);
    let last = table.files().last().unwrap();
    std::fs::remove_file(&last.path).unwrap();
    let failed: Vec<_> = batches.filter_map(Result::err).collect();
    let [DatasetError::Io { path, .. }] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(*path, last.path);
}

#[test]
fn one_patients_rows_share_a_bucket_in_every_table() {
    let site = site();
    for name in ["people", "events"] {
        let table = site.table(name, &[]);
        assert_eq!(table.files().len(), DEFAULT_BUCKETS as usize);
        let batches = read_table(&table, &["patient"]).unwrap();
        let tokens: Vec<u64> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<UInt64Type>().values().to_vec())
            .collect();
        let mut place = 0;
        for file in table.files() {
            for token in &tokens[place..place + file.rows as usize] {
                assert_eq!(bucket_of(*token, DEFAULT_BUCKETS), file.bucket);
            }
            place += file.rows as usize;
        }
        assert_eq!(place, tokens.len());
    }
}

#[test]
fn the_manifest_counts_rows_and_people() {
    let version = site().open().unwrap();
    let manifest = version.manifest();
    assert_eq!(manifest.patients, 501);
    let people = manifest.table("people").unwrap();
    assert_eq!((people.rows, people.patients), (501, 501));
    let events = manifest.table("events").unwrap();
    assert_eq!((events.rows, events.patients), (901, 451));
    let catalogue = version.catalogue_entry();
    assert_eq!((catalogue.patients, catalogue.tables[0].rows), (500, 500));
    assert_eq!(catalogue.manifest_sha256, version.manifest_sha256());
    assert_eq!(catalogue.tables[0].columns[2].unit.as_deref(), Some("year"));
    let json = serde_json::to_string(&catalogue).unwrap();
    assert_eq!(serde_json::from_str::<CatalogueEntry>(&json).unwrap(), catalogue);
}

/// Whether bytes hold one of the canaries in any form the code could have written it.
pub(super) fn leaks(bytes: &[u8]) -> Vec<&'static str> {
    let needles: [(&str, Vec<u8>); 11] = [
        ("code", CANARY_CODE.into()),
        ("event", CANARY_EVENT.into()),
        ("int", CANARY_INT.to_le_bytes().into()),
        ("int, big-endian", CANARY_INT.to_be_bytes().into()),
        ("int as text", CANARY_INT.to_string().into()),
        ("float", CANARY_FLOAT.to_le_bytes().into()),
        ("float as text", "602214076".into()),
        ("token", CANARY_TOKEN.to_le_bytes().into()),
        ("token, big-endian", CANARY_TOKEN.to_be_bytes().into()),
        ("token as text", CANARY_TOKEN.to_string().into()),
        ("date as text", "2138-03-18".into()),
    ];
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    needles.iter().filter(|(_, needle)| holds(needle)).map(|(name, _)| *name).collect()
}

#[test]
fn cr_1_planted_canaries_rest_in_no_byte_of_the_folder() {
    let site = site();
    let names = files(site.root());
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let bytes = std::fs::read(site.root().join(&name)).unwrap();
        assert_eq!(leaks(&bytes), Vec::<&str>::new(), "{name}");
        for plain in ["town", "weight", "seen"].map(str::as_bytes) {
            let parquet = name.ends_with(".parquet");
            let found = bytes.windows(plain.len()).any(|window| window == plain);
            assert!(!parquet || !found, "{name} shows a column name");
        }
    }
}

#[test]
fn the_canary_scan_does_find_them_in_plain_parquet() {
    let rows = people_rows();
    let batch = people(&rows[rows.len() - 1..]);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    assert_eq!(leaks(&bytes), ["code", "int", "float", "token"]);
}

/// Any small count of a combination gives the same answers: nothing can be learnt of it by
/// asking, adding or subtracting.
#[test]
fn ct_2_published_counts_do_not_depend_on_small_cells() {
    let profile = Profile::parse(
        &PROFILE
            .replace("kind = \"code\", nullable = true, description = { ja = \"町\"", "kind = \"code\", nullable = true, codes = { north = { ja = \"北\", en = \"north\" }, south = { ja = \"南\", en = \"south\" } }, description = { ja = \"町\"")
            .replacen("name = \"people\"", "name = \"people\"\none_row_a_person = true\nquick_counts = [\"town\"]", 1),
    )
    .unwrap();
    let published = |north: u64, missing: u64| {
        let row = |n: u64, town| (token(n), town, 30, None, 18_000);
        let south = (0..47).map(|n| row(n, Some("south")));
        let north = (0..north).map(|n| row(100 + n, Some("north")));
        let missing = (0..missing).map(|n| row(200 + n, None));
        let rows: Vec<Person> = south.chain(north).chain(missing).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut writer =
            SealedWriter::create(dir.path(), &profile, &SealOptions::default()).unwrap();
        writer.push("people", &people(&rows)).unwrap();
        writer.push("events", &events(&event_rows())).unwrap();
        let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
        let sealed = writer.finish(Provenance::default(), &vault, &identity, &mut |_, _| {});
        sealed.unwrap().catalogue.tables[0].quick_counts.clone().unwrap()
    };
    let none = published(0, 12);
    let cell = |code: &str, patients| QuickCell { codes: vec![code.to_owned()], patients };
    assert_eq!(none.cells, [cell("", 10), cell("south", 40)]);
    for north in 1..10 {
        assert_eq!(published(north, 12), none, "{north} persons");
    }
    assert_eq!(published(10, 12).cells.len(), 3);
    assert_eq!(published(0, 9).cells, [cell("south", 40)]);
}
