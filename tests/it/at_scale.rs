//! Nothing is plaintext at rest while a million rows are sealed and runs go on, in any file
//! there is a name for and in those there is none for. (Rows that do not fit into memory are
//! `sandbox/dataset`'s to test.)

use std::{
    fs,
    io::{BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sekisho_demo::site::{AgreementFile, Site};

use crate::support::{
    canaries::{Canaries, Scan},
    clinic::{self, scattered},
    desk::{self, example},
};

const ROWS: u64 = 1_000_000;
const ROWS_EACH: u64 = 50;
/// One row in so many is looked for.
const WATCHED: u64 = 5_000;
/// As much of a file as is looked through where all of it would take long.
const PART: u64 = 4 << 20;

#[test]
fn cr_1_a_million_rows_leave_nothing_in_the_clear_while_they_are_sealed() {
    let (site, staff) = Site::staffed().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let source = outside.path().join("visits.csv");
    let canaries = write(&source);
    assert!(canaries.hits("source", &part(&source)).len() > 10, "the control");
    let project = desk::open_project(&site, &AgreementFile::for_lung(&staff));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);

    let ingest = site
        .ingest_everybody("csv")
        .arg("--profile")
        .arg(clinic::profile())
        .arg("--table")
        .arg(format!("visits={}", source.display()))
        .arg("--json");
    let mut looks = Vec::new();
    let sealed = thread::scope(|scope| {
        let sealing = scope.spawn(|| ingest.succeed().unwrap());
        while !sealing.is_finished() {
            let run = desk::start(&site, &project, &module, &[]);
            for id in programs(site.root()) {
                assert!(core_limit(&id).is_none_or(|most| most == "0"), "{}", id.display());
                nameless(&id, &canaries);
            }
            looks.push(canaries.hits_below(site.root()));
            desk::finished(&site, &run, Duration::from_secs(120));
        }
        sealing.join().unwrap()
    });
    looks.push(canaries.hits_below(site.root()));
    assert_eq!(sealed.json().unwrap()["rows"]["visits"].as_u64(), Some(ROWS), "{}", sealed.stdout);
    let hits: Vec<_> = looks.iter().flat_map(|look| &look.hits).collect();
    assert!(hits.is_empty(), "{hits:#?}");
    assert!(looks.len() > 2, "the ingest was over before anybody looked");
    let last: &Scan = looks.last().unwrap();
    assert!(last.covers("clinic/v1/manifest.json") && last.bytes > 10 << 20);
}

/// The visits; gives the values of some.
fn write(path: &Path) -> Canaries {
    let mut canaries = Canaries::default();
    let mut csv = BufWriter::new(fs::File::create(path).unwrap());
    writeln!(csv, "patient,site,weight,dose,note").unwrap();
    for row in 0..ROWS {
        let id = format!("KANJA-{:016x}", scattered(row / ROWS_EACH));
        let dose = i64::from_le_bytes(scattered((1 << 40) | row).to_le_bytes());
        let note = format!("NOTE-{:012x}", scattered((1 << 41) | (row % 1_000)) >> 16);
        writeln!(csv, "{id},site-{},61.5,{dose},{note}", row % 7).unwrap();
        if row % WATCHED == 0 {
            canaries.text(&id);
            canaries.int(dose);
            canaries.text(&note);
        }
    }
    csv.flush().unwrap();
    canaries
}

/// The processes of the site that hold keys or records, by their folders in `/proc`.
fn programs(root: &Path) -> Vec<PathBuf> {
    let root = root.to_string_lossy();
    let ours = |folder: &PathBuf| {
        let words = fs::read(folder.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let program = words.split('\0').next().unwrap_or_default();
        let named = ["sekisho-gateway", "sekisho-worker", "sekisho-ingest"];
        named.iter().any(|name| program.ends_with(name)) && words.contains(&*root)
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    all.filter(ours).collect()
}

fn core_limit(process: &Path) -> Option<String> {
    let limits = fs::read_to_string(process.join("limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// Looks through the files that a process holds open and nobody can find by a name.
fn nameless(process: &Path, canaries: &Canaries) {
    let Ok(open) = fs::read_dir(process.join("fd")) else { return };
    for entry in open.filter_map(Result::ok) {
        let gone =
            fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)"));
        if gone {
            let place = entry.path().display().to_string();
            let hits = canaries.hits(&place, &part(&entry.path()));
            assert!(hits.is_empty(), "plaintext in {place}");
        }
    }
}

/// The beginning of a file; nothing of one that has gone meanwhile.
fn part(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(PART).read_to_end(&mut bytes);
    }
    bytes
}
