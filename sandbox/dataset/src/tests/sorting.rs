use std::fs::{File, read_dir};
use std::io::Read as _;

use arrow::compute::concat_batches;

use super::*;
use crate::tests::round_trip::leaks;

/// Seals the same rows in many small pushes, with so much room for them in memory and so many
/// runs merged at once.
fn sealed(waiting_bytes: usize, fan_in: usize) -> (Site, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (vault, identity) = (MemoryVault::new().unwrap(), SigningIdentity::generate().unwrap());
    let mut writer = SealedWriter::create(dir.path(), &profile(), &SealOptions::default()).unwrap();
    (writer.waiting_bytes, writer.fan_in) = (waiting_bytes, fan_in);
    for rows in event_rows().chunks(30) {
        writer.push("events", &events(rows)).unwrap();
    }
    for rows in people_rows().chunks(20) {
        writer.push("people", &people(rows)).unwrap();
    }
    let runs = unnamed_files(dir.path()).len();
    let sealed = writer.finish(Provenance::default(), &vault, &identity, &mut |_, _| {}).unwrap();
    (Site { folder: sealed.folder, dir, vault, identity }, runs)
}

/// Content of the files of this process that lie in a folder and have no name.
fn unnamed_files(folder: &Path) -> Vec<Vec<u8>> {
    let folder = folder.canonicalize().unwrap();
    let mut found = Vec::new();
    for entry in read_dir("/proc/self/fd").unwrap() {
        let link = entry.unwrap().path();
        // Other tests open and close files meanwhile.
        let Ok(target) = std::fs::read_link(&link) else { continue };
        if target.starts_with(&folder) && target.to_string_lossy().ends_with(" (deleted)") {
            let mut content = Vec::new();
            File::open(&link).unwrap().read_to_end(&mut content).unwrap();
            found.push(content);
        }
    }
    found
}

fn rows(site: &Site, table: &str, columns: &[&str]) -> RecordBatch {
    let opened = site.table(table, columns);
    let batches = read_table(&opened, columns).unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[test]
fn rows_that_went_through_disk_are_sealed_as_those_that_did_not() {
    let (here, no_runs) = sealed(usize::MAX, 2);
    let (there, runs) = sealed(2 << 8, 100);
    assert_eq!(no_runs, 0);
    assert!(runs > 30, "{runs} runs");
    same(&here, &there);
    // Each stage leaves less than three runs of every level and table.
    let (stages, few) = sealed(2 << 8, 3);
    assert!(few > 2 && few <= 2 * 2 * 4, "{few} runs are open of {runs}");
    same(&here, &stages);
}

fn same(here: &Site, there: &Site) {
    for (table, columns) in [
        ("people", vec!["patient", "town", "age", "weight", "seen"]),
        ("events", vec!["patient", "event"]),
    ] {
        assert_eq!(rows(here, table, &columns), rows(there, table, &columns), "{table}");
        let unique = [here, there]
            .map(|site| site.open().unwrap().manifest().table(table).unwrap().uniqueness.unwrap());
        assert_eq!(unique[0], unique[1], "{table}");
        if table == "events" {
            // 450 persons with one of two codes each, and one with a code of their own.
            assert_eq!((unique[0].persons, unique[0].classes), (451, 3));
            assert_eq!((unique[0].smallest_class, unique[0].unique_persons), (1, 1));
        }
    }
    let counts = |site: &Site| {
        let manifest = site.open().unwrap().manifest().clone();
        let tables = manifest.tables.iter().map(|table| (table.rows, table.patients));
        (manifest.patients, tables.collect::<Vec<_>>())
    };
    assert_eq!(counts(here), counts(there));
    let dictionary = |site: &Site| site.table("people", &["town"]).dictionary("town").unwrap();
    assert_eq!(dictionary(here), dictionary(there));
}

#[test]
fn cr_1_sorted_runs_on_disk_show_no_canary_and_have_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = SealedWriter::create(dir.path(), &profile(), &SealOptions::default()).unwrap();
    writer.waiting_bytes = 0;
    writer.push("people", &people(&people_rows())).unwrap();
    writer.push("events", &events(&event_rows())).unwrap();
    let runs = unnamed_files(dir.path());
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert!(run.len() > 10_000, "{} bytes", run.len());
        assert_eq!(leaks(&run), Vec::<&str>::new());
    }
    assert_eq!(files(dir.path()), ["trial/.lock"]);
}
