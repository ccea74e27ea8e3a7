//! Nothing is plaintext at rest while more than a million rows are sealed and runs go on: in no
//! file that has a name, in none that has none, and in no page that was swapped out.

use std::{
    collections::BTreeSet,
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

/// More than wait in memory, so that sorted runs of them go to disk.
const ROWS: u64 = 2_500_000;
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
    let (mut seen, mut nameless_bytes) = (BTreeSet::new(), 0);
    let sealed = thread::scope(|scope| {
        let sealing = scope.spawn(|| ingest.succeed().unwrap());
        while !sealing.is_finished() {
            let run = desk::start(&site, &project, &module, &[]);
            for (program, id) in programs(site.root()) {
                // One that has ended meanwhile has neither.
                let Some((cores, swapped)) = core_limit(&id).zip(swapped(&id)) else { continue };
                assert_eq!((&*cores, &*swapped), ("0", "0"), "{program}");
                seen.insert(program);
                nameless_bytes += nameless(&id, &canaries);
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
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), PROGRAMS);
    assert!(nameless_bytes > 1 << 20, "no sorted run was looked through");
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

/// Those that hold keys or records.
const PROGRAMS: [&str; 3] = ["sekisho-gateway", "sekisho-ingest", "sekisho-worker"];

/// The site's own of them, with their folders in `/proc`.
fn programs(root: &Path) -> Vec<(&'static str, PathBuf)> {
    let root = root.to_string_lossy();
    let ours = |folder: PathBuf| {
        let words = fs::read(folder.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let program = words.split('\0').next().unwrap_or_default();
        let name = PROGRAMS.into_iter().find(|name| program.ends_with(name))?;
        words.contains(&*root).then_some((name, folder))
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    all.filter_map(ours).collect()
}

/// Kilobytes of a process that lie in swap.
fn swapped(process: &Path) -> Option<String> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSwap:"))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn core_limit(process: &Path) -> Option<String> {
    let limits = fs::read_to_string(process.join("limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// Looks through the files that a process holds open and nobody can find by a name; gives how
/// many bytes.
fn nameless(process: &Path, canaries: &Canaries) -> usize {
    let mut looked = 0;
    let Ok(open) = fs::read_dir(process.join("fd")) else { return looked };
    for entry in open.filter_map(Result::ok) {
        let gone =
            fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)"));
        if gone {
            let place = entry.path().display().to_string();
            let bytes = part(&entry.path());
            assert!(canaries.hits(&place, &bytes).is_empty(), "plaintext in {place}");
            looked += bytes.len();
        }
    }
    looked
}

/// The beginning of a file; nothing of one that has gone meanwhile.
fn part(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(PART).read_to_end(&mut bytes);
    }
    bytes
}
